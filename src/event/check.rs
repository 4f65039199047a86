//! The rules, held against one value of the body.

use std::borrow::Cow;

use super::element::Element;
use super::members::{self, Member, Members, Posted};
use super::pointer::Pointer;
use super::rejection::{Fault, Faults, RejectionKind};
use super::{Event, Id, Limits, depth, rules, surrogates};

/// The event that `element` is, or `None` with all its faults added to `faults`.
pub(super) fn check<'a>(
    element: &Element<'a>,
    pointer: Pointer,
    limits: &Limits,
    faults: &mut Faults,
) -> Option<Event<'a>> {
    let json = element.json;
    let mut check = Check::new(pointer, faults);
    let Some(members) = &element.members else {
        check.invalid(format!("must be a JSON object, not {}", kind_of(json)));
        return None;
    };
    check.size(json, limits);
    check.depth(json);
    let id = check.id(members);
    let kind = check.required(members, Member::Type);
    let source_type = check.required(members, Member::SourceType);
    let source_id = check.required(members, Member::SourceId);
    check.unicode(json);
    if check.failed {
        return None;
    }
    Some(Event::new(id?, kind?, source_type?, source_id?, json))
}

/// What a JSON text is, by its first byte.
pub(super) fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The checks of one event. None stops the others, so that all faults are told
/// at once.
struct Check<'f> {
    pointer: Pointer,
    faults: &'f mut Faults,
    failed: bool,
    /// A known member was told to hold half a surrogate pair.
    told_unicode: bool,
}

impl<'f> Check<'f> {
    fn new(pointer: Pointer, faults: &'f mut Faults) -> Self {
        Self { pointer, faults, failed: false, told_unicode: false }
    }

    fn size(&mut self, json: &str, limits: &Limits) {
        let (size, limit) = (json.len(), limits.max_event);
        if size > limit {
            let detail = format!("has {size} bytes and the limit is {limit}; send a smaller event");
            self.add(RejectionKind::TooLarge, self.pointer.to_value(), detail);
        }
    }

    fn depth(&mut self, json: &str) {
        if depth::is_too_deep(json) {
            let limit = depth::MAX_DEPTH;
            self.invalid(format!(
                "nests deeper than {limit} levels, which many consumers refuse; send it flatter"
            ));
        }
    }

    fn unicode(&mut self, json: &str) {
        if !self.told_unicode && surrogates::has_lone_surrogate(json) {
            self.invalid(format!("holds {LONE_SURROGATE}"));
        }
    }

    fn id<'a>(&mut self, members: &Members<'a>) -> Option<Id<'a>> {
        match members.get(Member::Id) {
            None => Some(Id::Made),
            Some(posted) => self.value(Member::Id, posted).map(Id::Posted),
        }
    }

    fn required<'a>(&mut self, members: &Members<'a>, member: Member) -> Option<Cow<'a, str>> {
        match members.get(member) {
            None => self.breaks_rule(member, "is missing"),
            Some(posted) => self.value(member, posted),
        }
    }

    fn value<'a>(&mut self, member: Member, posted: Posted<'a>) -> Option<Cow<'a, str>> {
        if posted.repeated {
            return self.refuse(member, "appears twice; send it once".to_owned());
        }
        if !posted.literal.starts_with('"') {
            let kind = kind_of(posted.literal);
            return self.breaks_rule(member, &format!("must be a string, not {kind}"));
        }
        let Ok(value) = members::string(posted.literal) else {
            self.told_unicode = true;
            return self.refuse(member, format!("holds {LONE_SURROGATE}"));
        };
        match rules::violation(member, &value) {
            None => Some(value),
            Some(violation) => self.breaks_rule(member, &violation),
        }
    }

    fn breaks_rule<T>(&mut self, member: Member, how: &str) -> Option<T> {
        let expected = rules::expected(member);
        self.refuse(member, format!("{how}; send a string of {expected}"))
    }

    fn refuse<T>(&mut self, member: Member, detail: String) -> Option<T> {
        self.add(RejectionKind::Invalid, self.pointer.to_member(member), detail);
        None
    }

    fn invalid(&mut self, detail: String) {
        self.add(RejectionKind::Invalid, self.pointer.to_value(), detail);
    }

    fn add(&mut self, kind: RejectionKind, pointer: String, detail: String) {
        self.failed = true;
        self.faults.add(kind, Fault { pointer, detail });
    }
}

const LONE_SURROGATE: &str = "half a surrogate pair in a \\u escape, which is not valid Unicode \
                              and which many consumers refuse; send both halves or \\ufffd";

#[cfg(test)]
mod tests {
    use super::super::samples::{self, EVENT, LIMITS, Told};
    use super::super::{parse_array, parse_one};
    use super::*;

    /// [`EVENT`] with more members at its end.
    fn with(members: &str) -> String {
        EVENT.replace('}', &format!(",{members}}}"))
    }

    fn accepted(body: &str) {
        let event = parse_one(body.as_bytes(), &LIMITS).expect(body);
        assert_eq!(samples::json(&event), body);
    }

    fn told(body: &str) -> Told {
        samples::told(parse_one(body.as_bytes(), &LIMITS))
    }

    fn invalid(body: &str, pointer: &str, detail: &str) {
        let told = told(body);
        assert_eq!(told.kind, RejectionKind::Invalid, "{body}");
        assert_eq!(told.pointers, [pointer], "{body}");
        assert!(told.detail.contains(detail), "{told:?}");
    }

