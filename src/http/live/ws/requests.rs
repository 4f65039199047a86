//! What a client says, every fault of it named.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::super::super::problem::{Kind, Problem};
use super::super::asked::{self, Limits, Named};
use crate::event::{Fault, Selection};
use crate::live::{Form, Request, Start};

/// The longest name of a subscription, in characters.
const NAME: usize = 64;
/// How many faults are listed, and how much of a name that is not known is shown.
const LISTED: usize = 20;
const SHOWN: usize = 100;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe(String, Request),
    Unsubscribe(String),
    Ping(Option<Box<RawValue>>),
}

/// Why it is not, and what it would have been about.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) name: Option<String>,
    pub(super) problem: Problem,
}

/// Reads a message.
pub(super) fn read(text: &str, limits: &Limits<'_>) -> Result<Command, Refused> {
    let members = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    let mut given = Given { members, prefix: String::new(), faults: Vec::new(), omitted: 0 };
    let op: Option<String> = given.needed("op", "a string: subscribe, unsubscribe or ping");
    let name = if op.as_deref() == Some("ping") { None } else { given.name() };
    let command = match (op.as_deref(), &name) {
        (Some("ping"), _) => Some(Command::Ping(given.raw("data").map(ToOwned::to_owned))),
        (Some("unsubscribe"), Some(name)) => Some(Command::Unsubscribe(name.clone())),
        (Some("subscribe"), _) => {
            let asked = given.asked(limits);
            name.clone().zip(asked).map(|(name, asked)| Command::Subscribe(name, asked))
        }
        (Some("unsubscribe"), None) | (None, _) => None,
        (Some(_), _) => {
            given.fault("op", "is not known; there are subscribe, unsubscribe and ping");
            None
        }
    };
    given.nothing_else(op.as_deref());
    match command {
        Some(command) if given.faults.is_empty() => Ok(command),
        _ => Err(Refused { name, problem: given.problem() }),
    }
}

/// A message that is well written, and cannot be done as things are: `member` says what it is about.
pub(super) fn impossible(name: String, member: &str, detail: String) -> Refused {
    let fault = Fault { pointer: format!("/{member}"), detail };
    Refused { name: Some(name), problem: faulty(Kind::InvalidRequest, vec![fault]) }
}

/// The members of an object that were not looked at yet, and what was wrong with the others.
struct Given<'a> {
    members: BTreeMap<Cow<'a, str>, &'a RawValue>,
    prefix: String,
    faults: Vec<Fault>,
    omitted: usize,
}

