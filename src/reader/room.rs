//! The room that an answer with several events has.

use parking_lot::Mutex;

/// The room of one answer, shared by all questions for it. Once an event had none, no other has: so
/// what has not been read by then need not be.
pub(super) struct Room(Mutex<State>);

struct State {
    left: usize,
    is_empty: bool,
    is_full: bool,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Room(Mutex::new(State { left: bytes, is_empty: true, is_full: false }))
    }

    /// Takes room for an event, if there is any. The first always has.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let mut state = self.0.lock();
        let fits = !state.is_full && (bytes <= state.left || state.is_empty);
        if fits {
            state.left = state.left.saturating_sub(bytes);
            state.is_empty = false;
        }
        state.is_full |= !fits || state.left == 0;
        fits
    }

    /// Whether no other event has room.
    pub(super) fn is_full(&self) -> bool {
        self.0.lock().is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_left_out_but_never_the_first() {
        let room = Room::new(100);
        assert!(room.take(150));
        assert!(room.is_full());

        let room = Room::new(100);
        assert!(room.take(60));
        assert!(!room.is_full());
        assert!(!room.take(60));
        assert!(room.is_full());
        assert!(!room.take(1), "nothing has room after that");
    }
}
