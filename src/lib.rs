//! An HTTP ingest service in front of Kafka and Redis.
//!
//! # The life of one event
//!
//! 1. A connection is accepted by a [`http::Server`], within the limits of the settings, and
//!    every request passes the [`http::Edge`]: it gets its id, its metrics, and, if anything is
//!    wrong, a problem that says what to do.
//! 2. The body is received under a [`publisher::Permit`]: what is in memory on its way to Kafka
//!    is bounded ([`publisher::Admission`]).
//! 3. It is checked where it lies: an [`event::Event`] borrows its members from the body, and
//!    its bytes go on as they came. Only a missing `id` is spliced in.
//! 4. The [`publisher::DualPublisher`] hands each event of the request to the
//!    [`kafka::Producer`], in order and without waiting in between, as a [`kafka::Record`]
//!    that carries its [`publisher::Ticket`].
//! 5. Kafka acknowledges, or does not. The [`kafka::DeliveryReport`] says which of the three
//!    [`kafka::Outcome`]s is true: stored at a [`cursor::Cursor`], not stored, or unknown.
//! 6. A stored event is announced: its [`notifier::Notification`] is encoded into the queue of a
//!    worker, which sends what has gathered as one pipeline through a [`notifier::Broadcaster`].
//!    Nothing that happens there reaches the answer.
//! 7. The last ticket of a request wakes it, and the outcomes become the answer.
//!
//! The request may be gone by step 5: nothing after step 4 depends on it.
//!
//! # The way back
//!
//! The [`reader::Reader`] answers what is at a [`cursor::Cursor`], the recent events of an
//! [`event::Source`], and everything behind a [`position::Position`]. A tail follows the log into
//! memory, so that what is recent costs no read; the rest comes from a [`kafka::LogConsumer`] on a
//! thread of the reader's own, within bounds that the answer tells of.
//!
//! [`service::run`] puts the parts together and takes them apart again in order.

pub mod channel;
pub mod cursor;
pub mod dev;
pub mod event;
pub mod http;
pub mod json;
pub mod kafka;
pub mod kept;
pub mod live;
pub mod metrics;
pub mod notifier;
pub mod position;
pub mod probe;
pub mod publisher;
pub mod reader;
pub mod redis;
pub mod service;
pub mod settings;
pub mod tail;
pub mod telemetry;
pub mod time;
