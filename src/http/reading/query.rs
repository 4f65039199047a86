//! The query of `GET /events`, every fault of it named.

use percent_encoding::percent_decode_str;

use super::super::problem::{Kind, ParameterFault, Problem};
use super::accept::Format;
use crate::event::Source;
use crate::position::Position;
use crate::reader::Start;
use crate::time;

/// How many events a page has unless told otherwise, and at the most.
const LIMIT: usize = 50;
const MOST: usize = 1000;

/// The parameters there are.
const NAMES: [&str; 5] = ["source_type", "source_id", "limit", "before", "after"];

/// How many faults are listed, and how much of a name that is not known is shown.
const LISTED: usize = 100;
const SHOWN: usize = 100;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) source: Source,
    pub(super) range: Range,
    limit: Option<usize>,
}

/// From where, and in which direction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Newest first, before a position where there is one.
    Newest(Option<Position>),
    /// Oldest first.
    Oldest(Start),
}

impl Query {
    /// Reads the query of an address.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let given = Given::read(query.unwrap_or_default(), &mut faults);
        let source = given.source(&mut faults);
        let limit = given.limit(&mut faults);
        let range = given.range(&mut faults);
        match (source, range) {
            (Some(source), Some(range)) if faults.list.is_empty() => {
                Ok(Query { source, range, limit })
            }
            _ => Err(faults.problem()),
        }
    }

    /// The most events of a page.
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT)
    }

    /// The formats that there are for it: lines have no `next`, so they go on to the end, oldest
    /// first.
    pub(super) fn formats(&self) -> &'static [Format] {
        match (&self.range, self.limit) {
            (Range::Oldest(_), None) => &[Format::Json, Format::Lines],
            _ => &[Format::Json],
        }
    }
}

/// The values that were given, in the order of the names.
#[derive(Default)]
struct Given([Option<String>; NAMES.len()]);

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
        if self.0[index].replace(value).is_some() {
            faults.add(name, "is given twice; give it once");
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let index = NAMES.iter().position(|known| *known == name)?;
        self.0[index].as_deref()
    }

    fn source(&self, faults: &mut Faults) -> Option<Source> {
        let mut needed = |name| {
            let value = self.get(name);
            if value.is_none() {
                faults.add(name, "is missing; give the one of the events to read");
            }
            value
        };
        let (kind, id) = (needed("source_type"), needed("source_id"));
        let source = Source::new(kind?, id?);
        source.map_err(|invalid| faults.add(invalid.member, invalid.to_string())).ok()
    }

    fn limit(&self, faults: &mut Faults) -> Option<usize> {
        let text = self.get("limit")?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| is_plain && (1..=MOST).contains(limit));
        if limit.is_none() {
            faults.add("limit", format!("is not a number from 1 to {MOST}"));
        }
        limit
    }

    fn range(&self, faults: &mut Faults) -> Option<Range> {
        let before = self.get("before").map(before);
        let after = self.get("after").map(after);
        match (before, after) {
            (None, None) => Some(Range::Newest(None)),
            (Some(before), None) => faults.keep("before", before).map(Some).map(Range::Newest),
            (None, Some(after)) => faults.keep("after", after).map(Range::Oldest),
            (Some(before), Some(after)) => {
                faults.keep("before", before);
                faults.keep("after", after);
                let detail = "goes with no after: before reads back, after reads forward; \
                              give one of them";
                faults.add("before", detail);
                None
            }
        }
    }
}

fn before(text: &str) -> Result<Position, String> {
    let position: Position = text.parse().map_err(|error| format!("is {error}"))?;
    if position.is_empty() {
        return Err("has nothing before it; leave before out to begin with the newest".to_owned());
    }
    Ok(position)
}

fn after(text: &str) -> Result<Start, String> {
    if let Some(text) = text.strip_prefix("time:") {
        return time::parse(text).map(Start::Time).ok_or_else(|| {
            "has no time from 1970 on behind time:; write it as RFC 3339 does, as in \
             time:2026-11-01T00:00:00Z, with + as %2B in an offset"
                .to_owned()
        });
    }
    let position = text
        .parse()
        .map_err(|error| format!("is {error}; or a time, as in time:2026-11-01T00:00:00Z"));
    position.map(Start::After)
}

/// Decodes a value as forms write it.
pub(in super::super) fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

