//! The room that an answer with several events has.

use super::{Found, ReadError};

/// How many events are asked for at once while it is not known how large they are, and at the most.
const FIRST_WAVE: usize = 32;
const MOST_OF_A_WAVE: usize = 128;

/// The room of one answer with several events. What is asked for at once depends on how large the
/// events were so far, so that not much more is read than has room.
pub(super) struct Room {
    left: usize,
    found: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Room { left: bytes, found: 0, bytes: 0 }
    }

    /// How many events to ask for next.
    pub(super) fn wave(&self) -> usize {
        if self.left == 0 {
            return 0;
        }
        if self.found == 0 {
            return FIRST_WAVE;
        }
        (self.left / (self.bytes / self.found).max(1)).clamp(1, MOST_OF_A_WAVE)
    }

    /// The answer, if there is room for it. The first event always has.
    pub(super) fn fit(&mut self, answer: Result<Found, ReadError>) -> Result<Found, ReadError> {
        let Ok(Found::Event(event)) = &answer else { return answer };
        if event.len() > self.left && self.found > 0 {
            self.left = 0;
            return Err(ReadError::AnswerFull);
        }
        self.left = self.left.saturating_sub(event.len());
        self.found += 1;
        self.bytes += event.len();
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;
    use crate::kafka::StoredEvent;

    fn found(size: usize) -> Result<Found, ReadError> {
        let cursor = Cursor::new(0, 0).unwrap();
        let value = vec![b'x'; size];
        Ok(Found::Event(StoredEvent::new(cursor, 0, [""; 5], &value).unwrap()))
    }

    #[test]
    fn what_has_no_room_is_left_out_but_never_the_first() {
        let mut room = Room::new(100);
        assert!(room.fit(found(150)).is_ok());
        assert_eq!(room.wave(), 0);

        let mut room = Room::new(100);
        assert!(room.fit(found(60)).is_ok());
        assert_eq!(room.fit(found(60)), Err(ReadError::AnswerFull));
        assert_eq!(room.wave(), 0, "nothing is asked for after that");
        assert_eq!(room.fit(Ok(Found::NotYet)), Ok(Found::NotYet));
    }

    #[test]
    fn as_much_is_asked_for_at_once_as_is_likely_to_have_room() {
        let mut room = Room::new(10_000);
        assert_eq!(room.wave(), FIRST_WAVE);
        let _ = room.fit(found(1_000));
        assert_eq!(room.wave(), 9);
        let mut room = Room::new(10_000_000);
        let _ = room.fit(found(10));
        assert_eq!(room.wave(), MOST_OF_A_WAVE);
    }
}
