//! The two limits, which are part of this program.

pub mod bare;
pub mod raw;
