//! How far a reader has come.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::cursor::Cursor;

/// The text of a position before everything.
const BEGINNING: &str = "beginning";

/// At most one cursor for each partition, joined by commas as in `0-12,3-42`: everything up to and
/// including these has been seen. Of a partition that is not named nothing has; `beginning` names
/// none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Position(BTreeMap<i32, i64>);

impl Position {
    /// The position before everything: nothing has been seen of any partition.
    pub fn beginning() -> Self {
        Position::default()
    }

    /// The offset in this partition, if it is named.
    pub fn offset(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// Puts a cursor in the place of that of its partition, if there is one.
    pub fn set(&mut self, cursor: Cursor) {
        self.0.insert(cursor.partition(), cursor.offset());
    }

    /// The cursors, one for each partition that is named, in the order of partitions.
    pub fn cursors(&self) -> impl Iterator<Item = Cursor> + '_ {
        self.0.iter().filter_map(|(&partition, &offset)| Cursor::new(partition, offset))
    }

    /// How many partitions are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Cursor> for Position {
    /// Of several cursors of one partition the last one stands.
    fn from_iter<I: IntoIterator<Item = Cursor>>(cursors: I) -> Self {
        let mut position = Position::beginning();
        cursors.into_iter().for_each(|cursor| position.set(cursor));
        position
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(BEGINNING);
        }
        for (index, cursor) in self.cursors().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{cursor}")?;
        }
        Ok(())
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a position; write cursors joined by commas, at most one for each partition, \
     as in `0-12,3-42`, or `beginning`"
)]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;

    /// Reads cursors in any order.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == BEGINNING {
            return Ok(Position::beginning());
        }
        let mut offsets = BTreeMap::new();
        for cursor in text.split(',') {
            let cursor: Cursor = cursor.parse().map_err(|_| ParsePositionError)?;
            if offsets.insert(cursor.partition(), cursor.offset()).is_some() {
                return Err(ParsePositionError);
            }
        }
        Ok(Position(offsets))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_written_in_the_order_of_partitions() {
        let position: Position = "3-42,0-12".parse().unwrap();
        assert_eq!(position.to_string(), "0-12,3-42");
        assert_eq!(serde_json::to_string(&position).unwrap(), r#""0-12,3-42""#);
        assert_eq!((position.offset(3), position.offset(1)), (Some(42), None));
    }

    #[test]
    fn before_everything_it_is_called_the_beginning() {
        assert_eq!("beginning".parse(), Ok(Position::beginning()));
        assert_eq!(Position::beginning().to_string(), "beginning");
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", ",", "0-1,", ",0-1", "0-1,0-2", "0-1, 1-2", "0-1;1-2", "Beginning", "0"] {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn comes_back_from_its_text(offsets in btree_map(0..=i32::MAX, 0..=i64::MAX, 0..20)) {
            let position = Position(offsets);
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
