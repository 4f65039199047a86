//! The blocks of an event stream, in pieces as they come.

use memchr::memmem;

const END: &[u8] = b"\n\n";

/// What has come of a block that has not ended. The sizes of chunks stand between blocks, so they
/// only add to what is looked through.
#[derive(Default)]
pub struct Blocks {
    begun: Vec<u8>,
}

impl Blocks {
    /// Shows each block that the piece ends.
    pub fn take(&mut self, mut piece: &[u8], mut see: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            let kept = self.begun.len();
            self.begun.extend_from_slice(piece);
            // The end may lie astride.
            let from = kept - 1;
            let Some(end) = memmem::find(&self.begun[from..], END) else { return };
            see(&self.begun[..from + end]);
            piece = &piece[(from + end + END.len()).saturating_sub(kept)..];
            self.begun.clear();
        }
        while let Some(end) = memmem::find(piece, END) {
            see(&piece[..end]);
            piece = &piece[end + END.len()..];
        }
        self.begun.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_however_they_are_cut() {
        let text = b"first\n\nsecond line\nof two\n\n\n\nlast\n\nrest";
        for size in 1..text.len() {
            let mut blocks = Blocks::default();
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                blocks.take(piece, |block| seen.push(block.to_vec()));
            }
            let expected: [&[u8]; 4] = [b"first", b"second line\nof two", b"", b"last"];
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }
}
