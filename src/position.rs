//! How far a reader has come.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::cursor::Cursor;

/// The text of a position before everything.
const BEGINNING: &str = "beginning";
/// What stands in the place of an offset when nothing was there to be seen.
const NONE: &str = "none";
/// The offset before the first one.
const BEFORE_ALL: i64 = -1;

/// At most one cursor for each partition, joined by commas as in `0-12,3-42`: everything up to and
/// including these has been seen. Of a partition that is not named nothing has; `beginning` names
/// none. Nor has anything of `1-none`, but there the log began with the first offset: what is gone
/// since then is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Position(BTreeMap<i32, i64>);

impl Position {
    /// The position before everything: nothing has been seen of any partition.
    pub fn beginning() -> Self {
        Position::default()
    }

    /// The offset in this partition, if it is named; -1 for none.
    pub fn offset(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// Puts a cursor in the place of that of its partition, if there is one.
    pub fn set(&mut self, cursor: Cursor) {
        self.0.insert(cursor.partition(), cursor.offset());
    }

    /// Everything in a partition before this offset has been seen.
    pub fn set_next(&mut self, partition: i32, next: i64) {
        self.0.insert(partition, next.saturating_sub(1).max(BEFORE_ALL));
    }

    /// The cursors, in the order of partitions.
    pub fn cursors(&self) -> impl Iterator<Item = Cursor> + '_ {
        self.0.iter().filter_map(|(&partition, &offset)| Cursor::new(partition, offset))
    }

    /// Of each partition that is named, the first offset that has not been seen.
    pub fn nexts(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.0.iter().map(|(&partition, &offset)| (partition, offset.saturating_add(1)))
    }

    /// How many partitions are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of these are none of the first so many partitions.
    pub fn beyond(&self, partitions: i32) -> usize {
        self.0.range(partitions..).count()
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

impl FromIterator<(i32, i64)> for Position {
    /// Of partitions of which everything before an offset has been seen.
    fn from_iter<I: IntoIterator<Item = (i32, i64)>>(nexts: I) -> Self {
        let mut position = Position::beginning();
        nexts.into_iter().for_each(|(partition, next)| position.set_next(partition, next));
        position
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(BEGINNING);
        }
        for (index, (partition, offset)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match *offset {
                BEFORE_ALL => write!(f, "{comma}{partition}-{NONE}")?,
                offset => write!(f, "{comma}{partition}-{offset}")?,
            }
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
        for part in text.split(',') {
            let (partition, offset) = part_of(part).ok_or(ParsePositionError)?;
            if offsets.insert(partition, offset).is_some() {
                return Err(ParsePositionError);
            }
        }
        Ok(Position(offsets))
    }
}

fn part_of(text: &str) -> Option<(i32, i64)> {
    if let Some((partition, NONE)) = text.rsplit_once('-') {
        // A partition is spelt as in its first cursor.
        let first: Cursor = format!("{partition}-0").parse().ok()?;
        return Some((first.partition(), BEFORE_ALL));
    }
    let cursor: Cursor = text.parse().ok()?;
    Some((cursor.partition(), cursor.offset()))
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
        assert_eq!([0, 1, 3, 4].map(|partitions| position.beyond(partitions)), [2, 1, 1, 0]);
    }

    #[test]
    fn before_everything_it_is_called_the_beginning() {
        assert_eq!("beginning".parse(), Ok(Position::beginning()));
        assert_eq!(Position::beginning().to_string(), "beginning");
    }

    #[test]
    fn a_partition_of_which_there_was_nothing_is_named_so() {
        let mut position: Position = "3-42".parse().unwrap();
        position.set_next(1, 0);
        position.set_next(2, 8);
        assert_eq!(position.to_string(), "1-none,2-7,3-42");
        assert_eq!("2-7,1-none,3-42".parse(), Ok(position.clone()));
        assert_eq!((position.offset(1), position.len()), (Some(-1), 3));
        assert_eq!(position.cursors().map(Cursor::partition).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            ",",
            "0-1,",
            ",0-1",
            "0-1,0-2",
            "0-1, 1-2",
            "0-1;1-2",
            "Beginning",
            "0",
            "0-",
            "none",
            "-none",
            "0-1-none",
            "00-none",
            "0-1none",
            "0--1",
            "0-none,0-1",
            "0-None",
        ] {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn comes_back_from_its_text(offsets in btree_map(0..=i32::MAX, -1..=i64::MAX, 0..20)) {
            let position = Position(offsets);
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
