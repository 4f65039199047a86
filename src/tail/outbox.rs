//! Lines on their way out, and which of them the reader has taken.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

/// Lines that are not written or not taken yet, with the place in the log behind each.
#[derive(Default)]
pub(super) struct Outbox {
    /// What is not written yet.
    unwritten: BytesMut,
    /// What is not taken yet.
    marks: VecDeque<Mark>,
    /// Bytes of all lines that have been taken.
    taken: u64,
    /// Bytes that have been written.
    written: u64,
}

/// A line, or, without any bytes, what was passed over.
#[derive(Clone, Copy)]
struct Mark {
    len: u64,
    partition: i32,
    /// The offset behind it.
    next: i64,
    /// Its partition was given away after it was begun: its bytes count, and it does not.
    is_void: bool,
}

/// A line that has been taken, or what was passed over before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) partition: i32,
    /// Everything in the partition before this offset has been taken.
    pub(super) next: i64,
    pub(super) is_line: bool,
}

impl Outbox {
    /// Adds what `write` writes, the line of the event before an offset.
    pub(super) fn push(&mut self, partition: i32, next: i64, write: impl FnOnce(&mut BytesMut)) {
        let before = self.unwritten.len();
        write(&mut self.unwritten);
        let len = (self.unwritten.len() - before) as u64;
        self.marks.push_back(Mark { len, partition, next, is_void: false });
    }

    /// Nothing is there in a partition up to an offset, itself excluded.
    pub(super) fn pass(&mut self, partition: i32, next: i64) {
        // At most one for each partition behind the last line, or they would be without a bound.
        let passed = self.marks.iter_mut().rev().take_while(|mark| mark.len == 0);
        match passed.filter(|mark| !mark.is_void).find(|mark| mark.partition == partition) {
            Some(mark) => mark.next = next,
            None => self.marks.push_back(Mark { len: 0, partition, next, is_void: false }),
        }
    }

    /// Bytes that are to be written.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.unwritten
    }

    /// So many of them have been written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.unwritten.advance(bytes);
        self.written += bytes as u64;
    }

    /// The first of what is there when so many bytes have been taken in all, if that covers it.
    pub(super) fn next_taken(&mut self, taken_bytes: u64) -> Option<Taken> {
        loop {
            let mark = *self.marks.front()?;
            if self.taken + mark.len > taken_bytes {
                return None;
            }
            self.marks.pop_front();
            self.taken += mark.len;
            if !mark.is_void {
                let Mark { len, partition, next, .. } = mark;
                return Some(Taken { partition, next, is_line: len > 0 });
            }
        }
    }

    /// Whether everything has been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Takes back the lines of some partitions that are not written, not even in part. Gives how
    /// many lines that are.
    pub(super) fn take_back(&mut self, partitions: &[i32]) -> u64 {
        self.sift(|mark, is_begun| is_begun || !partitions.contains(&mark.partition))
    }

    /// Whether lines of these partitions have been written and not taken.
    pub(super) fn has_any(&self, partitions: &[i32]) -> bool {
        self.marks.iter().any(|mark| !mark.is_void && partitions.contains(&mark.partition))
    }

    /// What is left of some partitions is of no account from now on.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        for mark in &mut self.marks {
            mark.is_void |= partitions.contains(&mark.partition);
        }
    }

    /// Takes back everything but a line that is written in part. Gives how many lines that are.
    pub(super) fn cut(&mut self) -> u64 {
        self.sift(|_, is_begun| is_begun)
    }

    /// Keeps what is to be kept of what has been written in part, or not at all.
    fn sift(&mut self, keep: impl Fn(&Mark, bool) -> bool) -> u64 {
        let mut rest = self.unwritten.split();
        let (mut start, mut dropped) = (self.taken, 0);
        for mark in std::mem::take(&mut self.marks) {
            let (end, is_begun) = (start + mark.len, start < self.written);
            let line = rest.split_to(end.saturating_sub(start.max(self.written)) as usize);
            start = end;
            if keep(&mark, is_begun) {
                self.unwritten.unsplit(line);
                self.marks.push_back(mark);
            } else {
                dropped += u64::from(mark.len > 0);
            }
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(lines: &[(i32, i64, &str)]) -> Outbox {
        let mut outbox = Outbox::default();
        for &(partition, next, line) in lines {
            outbox.push(partition, next, |bytes| bytes.extend_from_slice(line.as_bytes()));
        }
        outbox
    }

    fn taken(outbox: &mut Outbox, bytes: u64) -> Vec<(i32, i64)> {
        let next = || outbox.next_taken(bytes).map(|taken| (taken.partition, taken.next));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_line_is_taken_with_its_last_byte() {
        let mut outbox = outbox(&[(0, 1, "aaaa"), (1, 8, "bb"), (0, 2, "c")]);
        assert_eq!(outbox.unwritten(), b"aaaabbc");
        outbox.wrote(7);
        assert_eq!(taken(&mut outbox, 3), []);
        assert_eq!(taken(&mut outbox, 6), [(0, 1), (1, 8)]);
        assert!(!outbox.is_empty());
        assert_eq!(taken(&mut outbox, 7), [(0, 2)]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_passed_over_counts_when_the_lines_before_it_are_taken() {
        let mut outbox = outbox(&[(0, 1, "aaaa")]);
        for next in 2..1000 {
            outbox.pass(0, next);
            outbox.pass(1, next);
        }
        assert_eq!(outbox.marks.len(), 3);
        assert_eq!(taken(&mut outbox, 3), []);
        assert_eq!(taken(&mut outbox, 4), [(0, 1), (0, 999), (1, 999)]);
    }

    #[test]
    fn lines_of_partitions_that_are_gone_are_not_written_unless_begun() {
        let mut outbox = outbox(&[(0, 1, "aaa"), (1, 1, "bbb"), (1, 2, "ccc"), (0, 2, "ddd")]);
        outbox.pass(1, 9);
        outbox.wrote(4);
        assert_eq!(outbox.take_back(&[1]), 1);
        assert!(outbox.has_any(&[1]));
        outbox.forget(&[1]);
        assert!(!outbox.has_any(&[1]));
        assert_eq!(outbox.unwritten(), b"bbddd");
        outbox.wrote(5);
        assert_eq!(taken(&mut outbox, 9), [(0, 1), (0, 2)]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_partition_that_comes_back_begins_anew() {
        let mut outbox = outbox(&[(0, 1, "aaa")]);
        outbox.wrote(3);
        outbox.forget(&[0]);
        outbox.push(0, 1, |bytes| bytes.extend_from_slice(b"aaa"));
        assert_eq!(taken(&mut outbox, 3), []);
        outbox.wrote(3);
        assert_eq!(taken(&mut outbox, 6), [(0, 1)]);
    }

    #[test]
    fn at_the_end_a_line_that_was_begun_is_finished() {
        let mut outbox = outbox(&[(0, 1, "aaa"), (0, 2, "bbb"), (0, 3, "ccc")]);
        outbox.wrote(4);
        assert_eq!(outbox.cut(), 1);
        assert_eq!(outbox.unwritten(), b"bb");
        outbox.wrote(2);
        assert_eq!(taken(&mut outbox, 6), [(0, 1), (0, 2)]);
    }
}
