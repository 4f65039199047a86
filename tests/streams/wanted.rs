//! What a reader follows.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::log::Record;

/// What is followed. Without any source or type: everything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Single sources, by type and id.
    pub sources: Vec<(String, String)>,
    /// Whole types of sources.
    pub source_types: Vec<String>,
    /// Only these types of events, if any are named.
    pub kinds: Vec<&'static str>,
    /// The events themselves.
    pub is_whole: bool,
}

impl Wanted {
    pub fn everything() -> Self {
        Wanted::default()
    }

    pub fn source(source_type: &str, source_id: &str) -> Self {
        Self::sources(source_type, &[source_id])
    }

    pub fn sources(source_type: &str, source_ids: &[&str]) -> Self {
        let source = |id: &&str| (source_type.to_owned(), (*id).to_owned());
        Wanted { sources: source_ids.iter().map(source).collect(), ..Wanted::default() }
    }

    pub fn all_of(source_type: &str) -> Self {
        Wanted { source_types: vec![source_type.to_owned()], ..Wanted::default() }
    }

    pub fn whole(self) -> Self {
        Wanted { is_whole: true, ..self }
    }

    pub fn only(self, kind: &'static str) -> Self {
        Wanted { kinds: vec![kind], ..self }
    }

    /// Whether a record is to come.
    pub fn takes(&self, record: &Record) -> bool {
        let is_everything = self.sources.is_empty() && self.source_types.is_empty();
        let of_type = |source_type: &String| **source_type == *record.source_type;
        let is_source = |(source_type, id): &(String, String)| {
            **source_type == *record.source_type && **id == *record.source_id
        };
        let is_named = self.source_types.iter().any(of_type) || self.sources.iter().any(is_source);
        let is_kind = self.kinds.is_empty() || self.kinds.contains(&&*record.kind);
        (is_everything || is_named) && is_kind
    }

    /// The stream's address, to which more can be added.
    pub fn path(&self) -> String {
        let mut path = "/events/stream?".to_owned();
        for (source_type, id) in &self.sources {
            let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
            path += &format!("source_type={source_type}&source_id={id}&");
        }
        for source_type in &self.source_types {
            path += &format!("source_type={source_type}&");
        }
        if !self.kinds.is_empty() {
            path += &format!("types={}&", self.kinds.join(","));
        }
        if self.is_whole {
            path += "include=event&";
        }
        path
    }

    /// What is said of it over a WebSocket, to which more can be added.
    pub fn message(&self) -> Value {
        let source = |(source_type, id): &(String, String)| json!({"source_type": source_type, "source_id": id});
        let source_type = |source_type: &String| json!({"source_type": source_type});
        let single = self.sources.iter().map(source);
        let sources: Vec<_> = single.chain(self.source_types.iter().map(source_type)).collect();
        let mut message = json!({});
        if !sources.is_empty() {
            message["sources"] = json!(sources);
        }
        if !self.kinds.is_empty() {
            message["types"] = json!(self.kinds);
        }
        if self.is_whole {
            message["include"] = json!("event");
        }
        message
    }
}