/// The same of a name, which is only shown.
pub(in super::super) fn decoded_lossily(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What is wrong with a query.
#[derive(Default)]
pub(in super::super) struct Faults {
    list: Vec<ParameterFault>,
    omitted: usize,
}

impl Faults {
    pub(in super::super) fn add(&mut self, parameter: &str, detail: impl Into<String>) {
        if self.list.len() == LISTED {
            self.omitted += 1;
            return;
        }
        let parameter = parameter.chars().take(SHOWN).collect();
        self.list.push(ParameterFault { parameter, detail: detail.into() });
    }

    fn keep<T>(&mut self, parameter: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|detail| self.add(parameter, detail)).ok()
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in super::super) fn problem(self) -> Problem {
        let detail = "The query is not what this route takes; see errors.";
        Problem::new(Kind::InvalidParameter, detail).parameters(self.list).omitted(self.omitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Query, Problem> {
        Query::read(Some(&format!("source_type=repo&source_id=owner%2Frepo{more}")))
    }

    /// The names of what is wrong with a query.
    fn wrong(query: &str) -> Vec<String> {
        let mut faults = Faults::default();
        let given = Given::read(query, &mut faults);
        given.source(&mut faults);
        given.limit(&mut faults);
        given.range(&mut faults);
        faults.list.into_iter().map(|fault| fault.parameter).collect()
    }

    #[test]
    fn a_source_alone_asks_for_its_newest_events() {
        let query = read("").unwrap();
        assert_eq!((query.source.kind(), query.source.id()), ("repo", "owner/repo"));
        assert_eq!((query.limit(), &query.range), (50, &Range::Newest(None)));
        assert_eq!(query.formats(), [Format::Json]);
    }

    #[test]
    fn positions_and_times_say_where_to_begin() {
        let range = |more| read(more).unwrap().range;
        assert_eq!(range("&before=3-42"), Range::Newest(Some("3-42".parse().unwrap())));
        assert_eq!(
            range("&after=0-1,3-42"),
            Range::Oldest(Start::After("0-1,3-42".parse().unwrap()))
        );
        assert_eq!(range("&after=0-1%2C3-42"), range("&after=3-42,0-1"));
        assert_eq!(range("&after=beginning"), Range::Oldest(Start::After(Position::beginning())));
        assert_eq!(range("&after=time:1970-01-01T00:00:01Z"), Range::Oldest(Start::Time(1000)));
        let offset = "&after=time%3A1970-01-01T02:00:01%2B02:00";
        assert_eq!(range(offset), Range::Oldest(Start::Time(1000)));
    }

    #[test]
    fn lines_go_on_to_the_end() {
        let formats = |more| read(more).unwrap().formats().len();
        assert_eq!(formats("&after=beginning"), 2);
        assert_eq!((formats("&after=beginning&limit=5"), formats("&before=3-42")), (1, 1));
    }

    #[test]
    fn forms_write_spaces_as_plus() {
        let query = Query::read(Some("source_type=s&source_id=a+b%2Bc%C3%A9")).unwrap();
        assert_eq!(query.source.id(), "a b+cé");
    }

    #[test]
    fn every_fault_is_named() {
        let source = "source_type=s&source_id=i";
        for (more, names) in [
            ("&limit=0", &["limit"][..]),
            ("&limit=1001", &["limit"]),
            ("&limit=+5", &["limit"]),
            ("&limit=", &["limit"]),
            ("&limit=5&limit=5", &["limit"]),
            ("&Limit=5", &["Limit"]),
            ("&cursor", &["cursor"]),
            ("&before=beginning", &["before"]),
            ("&before=3-42&after=beginning", &["before"]),
            ("&before=x&after=y", &["before", "after", "before"]),
            ("&after=time:yesterday", &["after"]),
            ("&after=time:2026-11-01T00:00:00+02:00", &["after"]),
            ("&after=", &["after"]),
            ("&after=3-42,3-43", &["after"]),
        ] {
            assert_eq!(wrong(&format!("{source}{more}")), names, "{more}");
        }
        assert_eq!(wrong(""), ["source_type", "source_id"]);
        assert_eq!(wrong("source_type=a:b&source_id=i"), ["source_type"]);
        assert_eq!(wrong("source_type=s&source_id=%FF"), ["source_id", "source_id"]);
    }

    #[test]
    fn a_flood_of_faults_is_counted_and_not_listed() {
        let mut faults = Faults::default();
        Given::read(&"x&".repeat(150), &mut faults);
        assert_eq!((faults.list.len(), faults.omitted), (100, 50));
    }
}
