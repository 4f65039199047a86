//! One thing that is followed: all of a stream, or one of several on a WebSocket.

use std::sync::{Arc, Mutex, MutexGuard};

use super::book::{Begins, Book, Ended};
use super::wanted::Wanted;
use crate::harness::stream::{BEAT, Message};

/// What is followed, and what came of it.
pub struct Followed {
    pub name: String,
    pub wanted: Wanted,
    book: Mutex<Book>,
}

impl Followed {
    pub fn new(name: String, wanted: Wanted) -> Arc<Self> {
        let book = Mutex::new(Book::new(wanted.is_whole));
        Arc::new(Followed { name, wanted, book })
    }

    /// What was noted so far.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic")
    }
}

/// Where a reader has a subscription begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// With what comes from now on, and after that where it was.
    Now,
    /// Before everything, and after that where it was.
    Beginning,
    /// Each time with what comes from now on, after so many recent events of each source.
    Anew { recent: usize },
}

/// Where it is to begin, as the service is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    Now {
        recent: usize,
    },
    Beginning,
    /// Behind this position.
    After(String),
}

/// The reader's hold on it. What it is told to note goes by its state: it is not asked for; asked
/// for; open; or leaving, and perhaps asked for anew.
pub struct Subscription {
    followed: Arc<Followed>,
    first: First,
    /// At which instance, and from where.
    asked: Option<(usize, Begins)>,
    is_open: bool,
    is_leaving: bool,
}

impl Subscription {
    pub fn new(followed: &Arc<Followed>, first: First) -> Self {
        let followed = Arc::clone(followed);
        Subscription { followed, first, asked: None, is_open: false, is_leaving: false }
    }

    pub fn wanted(&self) -> &Wanted {
        &self.followed.wanted
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.followed.book()
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether nothing was asked for that has not ended.
    pub fn is_off(&self) -> bool {
        !self.is_open && !self.is_leaving && self.asked.is_none()
    }

    /// It is asked for at this instance: from where on.
    pub fn asks(&mut self, instance: usize) -> Start {
        let (begins, start) = self.begins();
        self.asked = Some((instance, begins));
        start
    }

    fn begins(&self) -> (Begins, Start) {
        let book = self.book();
        let after = || Begins::After(book.position.clone());
        match (self.first, &book.last_id) {
            (First::Anew { recent }, _) if !self.wanted().sources.is_empty() => {
                (Begins::Now { recent }, Start::Now { recent })
            }
            (First::Now | First::Beginning, Some(id)) => (after(), Start::After(id.clone())),
            (First::Beginning, None) => (after(), Start::Beginning),
            _ => (Begins::Now { recent: 0 }, Start::Now { recent: 0 }),
        }
    }

    /// There is none now, said this status; or nothing was said.
    pub fn refused(&mut self, status: Option<u64>) {
        self.asked = None;
        let mut book = self.book();
        match status {
            None | Some(503) => book.refused += 1,
            Some(other) => book.lies.push(format!("what was asked for was answered {other}")),
        }
    }

    /// It was told to end: what comes before that is said is let go, as if the line were cut.
    pub fn leaves(&mut self) {
        self.book().end(Ended::Cut);
        (self.is_open, self.is_leaving) = (false, true);
    }

    /// The connection has ended.
    pub fn ends(&mut self, how: Ended) {
        if self.is_open {
            self.book().end(how);
        }
        (self.asked, self.is_open, self.is_leaving) = (None, false, false);
    }

    /// Notes what came of it. `settles` says whether everyone reads to the end: then heartbeats count.
    pub fn takes(&mut self, message: &Message, settles: bool) {
        if self.is_leaving {
            self.is_leaving = message.name != "unsubscribed";
        } else if self.is_open {
            let mut book = self.book();
            book.note(message);
            book.settled += usize::from(settles && message.name == BEAT);
        } else if message.name == "error" {
            self.refused(message.data["problem"]["status"].as_u64().or(Some(0)));
        } else if let Some((instance, begins)) = self.asked.take() {
            let has_begun = self.book().begin(instance, begins, message);
            self.is_open = has_begun;
        } else {
            self.book().lies.push(format!("nobody asked for {message:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(name: &str, data: Value, position: Option<&str>) -> Message {
        Message {
            name: name.to_owned(),
            text: data.to_string(),
            data,
            has_id: position.is_some(),
            last_id: position.unwrap_or_default().to_owned(),
        }
    }

    fn ready(position: &str) -> Message {
        message("ready", json!({ "position": position }), Some(position))
    }

    fn begun() -> Subscription {
        let followed = Followed::new("it".to_owned(), Wanted::everything());
        let mut subscription = Subscription::new(&followed, First::Now);
        assert_eq!(subscription.asks(1), Start::Now { recent: 0 });
        subscription.takes(&ready("0-3"), false);
        assert!(subscription.is_open());
        subscription
    }

    #[test]
    fn what_comes_before_it_has_left_is_let_go_and_it_goes_on_where_it_was() {
        let mut subscription = begun();
        subscription.leaves();
        assert_eq!(subscription.asks(1), Start::After("0-3".to_owned()));
        subscription.takes(&message(BEAT, Value::Null, Some("0-9")), false);
        subscription.takes(&message("unsubscribed", json!({}), None), false);
        subscription.takes(&ready("0-3"), false);
        assert!(subscription.is_open());
        let book = subscription.book();
        assert_eq!((book.connections.len(), book.lies.len()), (2, 0), "{:?}", book.lies);
        assert!(book.connections.iter().all(|connection| connection.notes.is_empty()));
    }

    #[test]
    fn what_comes_after_it_has_left_is_a_lie() {
        let mut subscription = begun();
        subscription.leaves();
        subscription.takes(&message("unsubscribed", json!({}), None), false);
        assert!(subscription.is_off() && subscription.book().lies.is_empty());
        subscription.takes(&message(BEAT, Value::Null, Some("0-9")), false);
        assert_eq!(subscription.book().lies.len(), 1);
    }

    #[test]
    fn a_refusal_for_now_is_none_for_ever() {
        let mut subscription = begun();
        for (status, lies) in [(503, 0), (400, 1)] {
            subscription.ends(Ended::Cut);
            subscription.asks(1);
            let problem = json!({"problem": {"status": status}});
            subscription.takes(&message("error", problem, None), false);
            assert!(subscription.is_off());
            assert_eq!(subscription.book().lies.len(), lies);
        }
    }
}
