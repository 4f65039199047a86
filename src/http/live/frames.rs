//! What a stream's items are as Server-Sent Events.

use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;

use crate::cursor::Cursor;
use crate::json;
use crate::live::{End, Form, Item, Lost, Message, News};
use crate::position::Position;
use crate::reader::StoredEvent;

/// What an event takes beside its own bytes, about.
const FRAME: usize = 256;

/// What is told of an event, as on Redis, and its `source_type`, which is in the channel's name
/// there.
#[derive(Serialize)]
struct Notification<'a> {
    id: &'a str,
    r#type: &'a str,
    source_type: &'a str,
    source_id: &'a str,
    cursor: Cursor,
}

const ID: &[u8] = b"id: ";
const DATA: &[u8] = b"data: ";
const BLOCK_END: &[u8] = b"\n\n";

/// The block of an item.
pub(super) fn of(item: Item, form: Form, retry: Duration) -> Bytes {
    match item {
        Item::Ready(position) => ready(&position, retry),
        Item::Live(message) => shared(&message, form),
        Item::Early(news) => early(&news),
        Item::Read(event, position) => read(&event, position.as_ref(), form),
        // Without data nothing is dispatched, and the client knows the id all the same.
        Item::Beat(position) => format!(":\nid: {position}\n\n").into(),
        Item::Reset(lost, position) => reset(lost, &position),
        Item::End(end) => closed(end),
    }
}

/// The JSON in the block of an event that all who follow it get.
pub(super) fn shared_data(message: &Message, form: Form) -> Bytes {
    let block = shared(message, form);
    let begin = ID.len() + message.position().len() + 1 + DATA.len();
    block.slice(begin..block.len() - BLOCK_END.len())
}

/// Made once for all of them.
fn shared(message: &Message, form: Form) -> Bytes {
    message.shared(form, |event, position| block(event, Some(position), form))
}

fn ready(position: &Position, retry: Duration) -> Bytes {
    let retry = retry.as_millis();
    let data = format!(r#"{{"position":"{position}"}}"#);
    format!("retry: {retry}\nid: {position}\nevent: ready\ndata: {data}\n\n").into()
}

fn read(event: &StoredEvent, position: Option<&Position>, form: Form) -> Bytes {
    block(event, position.map(Position::to_string).as_deref(), form)
}

fn block(event: &StoredEvent, position: Option<&str>, form: Form) -> Bytes {
    let mut out = Vec::with_capacity(room(event, form));
    if let Some(position) = position {
        out.extend_from_slice(ID);
        out.extend_from_slice(position.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(DATA);
    data(&mut out, event, form);
    out.extend_from_slice(BLOCK_END);
    out.into()
}

/// The JSON in the block of what is early.
pub(super) fn early_data(news: &News) -> Bytes {
    let block = early(news);
    block.slice(DATA.len()..block.len() - BLOCK_END.len())
}

/// Without an id: a client that comes again is to begin where the log has confirmed what came. Made
/// once for all who are told.
fn early(news: &News) -> Bytes {
    news.shared(early_block)
}

fn early_block(news: &News) -> Bytes {
    let mut out = Vec::with_capacity(FRAME);
    out.extend_from_slice(DATA);
    let notification = Notification {
        id: news.id(),
        r#type: news.kind(),
        source_type: news.source_type(),
        source_id: news.source_id(),
        cursor: news.cursor(),
    };
    // Text into memory does not fail.
    let _ = serde_json::to_writer(&mut out, &notification);
    out.extend_from_slice(BLOCK_END);
    out.into()
}

fn reset(lost: Lost, position: &Position) -> Bytes {
    let reason = lost.as_str();
    let data = format!(r#"{{"reason":"{reason}","position":"{position}"}}"#);
    format!("id: {position}\nevent: reset\ndata: {data}\n\n").into()
}

fn closed(end: End) -> Bytes {
    let reason = end.as_str();
    format!("event: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n").into()
}

/// The JSON of an event.
pub(super) fn data(out: &mut Vec<u8>, event: &StoredEvent, form: Form) {
    match form {
        Form::Notification => notification(out, event),
        Form::Event => {
            json::write_event_object(out, event.cursor(), event.time(), &event.value());
        }
    }
}

fn notification(out: &mut Vec<u8>, event: &StoredEvent) {
    let notification = Notification {
        id: event.id(),
        r#type: event.kind(),
        source_type: event.source_type(),
        source_id: event.source_id(),
        cursor: event.cursor(),
    };
    // Text into memory does not fail.
    let _ = serde_json::to_writer(out, &notification);
}

/// About as many bytes as that takes.
pub(super) fn room(event: &StoredEvent, form: Form) -> usize {
    match form {
        Form::Notification => FRAME,
        Form::Event => FRAME + event.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: &[u8]) -> StoredEvent {
        let texts = ["id\n1", "push", "repo", "owner/repo", "application/json"];
        StoredEvent::new(Cursor::new(3, 42).unwrap(), 7, texts, value).unwrap()
    }

    fn text(item: Item, form: Form) -> String {
        String::from_utf8(of(item, form, Duration::from_secs(2)).to_vec()).unwrap()
    }

    fn position() -> Position {
        "0-12,3-42".parse().unwrap()
    }

    #[test]
    fn the_first_block_says_from_where_on_and_when_to_come_again() {
        let block = text(Item::Ready(Position::beginning()), Form::Event);
        let expected = "retry: 2000\nid: beginning\nevent: ready\n\
                        data: {\"position\":\"beginning\"}\n\n";
        assert_eq!(block, expected);
    }

    #[test]
    fn an_event_is_its_identifiers_or_itself_on_one_line() {
        let item = || Item::Read(event(b"{\r\n\"a\": \"\\n\"}"), Some(position()));
        assert_eq!(
            text(item(), Form::Notification),
            "id: 0-12,3-42\ndata: {\"id\":\"id\\n1\",\"type\":\"push\",\"source_type\":\"repo\",\
             \"source_id\":\"owner/repo\",\"cursor\":\"3-42\"}\n\n"
        );
        assert_eq!(
            text(item(), Form::Event),
            "id: 0-12,3-42\ndata: {\"cursor\":\"3-42\",\"time\":\"1970-01-01T00:00:00.007Z\",\
             \"event\":{  \"a\": \"\\n\"}}\n\n"
        );
        let recent = text(Item::Read(event(b"{}"), None), Form::Event);
        assert!(recent.starts_with("data: "), "{recent}");
    }

    #[test]
    fn what_is_no_event_says_why() {
        let block = |item| text(item, Form::Notification);
        assert_eq!(block(Item::Beat(position())), ":\nid: 0-12,3-42\n\n");
        assert_eq!(
            block(Item::Reset(Lost::Removed, position())),
            "id: 0-12,3-42\nevent: reset\n\
             data: {\"reason\":\"removed\",\"position\":\"0-12,3-42\"}\n\n"
        );
        assert_eq!(block(Item::End(End::Slow)), "event: closed\ndata: {\"reason\":\"slow\"}\n\n");
    }
}
