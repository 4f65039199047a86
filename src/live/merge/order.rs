//! Keeps news in order: whoever is told of an event before an earlier one of the same channel would
//! have both in the wrong order.

use std::collections::HashMap;

use super::super::news::Place;
use crate::cursor::Cursor;

/// What is known of each channel in each partition. An instance announces in the order of the log,
/// so whoever has had everything that was announced before, and missed nothing, has had everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    epoch: u64,
    /// The last event that was announced and is left to the tail, for one reason or another. Those
    /// behind it wait for it.
    left: HashMap<(u64, i32), i64>,
}

impl Order {
    /// Something that was announced may have been missed.
    pub(super) fn lose(&mut self) {
        self.left.clear();
    }

    /// Whether what was announced comes next, where everything below `next` was had. It does not
    /// when there is no room for it.
    pub(super) fn is_next(
        &mut self,
        cursor: Cursor,
        place: Place,
        next: i64,
        has_room: bool,
    ) -> bool {
        if place.epoch != self.epoch {
            self.epoch = place.epoch;
            self.lose();
        }
        let key = (place.channel, cursor.partition());
        match self.left.get_mut(&key) {
            Some(left) if *left < next && has_room => true,
            Some(left) => {
                *left = cursor.offset().max(*left);
                false
            }
            // The first one: nobody knows what was announced before.
            None => {
                self.left.insert(key, cursor.offset());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { mark: 0, channel: 7, epoch: 0 };

    fn cursor(offset: i64) -> Cursor {
        Cursor::new(0, offset).unwrap()
    }

    #[test]
    fn the_first_of_a_channel_is_left_to_the_tail_and_those_that_come_before_it_is_had() {
        let mut order = Order::default();
        let mut is_next = |offset, next| order.is_next(cursor(offset), PLACE, next, true);
        assert!(!is_next(5, 3));
        assert!(!is_next(8, 5));
        assert!(!is_next(9, 6));
        assert!(is_next(12, 10));
        assert!(is_next(13, 10));
    }

    #[test]
    fn channels_are_known_one_by_one_and_anew_after_a_loss() {
        let mut order = Order::default();
        let other = Place { channel: 8, ..PLACE };
        let later = Place { epoch: 1, ..PLACE };
        assert!(!order.is_next(cursor(5), PLACE, 0, true));
        assert!(order.is_next(cursor(7), PLACE, 6, true));
        assert!(!order.is_next(cursor(8), other, 6, true));
        assert!(!order.is_next(cursor(9), later, 9, true));
        assert!(order.is_next(cursor(11), later, 10, true));
        order.lose();
        assert!(!order.is_next(cursor(12), later, 12, true));
    }

    #[test]
    fn one_without_room_has_those_behind_it_wait() {
        let mut order = Order::default();
        assert!(!order.is_next(cursor(1), PLACE, 0, true));
        assert!(!order.is_next(cursor(3), PLACE, 2, false));
        assert!(!order.is_next(cursor(4), PLACE, 2, true));
        assert!(order.is_next(cursor(6), PLACE, 5, true));
    }
}
