//! Reading back: one event, several, the recent ones of a source, and replay.

mod accept;
mod encode;
mod fetch;
mod list;
mod point;
mod query;
mod refusal;
mod replay;
mod room;

pub(super) use accept::{Format, choose};
pub(super) use fetch::fetch;
pub(super) use list::list;
pub(super) use point::event;
pub(super) use query::{Faults, decoded, decoded_lossily};
pub(super) use refusal::unread;
pub use room::Room;