    #[test]
    fn all_faults_of_an_event_are_told() {
        let told = told(r#"{"id":null,"source_type":"a:b","source_id":""}"#);
        assert_eq!(told.kind, RejectionKind::Invalid);
        assert_eq!(told.pointers, ["/id", "/type", "/source_type", "/source_id"]);
    }

    #[test]
    fn all_faults_of_a_batch_are_told_by_index() {
        let body = format!(r#"[{{}},{EVENT},{{"type":1,"source_type":"a","source_id":"b"}}]"#);
        let told = samples::told(parse_array(body.as_bytes(), &LIMITS));
        assert_eq!(told.pointers, ["/0/type", "/0/source_type", "/0/source_id", "/2/type"]);
    }

    #[test]
    fn known_members_must_be_strings() {
        for (value, kind) in [
            ("null", "null"),
            ("1", "a number"),
            ("1e999", "a number"),
            ("-0", "a number"),
            ("true", "a boolean"),
            (r#"["a"]"#, "an array"),
            (r#"{"a":1}"#, "an object"),
        ] {
            for (name, quoted) in [("id", r#""e1""#), ("type", r#""user.followed""#)] {
                let body = EVENT.replace(quoted, value);
                let detail = format!("must be a string, not {kind}; send a string of 1 to 128");
                invalid(&body, &format!("/{name}"), &detail);
            }
        }
    }

    #[test]
    fn details_never_grow_with_the_input() {
        let long = "\u{10ffff}".repeat(1_000);
        let told = told(&format!(
            r#"{{"type":"{long}","source_type":"{long}","source_id":"{long}","id":"{long}"}}"#
        ));
        assert_eq!(told.pointers.len(), 4);
        assert!(told.detail.len() < 200 && told.last.len() < 200, "{told:?}");
    }

    #[test]
    fn a_known_member_twice_is_invalid() {
        invalid(&with(r#""type":"b""#), "/type", "appears twice");
        invalid(&with(r#""\u0074ype":"b""#), "/type", "appears twice");
        invalid(&with(r#""id":null,"\u0069\u0064":7"#), "/id", "appears twice");
    }

    #[test]
    fn other_members_may_be_there_twice() {
        accepted(&with(r#""a":1,"a":2,"data":{"id":1,"id":2,"type":3}"#));
    }

    #[test]
    fn numbers_pass_whatever_their_size() {
        let digits = "9".repeat(400);
        accepted(&with(&format!(r#""data":[1e999,1E400,-1e-999,-0,-0.0,{digits}]"#)));
    }

    #[test]
    fn a_null_character_passes_in_data_only() {
        accepted(&with(r#""data":"\u0000","\u0000":1"#));
        invalid(&EVENT.replace("octocat", r"\u0000"), "/source_id", "U+0000");
    }

    #[test]
    fn a_lone_surrogate_is_invalid_wherever_it_is() {
        for members in [
            r#""data":"\ud800""#,
            r#""data":{"a":["\uDEAD"]}"#,
            r#""\ud800":1"#,
            r#""data":{"\ud800":1}"#,
        ] {
            invalid(&with(members), "", "not valid Unicode");
        }
        invalid(&EVENT.replace("octocat", r"\ud800"), "/source_id", "not valid Unicode");
        invalid(&EVENT.replace("user.followed", r"\ud800\u0041"), "/type", "not valid Unicode");
    }

    #[test]
    fn a_pair_of_surrogates_is_one_character() {
        let body = EVENT.replace("octocat", r"\ud83d\ude00");
        let event = parse_one(body.as_bytes(), &LIMITS).unwrap();
        assert_eq!(event.source_id(), "😀");
        assert_eq!(samples::json(&event), body);
    }

    #[test]
    fn an_event_may_nest_128_levels_itself_included() {
        let nested = |levels: usize| {
            let data = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
            with(&format!(r#""data":{data}"#))
        };
        accepted(&nested(127));
        invalid(&nested(128), "", "nests deeper than 127 levels");

        let body = format!("[{EVENT},{}]", nested(128));
        let told = samples::told(parse_array(body.as_bytes(), &LIMITS));
        assert_eq!(told.pointers, ["/1"]);
    }

    #[test]
    fn a_hostile_depth_is_refused_without_recursion() {
        let limits = Limits { max_event: usize::MAX, ..LIMITS };
        let open = 2_000_000;
        let nested = "[".repeat(open) + &"]".repeat(open);
        let body = with(&format!(r#""data":{nested}"#));
        let told = samples::told(parse_one(body.as_bytes(), &limits));
        assert_eq!((told.kind, told.pointers), (RejectionKind::Invalid, vec![String::new()]));
    }

    #[test]
    fn an_event_is_measured_without_the_whitespace_around_it() {
        let limits = Limits { max_event: EVENT.len(), ..LIMITS };
        let padded = format!("  {EVENT}  ");
        assert!(parse_one(padded.as_bytes(), &limits).is_ok());

        let larger = EVENT.replace('}', " }");
        let body = format!("[{EVENT},{larger}]");
        let told = samples::told(parse_array(body.as_bytes(), &limits));
        assert_eq!(told.kind, RejectionKind::TooLarge);
        assert_eq!(told.pointers, ["/1"]);
        let sizes = format!("has {} bytes and the limit is {}", larger.len(), EVENT.len());
        assert!(told.detail.contains(&sizes), "{told:?}");
    }
}
