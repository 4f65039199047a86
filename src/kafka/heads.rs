//! How far the log is known to have come, by what was acknowledged here.

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;

use crate::cursor::Cursor;

/// The last offset of each partition that this process was told of. Whoever reads what was just
/// written knows by it how far to look.
#[derive(Default)]
pub struct Heads(RwLock<Vec<AtomicI64>>);

/// Before the first one.
const NONE: i64 = -1;

impl Heads {
    /// Takes note of an event that is in the log.
    pub fn saw(&self, cursor: Cursor) {
        let index = cursor.partition() as usize;
        if let Some(head) = self.0.read().get(index) {
            head.fetch_max(cursor.offset(), Ordering::AcqRel);
            return;
        }
        let mut heads = self.0.write();
        if heads.len() <= index {
            heads.resize_with(index + 1, || AtomicI64::new(NONE));
        }
        heads[index].fetch_max(cursor.offset(), Ordering::AcqRel);
    }

    /// The last offset of a partition, if any is known.
    pub fn of(&self, partition: i32) -> Option<i64> {
        let heads = self.0.read();
        let head = heads.get(usize::try_from(partition).ok()?)?.load(Ordering::Acquire);
        (head != NONE).then_some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_furthest_offset_of_each_partition_counts() {
        let heads = Heads::default();
        assert_eq!(heads.of(3), None);
        for offset in [7, 9, 8] {
            heads.saw(Cursor::new(3, offset).unwrap());
        }
        assert_eq!(
            (heads.of(3), heads.of(2), heads.of(4), heads.of(-1)),
            (Some(9), None, None, None)
        );
    }
}
