//! What is at the other end of a stream: the console in a real Chromium, and the examples of
//! `docs/clients.md` as their readers run them.
//!
//! `make test` starts what these tests need; `scripts/setup test` and `scripts/tools python` install
//! the browser and Python's packages.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod browser;
mod console;
mod documents;
mod gateway;
#[path = "../harness/mod.rs"]
mod harness;
mod page;
mod programs;
mod restarts;
