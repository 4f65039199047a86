//! Events for tests.

use std::sync::Arc;

use super::message::Message;
use super::news::{News, Place};
use crate::cursor::Cursor;
use crate::kafka::StoredEvent;
use crate::metrics::Gauge;

pub(super) fn event(partition: i32, offset: i64, source: [&str; 2], kind: &str) -> StoredEvent {
    let cursor = Cursor::new(partition, offset).unwrap();
    let texts = ["id", kind, source[0], source[1], "application/json"];
    StoredEvent::new(cursor, 0, texts, b"{}").unwrap()
}

pub(super) fn message(partition: i32, offset: i64, bytes: usize) -> Arc<Message> {
    let cursor = Cursor::new(partition, offset).unwrap();
    let value = vec![b' '; bytes];
    let texts = ["id", "t", "s", "i", "application/json"];
    let event = StoredEvent::new(cursor, 0, texts, &value).unwrap();
    Arc::new(Message::new(event, cursor.to_string(), &Gauge::default()))
}

pub(super) fn news(partition: i32, offset: i64) -> Arc<News> {
    let cursor = Cursor::new(partition, offset).unwrap();
    let place = Place { mark: 0, channel: 0, epoch: 0 };
    Arc::new(News::new(cursor, ["id", "t", "s", "i"], place, &Gauge::default()))
}
