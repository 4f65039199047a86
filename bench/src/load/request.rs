//! A request that is written once and has only its ids and sources changed from then on.

use std::ops::Range;

use super::event::{SOURCES, Template, write_digits};
use crate::work::Shape;

/// The requests of one connection.
pub struct Requests {
    bytes: Vec<u8>,
    places: Vec<Places>,
    /// Unique among all connections; its high bits are the connection's number.
    next_id: u64,
}

struct Places {
    id: Option<Range<usize>>,
    source: Range<usize>,
}

impl Requests {
    pub fn new(shape: Shape, host: &str, connection: usize) -> Self {
        let template = Template::new(shape.payload, shape.ids);
        let (body, offsets) = match shape.batch {
            None => (template.json.clone(), vec![0]),
            Some(events) => array(&template.json, events),
        };
        let path = if shape.batch.is_some() { "/events/batch" } else { "/events" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let moved = |range: &Range<usize>, by| range.start + by..range.end + by;
        let places = offsets.into_iter().map(|offset| Places {
            id: template.id_digits.as_ref().map(|digits| moved(digits, head.len() + offset)),
            source: moved(&template.source_digits, head.len() + offset),
        });
        let places = places.collect();
        Requests {
            bytes: [head, body].concat().into_bytes(),
            places,
            next_id: (connection as u64) << 36,
        }
    }

    /// The next request, with ids that none had before it.
    pub fn next(&mut self) -> &[u8] {
        for places in &self.places {
            if let Some(id) = &places.id {
                write_digits(&mut self.bytes[id.clone()], self.next_id, 16);
            }
            // A prime apart, so that connections are not in step.
            let source = (self.next_id + (self.next_id >> 36) * 7) % SOURCES;
            write_digits(&mut self.bytes[places.source.clone()], source, 10);
            self.next_id += 1;
        }
        &self.bytes
    }
}

fn array(event: &str, count: usize) -> (String, Vec<usize>) {
    let offsets = (0..count).map(|index| 1 + index * (event.len() + 1)).collect();
    (format!("[{}]", vec![event; count].join(",")), offsets)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn events(request: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(request).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn no_two_events_have_the_same_id() {
        let shape = Shape { batch: Some(10), payload: 200, ids: true };
        let mut seen = HashSet::new();
        for connection in 0..3 {
            let mut requests = Requests::new(shape, "host", connection);
            for _ in 0..3 {
                for event in events(requests.next()) {
                    assert!(seen.insert(event["id"].as_str().unwrap().to_owned()));
                }
            }
        }
        assert_eq!(seen.len(), 90);
    }
}
