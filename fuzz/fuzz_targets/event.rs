//! `cargo +nightly fuzz run event`: any bytes as a body of events.

#![no_main]

#[path = "../check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|body: &[u8]| check::check(body));
