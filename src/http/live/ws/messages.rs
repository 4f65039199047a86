//! What a client is told.

use axum::body::Bytes;
use serde_json::value::RawValue;

use super::super::super::problem::Problem;
use super::super::frames;
use crate::json;
use crate::live::{Form, Item, Lost};
use crate::position::Position;

/// A message: its beginning, the JSON of what it is about, which may be shared with others, and its
/// end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) head: Vec<u8>,
    pub(super) data: Bytes,
    pub(super) tail: &'static [u8],
}

/// What a subscription brings; nothing for its end, which is the connection's.
pub(super) fn of(name: &str, item: Item, form: Form) -> Option<Outgoing> {
    Some(match item {
        Item::Ready(position) => at(name, "ready", &position),
        Item::Live(message) => {
            event(name, Some(message.position()), frames::shared_data(&message, form))
        }
        Item::Read(read, position) => {
            let mut data = Vec::with_capacity(frames::room(&read, form));
            frames::data(&mut data, &read, form);
            event(name, position.map(|position| position.to_string()).as_deref(), data.into())
        }
        Item::Early(news) => event(name, None, frames::early_data(&news)),
        Item::Beat(position) => at(name, "position", &position),
        Item::Reset(lost, position) => reset(name, lost, &position),
        Item::End(_) => return None,
    })
}

/// The subscription has ended, as was asked.
pub(super) fn unsubscribed(name: &str) -> Outgoing {
    Text::new("unsubscribed").member("subscription", name).end()
}

/// The answer to a ping, with what came with it.
pub(super) fn pong(data: Option<&RawValue>) -> Outgoing {
    let text = Text::new("pong");
    match data {
        Some(data) => text.with("data", Bytes::copy_from_slice(data.get().as_bytes())),
        None => text.end(),
    }
}

/// A message was not taken, or a subscription was not begun.
pub(super) fn error(name: Option<&str>, problem: &Problem) -> Outgoing {
    let mut text = Text::new("error");
    if let Some(name) = name {
        text = text.member("subscription", name);
    }
    text.with("problem", problem.json("").into())
}

fn at(name: &str, op: &str, position: &Position) -> Outgoing {
    let text = Text::new(op).member("subscription", name);
    text.member("position", &position.to_string()).end()
}

fn event(name: &str, position: Option<&str>, data: Bytes) -> Outgoing {
    let mut text = Text::new("event").member("subscription", name);
    if let Some(position) = position {
        text = text.member("position", position);
    }
    text.with("data", data)
}

fn reset(name: &str, lost: Lost, position: &Position) -> Outgoing {
    let text = Text::new("reset").member("subscription", name).member("reason", lost.as_str());
    text.member("position", &position.to_string()).end()
}

/// An object that is being written.
struct Text(Vec<u8>);

impl Text {
    fn new(op: &str) -> Self {
        let mut text = Vec::with_capacity(192);
        text.extend_from_slice(b"{\"op\":");
        json::write_str(&mut text, op);
        Text(text)
    }

    fn name(mut self, name: &str) -> Self {
        self.0.push(b',');
        json::write_str(&mut self.0, name);
        self.0.push(b':');
        self
    }

    fn member(self, name: &str, value: &str) -> Self {
        let mut text = self.name(name);
        json::write_str(&mut text.0, value);
        text
    }

    /// With JSON as its last member.
    fn with(self, name: &str, data: Bytes) -> Outgoing {
        Outgoing { head: self.name(name).0, data, tail: b"}" }
    }

    fn end(self) -> Outgoing {
        Outgoing { head: self.0, data: Bytes::new(), tail: b"}" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Cursor;
    use crate::http::problem::Kind;
    use crate::reader::StoredEvent;

    fn text(message: Outgoing) -> String {
        let Outgoing { mut head, data, tail } = message;
        head.extend_from_slice(&data);
        head.extend_from_slice(tail);
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn each_names_its_subscription_and_its_position() {
        let position = || "0-12,3-42".parse().unwrap();
        let told = |item| text(of("a\"b", item, Form::Notification).unwrap());
        assert_eq!(
            told(Item::Ready(position())),
            r#"{"op":"ready","subscription":"a\"b","position":"0-12,3-42"}"#
        );
        assert_eq!(
            told(Item::Reset(Lost::Removed, position())),
            r#"{"op":"reset","subscription":"a\"b","reason":"removed","position":"0-12,3-42"}"#
        );
        let texts = ["1", "push", "repo", "owner/repo", "application/json"];
        let event = StoredEvent::new(Cursor::new(3, 42).unwrap(), 7, texts, b"{}").unwrap();
        assert_eq!(
            told(Item::Read(event.clone(), Some(position()))),
            r#"{"op":"event","subscription":"a\"b","position":"0-12,3-42","data":{"id":"1","type":"push","source_type":"repo","source_id":"owner/repo","cursor":"3-42"}}"#
        );
        assert_eq!(
            text(of("r", Item::Read(event, None), Form::Event).unwrap()),
            r#"{"op":"event","subscription":"r","data":{"cursor":"3-42","time":"1970-01-01T00:00:00.007Z","event":{}}}"#
        );
        assert_eq!(text(unsubscribed("r")), r#"{"op":"unsubscribed","subscription":"r"}"#);
    }

    #[test]
    fn a_pong_has_what_the_ping_had() {
        let data: Box<RawValue> = serde_json::from_str("[12345678901234567890123]").unwrap();
        assert_eq!(text(pong(Some(&data))), r#"{"op":"pong","data":[12345678901234567890123]}"#);
        assert_eq!(text(pong(None)), r#"{"op":"pong"}"#);
    }

    #[test]
    fn an_error_is_a_problem_without_the_id_of_a_request() {
        let problem = Problem::new(Kind::InvalidRequest, "No.");
        assert_eq!(
            text(error(Some("r"), &problem)),
            r#"{"op":"error","subscription":"r","problem":{"type":"/docs/problems#invalid-request","title":"Invalid request","status":422,"detail":"No."}}"#
        );
        assert!(text(error(None, &problem)).starts_with(r#"{"op":"error","problem":{"#));
    }
}
