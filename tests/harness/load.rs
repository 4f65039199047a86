//! Writers at full speed that keep a journal of what they sent and what they were told.

pub mod connection;
pub mod journal;
pub mod traffic;
pub mod verdicts;
