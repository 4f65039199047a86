//! Live: followers get what the tail brings, each event once, from wherever they were.
//!
//! The [`Hub`] is shown every event on the tail's thread and hands it to those who follow it, each
//! with a bounded queue; it waits for nobody. A [`Subscription`] first reads what it has missed from
//! the log, up to where the hub was when it joined, and goes on with its queue from there. Whenever
//! its queue ends, because it was full or the tail lost its place, it looks at the log again. What a
//! [`Client`] follows with one connection or several subscriptions has one room in memory.
//!
//! What is announced on Redis is told before the tail brings it ([`listen`]), and is told only: what
//! a follower has had is decided by the log.

mod client;
mod early;
mod hub;
mod item;
mod merge;
mod message;
mod news;
mod places;
mod queue;
mod recent;
mod registry;
#[cfg(test)]
mod samples;
mod start;
mod subscription;
mod turns;

pub use client::{Client, Refusal, Seat};
pub use early::{Announcements, Names, listen};
pub use hub::Hub;
pub use item::{End, Item, Lost};
pub use message::{Form, Message};
pub use news::News;
pub use start::{Request, Start};
pub use subscription::Subscription;
