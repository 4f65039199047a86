//! Reading back as clients do: pages followed to their end, lines, several cursors at once.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::{Answer, Client};

/// The address of a source's newest events.
pub fn recent(source_type: &str, source_id: &str) -> String {
    let source_id = utf8_percent_encode(source_id, NON_ALPHANUMERIC);
    format!("/events?source_type={source_type}&source_id={source_id}")
}

/// The address of a source's events behind a position.
pub fn after(source_type: &str, source_id: &str, position: &str) -> String {
    format!("{}&after={position}", recent(source_type, source_id))
}

/// An event as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub cursor: String,
    pub time: String,
    pub event: Value,
}

impl Read {
    pub fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().expect("text").to_owned();
        Read { cursor: text("cursor"), time: text("time"), event: value["event"].clone() }
    }

    pub fn id(&self) -> &str {
        self.event["id"].as_str().expect("an id")
    }
}

/// The events of a page.
pub fn events(page: &Value) -> Vec<Read> {
    page["events"].as_array().expect("events").iter().map(Read::of).collect()
}

impl Client {
    /// Follows `next` from this position on to the end of the log.
    pub async fn replay(
        &self,
        source_type: &str,
        source_id: &str,
        from: &str,
        more: &str,
    ) -> Vec<Read> {
        let (mut all, mut position) = (Vec::new(), from.to_owned());
        loop {
            let path = format!("{}{more}", after(source_type, source_id, &position));
            let page = self.page(&path).await;
            let read = events(&page);
            position = page["next"].as_str().expect("a position").to_owned();
            if read.is_empty() && page["complete"] == true {
                return all;
            }
            all.extend(read);
        }
    }

    /// Follows `next` from the newest event back to the beginning.
    pub async fn read_back(&self, source_type: &str, source_id: &str, more: &str) -> Vec<Read> {
        let mut all = Vec::new();
        let first = format!("{}{more}", recent(source_type, source_id));
        let mut page = self.page(&first).await;
        loop {
            all.extend(events(&page));
            let Some(next) = page["next"].as_str() else { return all };
            page = self.page(&format!("{first}&before={next}")).await;
        }
    }

    /// A page that there has to be.
    pub async fn page(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The answer as lines.
    pub async fn lines_of(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).header(ACCEPT, "application/x-ndjson")).await
    }

    /// Asks for several cursors at once.
    pub async fn fetch<T: AsRef<str>>(&self, cursors: &[T]) -> Answer {
        let cursors: Vec<_> = cursors.iter().map(AsRef::as_ref).collect();
        let body = json!({"cursors": cursors}).to_string();
        self.send(self.post("/events/fetch", "application/json", body)).await
    }
}

/// The events of an answer in lines.
pub fn read_lines(answer: &Answer) -> Vec<Read> {
    let text = answer.text();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    lines.map(|line: Value| Read::of(&line)).collect()
}

/// Posts so many events of a source, and gives their cursors.
pub async fn store(client: &Client, source_id: &str, count: usize) -> Vec<String> {
    let event = |n: usize| {
        json!({"id": format!("{source_id}-{n}"), "type": "t", "source_type": "s",
               "source_id": source_id, "data": n})
    };
    let mut cursors = Vec::with_capacity(count);
    for first in (0..count).step_by(1000) {
        let batch: Vec<_> = (first..count.min(first + 1000)).map(event).collect();
        let answer = client.batch(json!(batch)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let body = answer.json();
        let results = body["results"].as_array().expect("results");
        let cursor = |result: &Value| result["cursor"].as_str().expect("a cursor").to_owned();
        cursors.extend(results.iter().map(cursor));
    }
    cursors
}
