//! The parser of events against a reference, on generated and mutated bodies.

// Helpers outside of test functions; a test that cannot go on shall stop.
#![allow(clippy::expect_used)]

#[path = "../../fuzz/check.rs"]
mod check;
mod corpus;
mod documents;
mod properties;
