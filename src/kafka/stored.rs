//! An event as it comes back from Kafka.

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::kept::keeping;

/// One event of the log. Cheap to clone: its bytes are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    cursor: Cursor,
    time: i64,
    /// id, type, source type, source id, media type, value, one behind the other.
    bytes: Bytes,
    /// Where each of the first five ends.
    ends: [u32; 5],
}

impl StoredEvent {
    /// An event at a cursor, with its record's timestamp. `texts` are its id, type, source type,
    /// source id and media type. None when they are too long to be those of an event.
    pub(crate) fn new(cursor: Cursor, time: i64, texts: [&str; 5], value: &[u8]) -> Option<Self> {
        let len = texts.iter().map(|text| text.len()).sum::<usize>() + value.len();
        let mut bytes = Vec::with_capacity(len);
        let mut ends = [0; 5];
        for (end, text) in ends.iter_mut().zip(texts) {
            bytes.extend_from_slice(text.as_bytes());
            *end = u32::try_from(bytes.len()).ok()?;
        }
        bytes.extend_from_slice(value);
        Some(StoredEvent { cursor, time, bytes: bytes.into(), ends })
    }

    /// The same, which keeps something alive until the last of its bytes is gone.
    pub(crate) fn keeping(mut self, kept: impl Send + 'static) -> Self {
        self.bytes = keeping(self.bytes, kept);
        self
    }

    /// The same without its value.
    pub(crate) fn without_value(mut self) -> Self {
        self.bytes = Bytes::copy_from_slice(&self.bytes[..self.ends[4] as usize]);
        self
    }

    /// Where it lies.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The record's timestamp, the time of ingest, in milliseconds since 1970.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        self.text(0)
    }

    /// The event's `type`.
    pub fn kind(&self) -> &str {
        self.text(1)
    }

    /// The event's `source_type`.
    pub fn source_type(&self) -> &str {
        self.text(2)
    }

    /// The event's `source_id`.
    pub fn source_id(&self) -> &str {
        self.text(3)
    }

    /// The media type of the value.
    pub fn content_type(&self) -> &str {
        self.text(4)
    }

    /// The event's bytes as they were posted.
    pub fn value(&self) -> Bytes {
        self.bytes.slice(self.ends[4] as usize..)
    }

    /// Bytes that it holds in memory, apart from its own size.
    #[expect(clippy::len_without_is_empty, reason = "no event is empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn text(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        std::str::from_utf8(&self.bytes[start..self.ends[index] as usize]).unwrap_or_default()
    }
}
