//! What a stream is asked for: the query, and the header of a client that comes again.

use axum::http::HeaderMap;

use super::super::problem::Problem;
use super::super::reading::{Faults, decoded, decoded_lossily};
use super::asked::{self, Limits, Named};
use crate::event::Selection;
use crate::live::{Form, Request, Start};

const NAMES: [&str; 8] =
    ["source_type", "source_id", "type", "types", "include", "recent", "after", "last_event_id"];
const HEADER: &str = "last-event-id";

/// Reads the query of an address, and the headers.
pub(super) fn read(
    query: Option<&str>,
    headers: &HeaderMap,
    limits: &Limits<'_>,
) -> Result<Request, Problem> {
    let mut faults = Faults::default();
    let given = Given::read(query.unwrap_or_default(), &mut faults);
    let selection = given.selection(limits.settings.sources, &mut faults);
    let form = given.form(&mut faults);
    let start = given.start(headers, limits, &mut faults);
    match (selection, form, start) {
        (Some(selection), Some(form), Some(start)) if faults.is_empty() => {
            Ok(Request { selection, start, form })
        }
        _ => Err(faults.problem()),
    }
}

/// What was given: the parts of sources in their order, each `type`, and the rest by name.
#[derive(Default)]
struct Given {
    sources: Vec<(Part, String)>,
    kinds: Vec<String>,
    rest: [Option<String>; NAMES.len()],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Type,
    Id,
}

