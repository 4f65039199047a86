//! A body that comes in pieces, copied: a piece would keep the buffer alive that it was read into,
//! however small it is itself.

use axum::body::Bytes;

/// What has come of a body, one piece behind the other.
#[derive(Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
}

impl Pieces {
    /// Takes the memory for as many bytes, and no more. Growing by itself it would take up to
    /// twice the room that is held for it.
    pub(super) fn make_room(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes.saturating_sub(self.bytes.len()));
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The body, without the memory that it grew to and did not need: it may be kept for as long
    /// as Kafka takes, and counts by its length.
    pub(super) fn into_bytes(self) -> Bytes {
        self.fitted().into()
    }

    fn fitted(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: &[u8] = &[b'x'; 10_000];

    fn grown() -> Pieces {
        let mut pieces = Pieces::default();
        (0..7).for_each(|_| pieces.push(PIECE));
        pieces
    }

    #[test]
    fn a_body_with_room_takes_no_more_memory_than_that() {
        let mut pieces = grown();
        pieces.make_room(200_000);
        (7..20).for_each(|_| pieces.push(PIECE));
        assert_eq!((pieces.len(), pieces.bytes.capacity()), (200_000, 200_000));
        pieces.make_room(300_000);
        assert_eq!(pieces.bytes.capacity(), 300_000);
    }

    #[test]
    fn a_body_that_is_kept_takes_no_more_memory_than_it_is_long() {
        assert!(grown().bytes.capacity() > 70_000);
        assert_eq!(grown().fitted().capacity(), 70_000);
    }
}
