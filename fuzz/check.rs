//! What must hold for any body whatever; shared by the fuzz target and the tests.
//!
//! The reference parses into a tree and holds the rules against that: slow, and
//! by another way than the service.

use std::fmt;

use dual_stream::event::{Event, Limits, Rejection, parse_array, parse_lines, parse_one};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Small, so that short inputs reach them.
const LIMITS: Limits = Limits { max_event: 2_000, max_batch: 8 };

/// Bytes that an `id` put in may add to an event.
const MOST_ADDED: usize = 60;

/// Bytes of the longest detail a fault may have.
const LONGEST_DETAIL: usize = 250;

/// Parses `body` as each of the three forms and panics when an answer is wrong.
pub(crate) fn check(body: &[u8]) {
    check_one(body);
    check_batch(body, parse_array(body, &LIMITS), array_values(body));
    check_batch(body, parse_lines(body, &LIMITS), lines_values(body));
}

fn check_one(body: &[u8]) {
    let result = parse_one(body, &LIMITS);
    if let Some(expected) = accepts(body) {
        assert_eq!(result.is_ok(), expected, "{result:?}");
    }
    match result {
        Ok(event) => check_event(&event, body.trim_ascii()),
        Err(rejection) => check_rejection(&rejection),
    }
}

fn check_batch(body: &[u8], result: Result<Vec<Event<'_>>, Rejection>, values: Option<Vec<&[u8]>>) {
    if let Some(expected) = accepts_all(values.as_deref()) {
        assert_eq!(result.is_ok(), expected, "{result:?}");
    }
    match result {
        Ok(events) => {
            let values = values.unwrap_or_default();
            assert_eq!(events.len(), values.len());
            for (event, value) in events.iter().zip(values) {
                check_event(event, value.trim_ascii());
            }
            let bytes: usize = events.iter().map(|event| event.json().len()).sum();
            assert!(bytes <= body.len() + MOST_ADDED * events.len());
        }
        Err(rejection) => check_rejection(&rejection),
    }
}

/// The event is what was posted, byte for byte, but for an `id` in front.
fn check_event(event: &Event<'_>, posted: &[u8]) {
    let json = event.json();
    assert!(json.len() <= posted.len() + MOST_ADDED);
    assert!(serde_json::from_slice::<IgnoredAny>(json).is_ok());
    if json != posted {
        let spliced = [b"{\"id\":\"", event.id().as_bytes(), b"\",", &posted[1..]].concat();
        assert_eq!(json, spliced);
    }
    if let Ok(Pairs(members)) = serde_json::from_slice(json) {
        assert_eq!(only(&members, "id"), Some(event.id()));
        assert_eq!(only(&members, "type"), Some(event.kind()));
        assert_eq!(only(&members, "source_type"), Some(event.source_type()));
        assert_eq!(only(&members, "source_id"), Some(event.source_id()));
    }
}

fn check_rejection(rejection: &Rejection) {
    assert!((1..=100).contains(&rejection.faults.len()));
    assert!(rejection.omitted == 0 || rejection.faults.len() == 100);
    for fault in &rejection.faults {
        assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'));
        assert!(fault.detail.len() <= LONGEST_DETAIL, "{fault}");
    }
}

/// Whether `json` is an event, or `None` where the reference cannot tell: the
/// tree holds neither numbers out of range nor deep nesting, but events may.
fn accepts(json: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<Pairs>(json) {
        Ok(Pairs(members)) => {
            Some(keeps_rules(&members) && json.trim_ascii().len() <= LIMITS.max_event)
        }
        Err(error) => {
            let error = error.to_string();
            let beyond = error.contains("out of range") || error.contains("recursion limit");
            (!beyond).then_some(false)
        }
    }
}

fn accepts_all(values: Option<&[&[u8]]>) -> Option<bool> {
    let Some(values) = values else {
        return Some(false);
    };
    if values.is_empty() || values.len() > LIMITS.max_batch {
        return Some(false);
    }
    let verdicts: Vec<_> = values.iter().map(|value| accepts(value)).collect();
    match verdicts.contains(&Some(false)) {
        true => Some(false),
        false => (!verdicts.contains(&None)).then_some(true),
    }
}

fn array_values(body: &[u8]) -> Option<Vec<&[u8]>> {
    let values: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    Some(values.iter().map(|value| value.get().as_bytes()).collect())
}

fn lines_values(body: &[u8]) -> Option<Vec<&[u8]>> {
    let blank = |line: &&[u8]| line.iter().all(|byte| b" \t\r".contains(byte));
    let lines = body.split(|&byte| byte == b'\n');
    Some(lines.filter(|line| !blank(line)).collect())
}

fn keeps_rules(members: &[(String, Value)]) -> bool {
    let id = match members.iter().any(|(name, _)| name == "id") {
        true => only(members, "id").is_some_and(is_label),
        false => true,
    };
    id && only(members, "type").is_some_and(is_label)
        && only(members, "source_type").is_some_and(is_source_type)
        && only(members, "source_id").is_some_and(is_source_id)
}

fn is_label(value: &str) -> bool {
    (1..=128).contains(&value.chars().count()) && !value.contains(char::is_control)
}

fn is_source_type(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&value.len()) && value.bytes().all(plain)
}

fn is_source_id(value: &str) -> bool {
    (1..=256).contains(&value.len()) && !value.contains(char::is_control)
}

/// The string that is the one member called `name`.
fn only<'m>(members: &'m [(String, Value)], name: &str) -> Option<&'m str> {
    let mut named = members.iter().filter(|(found, _)| found == name);
    let (_, value) = named.next()?;
    match named.next() {
        None => value.as_str(),
        Some(_) => None,
    }
}

/// The members of an object, repeated ones included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Pairs(members))
    }
}
