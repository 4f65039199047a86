//! Events like those that services send, of a wanted size, with the places of what differs.

use std::ops::Range;

/// How many sources the events belong to.
pub const SOURCES: u64 = 1000;

const ID: &str = r#""id":"018f3a5c-7b2e-7000-8000-000000000000","#;
/// The last group of the id.
const ID_DIGITS: Range<usize> = 31..43;
const REST: &str = r#""type":"add","source_type":"user","source_id":"u-0000""#;
const ITEM: &str = r#"{"sku":"A-1034","name":"Cup, blue, 0.3 l","quantity":2,"price":18.50}"#;

/// An event, and where in it the digits are that are different in each.
pub struct Template {
    pub json: String,
    pub id_digits: Option<Range<usize>>,
    pub source_digits: Range<usize>,
}

impl Template {
    /// An event of about `size` bytes, of 100 at the least.
    pub fn new(size: usize, with_id: bool) -> Self {
        let id = if with_id { ID } else { "" };
        let mut json = format!("{{{id}{REST}");
        let source_end = json.len() - 1;
        pad(&mut json, size);
        json.push('}');
        Template {
            json,
            id_digits: with_id.then_some(ID_DIGITS),
            source_digits: source_end - 4..source_end,
        }
    }
}

/// Fills up with items, and with a text for what is left.
fn pad(json: &mut String, size: usize) {
    const FRAME: usize = r#","data":{"items":[],"note":""}}"#.len();
    if json.len() + FRAME > size {
        return;
    }
    let room = size - json.len() - FRAME;
    let count = room / (ITEM.len() + 1);
    let items = vec![ITEM; count].join(",");
    let note = "n".repeat(room.saturating_sub(items.len()));
    json.push_str(&format!(r#","data":{{"items":[{items}],"note":"{note}"}}"#));
}

/// Writes a number into digits, from the right, with zeros in front.
pub fn write_digits(digits: &mut [u8], mut number: u64, base: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn events_are_json_of_the_wanted_size() {
        for size in [100, 200, 500, 10_000, 100_000] {
            let template = Template::new(size, true);
            serde_json::from_str::<Value>(&template.json).unwrap();
            assert_eq!(template.json.len(), size);
        }
    }

    #[test]
    fn digits_are_written_where_they_belong() {
        let template = Template::new(500, true);
        let mut bytes = template.json.into_bytes();
        write_digits(&mut bytes[template.id_digits.unwrap()], 0xabc, 16);
        write_digits(&mut bytes[template.source_digits], 27, 10);
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(event["id"], "018f3a5c-7b2e-7000-8000-000000000abc");
        assert_eq!(event["source_id"], "u-0027");
    }

    #[test]
    fn an_event_without_an_id_has_none() {
        let template = Template::new(500, false);
        let event: Value = serde_json::from_str(&template.json).unwrap();
        assert!(event.get("id").is_none());
        assert_eq!(&template.json[template.source_digits], "0000");
    }
}