impl Given {
    fn read(query: &str, faults: &mut Faults) -> Self {
        let mut given = Given::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            given.take(&decoded_lossily(name), value, faults);
        }
        given
    }

    fn take(&mut self, name: &str, value: &str, faults: &mut Faults) {
        let Some(index) = NAMES.iter().position(|known| *known == name) else {
            let known = NAMES.join(", ");
            return faults.add(name, format!("is not known; there are {known}"));
        };
        let Some(value) = decoded(value) else {
            return faults.add(name, "is not UTF-8; percent-encode its bytes in UTF-8");
        };
        match name {
            "source_type" => self.sources.push((Part::Type, value)),
            "source_id" => self.sources.push((Part::Id, value)),
            "type" if value.is_empty() => faults.add(name, "is empty; leave it out for all types"),
            "type" => self.kinds.push(value),
            _ if self.rest[index].replace(value).is_some() => {
                faults.add(name, "is given twice; give it once");
            }
            _ => {}
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let index = NAMES.iter().position(|known| *known == name)?;
        self.rest[index].as_deref()
    }

    /// A `source_id` belongs to the `source_type` before it. One without any means all of its type.
    fn named(&self, faults: &mut Faults) -> Option<Vec<Named>> {
        let mut named: Vec<Named> = Vec::new();
        for (part, value) in &self.sources {
            match (part, named.last_mut()) {
                (Part::Type, _) => {
                    named.push(Named { source_type: value.clone(), source_id: None });
                }
                (Part::Id, None) => {
                    faults.add("source_id", "comes before any source_type; give that first");
                    return None;
                }
                (Part::Id, Some(last)) if last.source_id.is_none() => {
                    last.source_id = Some(value.clone());
                }
                (Part::Id, Some(last)) => {
                    let source_type = last.source_type.clone();
                    named.push(Named { source_type, source_id: Some(value.clone()) });
                }
            }
        }
        Some(named)
    }

    fn selection(&self, most: usize, faults: &mut Faults) -> Option<Selection> {
        let named = self.named(faults)?;
        let selection = asked::selection(&named, |_, member, detail| faults.add(member, detail));
        let count = selection.as_ref().map_or(0, asked::names);
        if self.sources.len() > 2 * most || count > most {
            faults.add("source_id", format!("is given too often; at most {most} sources"));
        }
        let kinds = self.types(faults)?;
        Some(selection?.only(kinds))
    }

    /// Those of the list, and each that is given by itself, commas and all.
    fn types(&self, faults: &mut Faults) -> Option<Vec<String>> {
        let list = self.get("types");
        let mut kinds = self.kinds.clone();
        kinds.extend(list.into_iter().flat_map(|list| list.split(',')).map(str::to_owned));
        if kinds.is_empty() {
            return Some(kinds);
        }
        let name = if list.is_some() { "types" } else { "type" };
        asked::types(kinds).map_err(|detail| faults.add(name, detail)).ok()
    }

    fn form(&self, faults: &mut Faults) -> Option<Form> {
        let form = self.get("include").map_or(Ok(Form::Notification), asked::form);
        form.map_err(|detail| faults.add("include", detail)).ok()
    }

    /// The header is what the browser adds when it comes again, to the same address: it knows best.
    /// Then what a page has kept, then where the address begins.
    fn start(
        &self,
        headers: &HeaderMap,
        limits: &Limits<'_>,
        faults: &mut Faults,
    ) -> Option<Start> {
        let recent = self.recent(limits.settings.recent, faults);
        let header = headers.get(HEADER).map(|value| value.to_str().unwrap_or("?"));
        let mut start = None;
        for (name, text) in [
            ("Last-Event-ID", header),
            ("last_event_id", self.get("last_event_id")),
            ("after", self.get("after")),
        ] {
            let Some(text) = text.filter(|text| !text.is_empty() || name == "after") else {
                continue;
            };
            match asked::position(text, limits) {
                Ok(position) => start = start.or(Some(Start::After(position))),
                Err(detail) => faults.add(name, detail),
            }
        }
        start.or(Some(Start::Now { recent: recent? }))
    }

    fn recent(&self, most: usize, faults: &mut Faults) -> Option<usize> {
        let Some(text) = self.get("recent") else { return Some(0) };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|_| is_plain);
        let has_source = self.sources.iter().any(|(part, _)| *part == Part::Id);
        let recent = asked::recent(count, most, has_source);
        recent.map_err(|detail| faults.add("recent", detail)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// With so many partitions.
    fn read_with(
        query: &str,
        headers: &HeaderMap,
        partitions: Option<i32>,
    ) -> Result<Request, Problem> {
        let settings = Settings::load([]).unwrap().live;
        super::read(Some(query), headers, &Limits { settings: &settings, partitions })
    }

    fn read(query: &str) -> Request {
        read_with(query, &HeaderMap::new(), Some(6)).unwrap()
    }

    fn wrong(query: &str) -> Vec<String> {
        read_with(query, &HeaderMap::new(), Some(6)).unwrap_err().parameter_names()
    }

    fn sources(query: &str) -> Vec<String> {
        let selection = read(query).selection;
        let single = selection.sources().iter();
        let single = single.map(|source| format!("{}:{}", source.kind(), source.id()));
        single.chain(selection.source_types().iter().cloned()).collect()
    }

    #[test]
    fn ids_belong_to_the_type_before_them() {
        assert!(read("").selection.is_everything());
        assert_eq!(sources("source_type=repo&source_id=b&source_id=a%2Fb"), ["repo:a/b", "repo:b"]);
        assert_eq!(
            sources("source_type=repo&source_id=a&source_type=user&source_id=b"),
            ["repo:a", "user:b"]
        );
        assert_eq!(sources("source_type=user&source_type=repo&source_id=a"), ["repo:a", "user"]);
        assert_eq!(sources("source_type=repo"), ["repo"]);
    }

    #[test]
    fn types_and_form() {
        let query = read("types=push,pull&include=event");
        assert_eq!(query.form, Form::Event);
        let selection = query.selection;
        assert!(selection.takes_kind("pull") && !selection.takes_kind("star"));
        let selection = read("type=a%2Cb&type=c&types=d,e").selection;
        assert!(["a,b", "c", "d", "e"].iter().all(|kind| selection.takes_kind(kind)));
        assert!(!["a", "b", "d,e"].iter().any(|kind| selection.takes_kind(kind)));
        assert_eq!(read("").form, Form::Notification);
    }

    #[test]
    fn who_comes_again_begins_where_it_was() {
        let start = |query: &str, header: Option<&str>| {
            let header = header.map(|text| (HEADER.parse().unwrap(), text.parse().unwrap()));
            let headers = HeaderMap::from_iter(header);
            read_with(query, &headers, Some(6)).unwrap().start
        };
        let after = |text: &str| Start::After(text.parse().unwrap());
        let one = "source_type=s&source_id=i&recent=5";
        assert_eq!(start("", None), Start::Now { recent: 0 });
        assert_eq!(start(one, None), Start::Now { recent: 5 });
        assert_eq!(start(one, Some("0-1")), after("0-1"));
        assert_eq!(start("after=beginning&last_event_id=0-3", None), after("0-3"));
        assert_eq!(start("after=0-1&last_event_id=0-3", Some("0-5")), after("0-5"));
        assert_eq!(start("after=0-1&last_event_id=", Some("")), after("0-1"));
    }

    #[test]
    fn a_position_may_name_some_partitions_that_are_not_known_yet() {
        let naming = |count: i32| {
            let cursors: Vec<_> = (0..count).map(|partition| format!("{partition}-0")).collect();
            format!("after={}", cursors.join(","))
        };
        assert!(
            matches!(read(&naming(106)).start, Start::After(position) if position.len() == 106)
        );
        assert_eq!(wrong(&naming(107)), ["after"]);
        assert!(read_with(&naming(107), &HeaderMap::new(), Some(7)).is_ok());
        assert!(read_with(&naming(107), &HeaderMap::new(), None).is_ok());
    }

    #[test]
    fn every_fault_is_named() {
        for (query, names) in [
            ("source_id=i", &["source_id"][..]),
            ("source_type=a:b", &["source_type"]),
            ("source_type=s&source_id=", &["source_id"]),
            ("types=", &["types"]),
            ("types=a,,b", &["types"]),
            ("type=a&type=", &["type"]),
            ("include=all", &["include"]),
            ("recent=5", &["recent"]),
            ("source_type=s&recent=5", &["recent"]),
            ("source_type=s&source_id=i&recent=+5", &["recent"]),
            ("source_type=s&source_id=i&recent=100000", &["recent"]),
            ("after=", &["after"]),
            ("after=time:2026-11-01T00:00:00Z", &["after"]),
            ("last_event_id=7&after=8", &["last_event_id", "after"]),
            ("include=event&include=event", &["include"]),
            ("limit=5", &["limit"]),
        ] {
            assert_eq!(wrong(query), names, "{query}");
        }
        let many: String = (0..101).map(|n| format!("&source_id={n}")).collect();
        assert_eq!(wrong(&format!("source_type=s{many}")), ["source_id"]);
        let many: String = (0..101).map(|n| format!("&type={n}")).collect();
        assert_eq!(wrong(&many), ["type"]);
        let header = HeaderMap::from_iter([(HEADER.parse().unwrap(), "x".parse().unwrap())]);
        let problem = read_with("", &header, Some(6)).unwrap_err();
        assert_eq!(problem.parameter_names(), ["Last-Event-ID"]);
    }
}
