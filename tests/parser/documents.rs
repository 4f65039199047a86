//! Strategies for JSON texts, with all the freedom the grammar gives: spacing,
//! escapes, the order and repetition of members.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Between tokens. No newlines, so that every document is also a line.
fn space() -> impl Strategy<Value = &'static str> {
    select(&["", "", "", " ", "\t", " \r "][..])
}

fn spaced(token: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (space(), token, space()).prop_map(|(before, token, after)| format!("{before}{token}{after}"))
}

/// A string literal out of plain and escaped characters, and a few halves of
/// surrogate pairs.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z:/._é😀-]{1,4}".prop_map_into(),
        2 => any::<char>().prop_map(plain),
        1 => any::<char>().prop_map(escaped),
        1 => select(&[r#"\""#, r"\\", r"\/", r"\n", r"\u0000", r"\u0041", "\u{7f}", "\u{80}"][..])
            .prop_map_into(),
    ];
    let half = select(&[r"\ud800", r"\uDC00", r"\ud83d\ude00", r"\\ud800"][..]);
    let broken = (vec(piece.clone(), 0..3), half).prop_map(|(pieces, half)| pieces.concat() + half);
    prop_oneof![19 => vec(piece, 0..6).prop_map(|pieces| pieces.concat()), 1 => broken]
        .prop_map(|text| format!("\"{text}\""))
}

/// As serde_json writes it, which escapes only what must be.
fn plain(c: char) -> String {
    let literal = serde_json::to_string(&c).expect("a string");
    literal[1..literal.len() - 1].to_owned()
}

/// As a `\u` escape, or two.
fn escaped(c: char) -> String {
    let units = c.encode_utf16(&mut [0; 2]).to_vec();
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Numbers that a 64-bit float holds, for the reference to agree on.
fn number() -> impl Strategy<Value = String> {
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?"
}

/// Any JSON value.
pub(crate) fn value() -> impl Strategy<Value = String> + Clone {
    let leaf = prop_oneof![
        select(&["null", "true", "false"][..]).prop_map(str::to_owned),
        number(),
        string(),
    ];
    let nested = leaf.prop_recursive(6, 40, 4, |inner| {
        let members = vec(member(string(), inner.clone()), 0..4);
        prop_oneof![
            vec(spaced(inner), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            members.prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    });
    nested.boxed()
}

fn member(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (spaced(name), spaced(value)).prop_map(|(name, value)| format!("{name}:{value}"))
}

fn object(members: Vec<String>) -> String {
    format!("{{{}}}", members.join(","))
}

/// A known member that keeps its rule.
fn sound(name: &'static str) -> impl Strategy<Value = String> {
    let value = match name {
        "source_type" => "[A-Za-z0-9._-]{1,64}",
        _ => "[a-zA-Z0-9:/ é😀]{1,32}",
    };
    member(Just(format!("\"{name}\"")), value.prop_map(|text| format!("\"{text}\"")))
}

/// A known member whose value or name may be anything.
fn doubtful() -> impl Strategy<Value = String> {
    let names = [
        r#""id""#,
        r#""type""#,
        r#""source_type""#,
        r#""source_id""#,
        r#""\u0074ype""#,
        r#""i\u0064""#,
        r#""Type""#,
        r#""data""#,
    ];
    let long = (120..300_usize).prop_map(|length| format!("\"{}\"", "é".repeat(length)));
    let long_ascii = (60..300_usize).prop_map(|length| format!("\"{}\"", "a".repeat(length)));
    let values = prop_oneof![3 => string(), 2 => value(), 1 => long, 1 => long_ascii];
    member(select(names.to_vec()).prop_map(str::to_owned), values)
}

/// An event that keeps the rules, with or without an `id`.
pub(crate) fn sound_event() -> impl Strategy<Value = String> {
    let others = vec(member(Just("\"data\"".to_owned()), clean_value()), 0..3);
    let id = proptest::option::of(sound("id"));
    (id, sound("type"), sound("source_type"), sound("source_id"), others)
        .prop_map(|(id, kind, source_type, source_id, others)| {
            let known = id.into_iter().chain([kind, source_type, source_id]);
            known.chain(others).collect::<Vec<_>>()
        })
        .prop_shuffle()
        .prop_map(object)
}

fn clean_value() -> impl Strategy<Value = String> {
    value().prop_filter("valid Unicode", |text| {
        serde_json::from_str::<serde_json::Value>(text).is_ok()
    })
}

/// An object that is an event, or nearly one.
pub(crate) fn event() -> impl Strategy<Value = String> {
    let known = (sound("type"), sound("source_type"), sound("source_id"))
        .prop_map(|(kind, source_type, source_id)| vec![kind, source_type, source_id]);
    let some_known = known.prop_flat_map(|known| subsequence(known, 2..=3));
    let odd = (some_known, vec(doubtful(), 0..3))
        .prop_map(|(known, doubtful)| [known, doubtful].concat())
        .prop_shuffle()
        .prop_map(object);
    prop_oneof![2 => sound_event(), 3 => odd]
}

/// Any JSON text, most of them events.
pub(crate) fn document() -> impl Strategy<Value = String> {
    spaced(prop_oneof![4 => event().boxed(), 1 => value().boxed()])
}
