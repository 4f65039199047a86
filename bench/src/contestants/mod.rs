//! The limits, which are part of this program.

pub mod bare;
pub mod consumer;
pub mod raw;
pub mod relay;
