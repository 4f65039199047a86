//! When an event was posted, written into its id.

use std::ops::Range;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::load::write_digits;

/// What stands before the stamp, in what is posted and in what is streamed.
const BEFORE: &[u8] = br#""id":"018f3a5c-7b2e-7000-8000-"#;
const DIGITS: usize = 12;
/// Bits that tell apart what is due at one moment.
const NUMBER_BITS: u32 = 16;

/// Counts microseconds; for an hour.
#[derive(Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// Writes a moment and a number into the id's digits.
    pub fn stamp(self, digits: &mut [u8], at: Instant, number: u64) {
        let micros = at.saturating_duration_since(self.start).as_micros() as u64;
        write_digits(digits, (micros << NUMBER_BITS) | (number % (1 << NUMBER_BITS)), 16);
    }

    /// The moment in the first id of a text.
    pub fn read(self, text: &[u8]) -> Option<Instant> {
        let digits = text.get(digits_in(text)?)?;
        let stamp = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some(self.start + Duration::from_micros(stamp >> NUMBER_BITS))
    }
}

fn digits_in(text: &[u8]) -> Option<Range<usize>> {
    let begin = memmem::find(text, BEFORE)? + BEFORE.len();
    Some(begin..begin + DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Template;

    #[test]
    fn what_is_stamped_is_read() {
        let clock = Clock::start();
        let at = clock.start + Duration::from_micros(123_456_789);
        let template = Template::new(500, true);
        let mut event = template.json.into_bytes();
        clock.stamp(&mut event[template.id_digits.unwrap()], at, 70_000);
        assert_eq!(clock.read(&event), Some(at));
        assert_eq!(clock.read(b"retry: 2000"), None);
    }
}
