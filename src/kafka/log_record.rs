//! What counts as an event in the log. Other programs may write to the topic, too, and compaction
//! leaves tombstones.

use rdkafka::message::{Headers, Message};

use super::candidate::{Candidate, is_json};
use super::record::header;
use super::stored::StoredEvent;
use crate::cursor::Cursor;
use crate::event::{Selection, Source};

/// What an event without a media type is taken for.
const UNKNOWN_CONTENT: &str = "application/octet-stream";

/// A record of the log that is an event, as far as can be told without a look at its value: it has
/// a key and a value, and headers that say what it is, all of them UTF-8.
pub(super) struct LogRecord<'m> {
    cursor: Cursor,
    time: i64,
    id: &'m str,
    kind: &'m str,
    source_type: &'m str,
    source_id: &'m str,
    content_type: &'m str,
    value: &'m [u8],
}

impl<'m> LogRecord<'m> {
    /// The event in a record. None when there is none.
    pub(super) fn of(message: &'m impl Message) -> Option<Self> {
        let value = message.payload()?;
        let headers = message.headers()?;
        let (mut id, mut kind, mut source_type, mut content_type) = (None, None, None, None);
        for header in headers.iter() {
            let place = match header.key {
                header::ID => &mut id,
                header::TYPE => &mut kind,
                header::SOURCE_TYPE => &mut source_type,
                header::CONTENT_TYPE => &mut content_type,
                _ => continue,
            };
            // Of a name that comes twice the first one counts.
            *place = place.or(text(header.value));
        }
        Some(LogRecord {
            cursor: Cursor::new(message.partition(), message.offset())?,
            time: message.timestamp().to_millis().unwrap_or_default(),
            id: id?,
            kind: kind?,
            source_type: source_type?,
            source_id: text(message.key())?,
            content_type: content_type.unwrap_or(UNKNOWN_CONTENT),
            value,
        })
    }

    /// Whether it is an event of this source.
    pub(super) fn is_of(&self, source: &Source) -> bool {
        self.source_id == source.id() && self.source_type == source.kind()
    }

    /// Whether it is one of these events.
    pub(super) fn is_among(&self, selection: &Selection) -> bool {
        selection.takes(self.source_type, self.source_id, self.kind)
    }

    /// A copy to keep, if the value is JSON: what is not has no place in an answer, and is no event.
    pub(super) fn event(&self) -> Option<StoredEvent> {
        if is_json(self.value) { self.store() } else { None }
    }

    /// The same, with the value left to be looked at.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        self.store().map(Candidate::new)
    }

    fn store(&self) -> Option<StoredEvent> {
        let texts = [self.id, self.kind, self.source_type, self.source_id, self.content_type];
        StoredEvent::new(self.cursor, self.time, texts, self.value)
    }
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage, Timestamp};

    use super::*;

    const NAMES: [&str; 3] = [header::ID, header::TYPE, header::SOURCE_TYPE];

    fn record(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]) -> OwnedMessage {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, &(key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        let time = Timestamp::CreateTime(7);
        OwnedMessage::new(value, key, "events".to_owned(), time, 3, 42, Some(headers))
    }

    fn ours() -> Vec<(&'static str, &'static [u8])> {
        NAMES.into_iter().map(|name| (name, b"x".as_slice())).collect()
    }

    #[test]
    fn what_the_service_writes_is_an_event() {
        let mut headers = ours();
        headers.push((header::CONTENT_TYPE, b"application/json"));
        headers.push((header::ID, b"a second one"));
        let message = record(Some(b"owner/repo"), Some(b"{}"), &headers);
        let record = LogRecord::of(&message).unwrap();
        assert!(record.is_of(&Source::new("x", "owner/repo").unwrap()));
        assert!(!record.is_of(&Source::new("y", "owner/repo").unwrap()));

        let stored = record.event().unwrap();
        assert_eq!((stored.cursor().to_string(), stored.time()), ("3-42".to_owned(), 7));
        assert_eq!([stored.id(), stored.kind(), stored.source_type()], ["x", "x", "x"]);
        assert_eq!([stored.source_id(), stored.content_type()], ["owner/repo", "application/json"]);
        assert_eq!(stored.value(), "{}");
    }

    #[test]
    fn anything_else_is_none() {
        for missing in NAMES {
            let headers: Vec<_> = ours().into_iter().filter(|(name, _)| *name != missing).collect();
            assert!(LogRecord::of(&record(Some(b"k"), Some(b"{}"), &headers)).is_none());
        }
        assert!(LogRecord::of(&record(None, Some(b"{}"), &ours())).is_none());
        assert!(LogRecord::of(&record(Some(b"\xff"), Some(b"{}"), &ours())).is_none());
        assert!(LogRecord::of(&record(Some(b"k"), None, &ours())).is_none());
        let mut headers = ours();
        headers[0].1 = b"\xff";
        assert!(LogRecord::of(&record(Some(b"k"), Some(b"{}"), &headers)).is_none());
    }

    #[test]
    fn what_is_no_json_may_be_kept_and_is_no_event() {
        for value in [b"".as_slice(), b"{", b"{} {}", b"\"\xff\"", b"avro"] {
            let message = record(Some(b"k"), Some(value), &ours());
            let record = LogRecord::of(&message).unwrap();
            assert!(record.event().is_none(), "{value:?}");
            let candidate = record.candidate().unwrap();
            assert!(candidate.event().is_none(), "{value:?}");
            assert_eq!(candidate.unchecked().content_type(), "application/octet-stream");
        }
    }
}
