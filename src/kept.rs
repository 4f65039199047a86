//! Bytes that keep something alive for as long as they are: what counts them, most often.

use bytes::Bytes;

struct Kept<B, K> {
    bytes: B,
    _kept: K,
}

impl<B: AsRef<[u8]>, K> AsRef<[u8]> for Kept<B, K> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// The same bytes, which keep something alive until the last of them is gone.
pub fn keeping<B, K>(bytes: B, kept: K) -> Bytes
where
    B: AsRef<[u8]> + Send + 'static,
    K: Send + 'static,
{
    Bytes::from_owner(Kept { bytes, _kept: kept })
}
