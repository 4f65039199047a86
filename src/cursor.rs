//! The address of one stored event.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where Kafka keeps one event: a partition and an offset in it, written
/// `{partition}-{offset}` as in `3-42`.
///
/// Neither number is ever negative. Cursors order by partition, then offset;
/// only two cursors of the same partition say which event came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    // The derived `Ord` compares in this order.
    partition: i32,
    offset: i64,
}

impl Cursor {
    /// A cursor, or `None` when either number is negative: Kafka uses those as
    /// markers (no partition yet, end of the log), never as addresses.
    pub fn new(partition: i32, offset: i64) -> Option<Self> {
        (partition >= 0 && offset >= 0).then_some(Self { partition, offset })
    }

    /// The partition, from 0.
    pub fn partition(self) -> i32 {
        self.partition
    }

    /// The offset within the partition, from 0.
    pub fn offset(self) -> i64 {
        self.offset
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a cursor; write the partition and the offset as plain decimal numbers \
     joined by a hyphen, as in `3-42`"
)]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    /// Reads exactly what `Display` writes.
    ///
    /// One event has one spelling, so that a cursor can serve as a cache key
    /// and as part of a URL: no sign, no leading zero, no surrounding space.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (partition, offset) = text.split_once('-').ok_or(ParseCursorError)?;
        Self::new(decimal(partition)?, decimal(offset)?).ok_or(ParseCursorError)
    }
}

fn decimal<T: FromStr>(digits: &str) -> Result<T, ParseCursorError> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0');
    if !plain || padded {
        return Err(ParseCursorError);
    }
    digits.parse().map_err(|_| ParseCursorError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(partition: i32, offset: i64) -> Cursor {
        Cursor::new(partition, offset).expect("neither number is negative")
    }

    #[test]
    fn is_written_as_partition_and_offset() {
        assert_eq!(cursor(3, 42).to_string(), "3-42");
        assert_eq!(serde_json::to_string(&cursor(3, 42)).unwrap(), r#""3-42""#);
    }

    #[test]
    fn is_never_negative() {
        assert_eq!(Cursor::new(-1, 0), None);
        assert_eq!(Cursor::new(0, -1), None);
    }

    #[test]
    fn reaches_the_largest_numbers_and_no_further() {
        assert_eq!("2147483647-9223372036854775807".parse(), Ok(cursor(i32::MAX, i64::MAX)));
        assert!("2147483648-0".parse::<Cursor>().is_err());
        assert!("0-9223372036854775808".parse::<Cursor>().is_err());
    }

    #[test]
    fn has_one_spelling_only() {
        for text in [
            "", "-", "3", "3-", "-42", "03-42", "3-042", "00-0", "+3-42", "3-+42", "3--42",
            "-3-42", " 3-42", "3-42 ", "3 - 42", "3-42-1", "3:42", "3-4_2", "0x3-42", "٣-42",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text:?}");
        }
    }

    #[test]
    fn orders_by_partition_then_offset() {
        assert!(cursor(0, 9) < cursor(1, 0));
        assert!(cursor(1, 9) < cursor(1, 10));
    }

    #[test]
    fn the_error_shows_how_a_cursor_looks() {
        assert!(ParseCursorError.to_string().contains("`3-42`"));
    }

    proptest! {
        #[test]
        fn comes_back_from_its_text(partition in 0..=i32::MAX, offset in 0..=i64::MAX) {
            let cursor = cursor(partition, offset);
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_read_is_written_back_the_same(text in "[0-9+ -]{0,12}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
