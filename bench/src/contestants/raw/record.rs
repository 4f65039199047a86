//! The records: events with a new id each, and the service's key and headers.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;

use crate::load::{SOURCES, Template, write_digits};
use crate::work::Shape;

/// One event after the other in the same memory.
pub struct Event {
    json: Vec<u8>,
    template: Template,
    number: u64,
}

impl Event {
    pub fn new(shape: Shape) -> Self {
        let template = Template::new(shape.payload, true);
        Event { json: template.json.clone().into_bytes(), template, number: 0 }
    }

    /// The next one, of the next of a thousand sources.
    pub(super) fn next(&mut self) {
        self.next_of(SOURCES);
    }

    /// The next one, of the next of so many sources.
    pub fn next_of(&mut self, sources: u64) {
        self.number += 1;
        let id = self.template.id_digits.clone().unwrap_or_default();
        write_digits(&mut self.json[id], self.number, 16);
        let source = self.template.source_digits.clone();
        write_digits(&mut self.json[source], self.number % sources, 10);
    }

    /// With the service's key and headers.
    pub fn record<'a, O: IntoOpaque>(
        &'a self,
        topic: &'a str,
        opaque: O,
    ) -> BaseRecord<'a, [u8], [u8], O> {
        // From the members' first digit on, the template's own text precedes what was written.
        let key = self.template.source_digits.start - 2..self.template.source_digits.end;
        let id = self.template.id_digits.clone().unwrap_or_default();
        let header = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new_with_capacity(4)
            .insert(header("id", &self.json[id.end - 36..id.end]))
            .insert(header("type", b"add"))
            .insert(header("source_type", b"user"))
            .insert(header("content-type", b"application/json"));
        BaseRecord::with_opaque_to(topic, opaque)
            .key(&self.json[key])
            .payload(&self.json[..])
            .headers(headers)
    }
}