impl<'a> Given<'a> {
    fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.members.remove(name)
    }

    /// A member that may be missing.
    fn take<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = serde_json::from_str(self.raw(name)?.get());
        value.map_err(|_| self.fault(name, format!("is not {expected}"))).ok()
    }

    fn needed<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        if !self.members.contains_key(name) {
            self.fault(name, format!("is missing; send {expected}"));
        }
        self.take(name, expected)
    }

    fn name(&mut self) -> Option<String> {
        let name: String = self.needed("subscription", "a string: the subscription's name")?;
        if !(1..=NAME).contains(&name.chars().count()) {
            self.fault("subscription", format!("is no name; send 1 to {NAME} characters"));
            return None;
        }
        Some(name)
    }

    fn asked(&mut self, limits: &Limits<'_>) -> Option<Request> {
        let named = self.sources();
        let has_source = named.iter().flatten().any(|named| named.source_id.is_some());
        let selection = named.and_then(|named| self.selection(&named));
        let types: Option<Vec<String>> = self.take("types", "an array of strings");
        let types = types.map_or(Ok(Vec::new()), asked::types);
        let types = self.kept("types", types);
        let form: Option<String> = self.take("include", "a string");
        let form = form.map_or(Ok(Form::Notification), |form| asked::form(&form));
        let form = self.kept("include", form.map_err(str::to_owned));
        let start = self.start(limits, has_source);
        Some(Request { selection: selection?.only(types?), start: start?, form: form? })
    }

    /// None when there is a fault in them.
    fn sources(&mut self) -> Option<Vec<Named>> {
        let expected = "an array of objects, each with a source_type and perhaps a source_id";
        let Some(list) = self.raw("sources") else { return Some(Vec::new()) };
        let list: Vec<BTreeMap<Cow<'a, str>, &'a RawValue>> = match serde_json::from_str(list.get())
        {
            Ok(list) => list,
            Err(_) => {
                self.fault("sources", format!("is not {expected}"));
                return None;
            }
        };
        if list.is_empty() {
            self.fault("sources", "is empty; leave it out for everything");
        }
        let named = list.into_iter().enumerate().map(|(index, members)| {
            let prefix = format!("/sources/{index}");
            let mut source = Given { members, prefix, faults: Vec::new(), omitted: 0 };
            let source_type = source.needed("source_type", "a string");
            let source_id = source.take("source_id", "a string");
            source.nothing_else(None);
            self.join(source);
            Some(Named { source_type: source_type?, source_id })
        });
        // All of them are looked at, so that all faults are named.
        let named: Vec<_> = named.collect();
        named.into_iter().collect()
    }

    fn selection(&mut self, named: &[Named]) -> Option<Selection> {
        asked::selection(named, |index, member, detail| {
            self.fault(&format!("sources/{index}/{member}"), detail);
        })
    }

    fn start(&mut self, limits: &Limits<'_>, has_source: bool) -> Option<Start> {
        let recent = match self.raw("recent") {
            Some(count) => {
                let count = serde_json::from_str(count.get()).ok();
                self.kept("recent", asked::recent(count, limits.settings.recent, has_source))
            }
            None => Some(0),
        };
        let after: Option<String> = self.take("after", "a string: a position");
        match after {
            Some(after) => self.kept("after", asked::position(&after, limits)).map(Start::After),
            None => Some(Start::Now { recent: recent? }),
        }
    }

    fn kept<T>(&mut self, name: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|detail| self.fault(name, detail)).ok()
    }

    /// What is left is not known.
    fn nothing_else(&mut self, op: Option<&str>) {
        let known = match op {
            Some("subscribe") => "op, subscription, sources, types, include, recent and after",
            Some("unsubscribe") => "op and subscription",
            Some("ping") => "op and data",
            Some(_) => return,
            None if self.prefix.is_empty() => return,
            None => "source_type and source_id",
        };
        for name in std::mem::take(&mut self.members).into_keys() {
            let name: String = name.chars().take(SHOWN).collect();
            let name = name.replace('~', "~0").replace('/', "~1");
            self.fault(&name, format!("is not known; there are {known}"));
        }
    }

    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let pointer = format!("{}/{name}", self.prefix);
        self.add(Fault { pointer, detail: detail.into() });
    }

    fn add(&mut self, fault: Fault) {
        if self.faults.len() < LISTED {
            self.faults.push(fault);
        } else {
            self.omitted += 1;
        }
    }

    fn join(&mut self, other: Given<'_>) {
        self.omitted += other.omitted;
        other.faults.into_iter().for_each(|fault| self.add(fault));
    }

    fn problem(self) -> Problem {
        faulty(Kind::InvalidRequest, self.faults).omitted(self.omitted)
    }
}

/// Tells JSON of another kind from what is no JSON.
fn not_json(text: &str, error: &serde_json::Error) -> Refused {
    let (kind, detail) = match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => (Kind::InvalidRequest, "is no object; send {\"op\":\"ping\"}".to_owned()),
        Err(_) => (Kind::MalformedJson, error.to_string()),
    };
    let fault = Fault { pointer: String::new(), detail };
    Refused { name: None, problem: faulty(kind, vec![fault]) }
}

fn faulty(kind: Kind, faults: Vec<Fault>) -> Problem {
    Problem::new(kind, "The message is not what is taken here; see errors.").faults(faults)
}
