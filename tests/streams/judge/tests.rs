//! The judge itself, held against streams that are wrong on purpose.

use std::collections::BTreeMap;

use super::*;

const NAME: &str = "a reader";

/// A record at this place, of one of two sources by turns.
fn record(place: Place) -> Record {
    let source = if place.1 % 2 == 0 { "even" } else { "odd" };
    let hash = hash_of(place);
    Record {
        place,
        source_type: "s".into(),
        source_id: source.into(),
        kind: "t".into(),
        told: hash,
        whole: hash + 1,
    }
}

fn hash_of(place: Place) -> u64 {
    1000 * (place.0 as u64 + 1) + 10 * place.1 as u64
}

/// Two partitions of ten records each.
fn log() -> Log {
    let mut log = Log::default();
    for partition in 0..2 {
        (0..10).for_each(|offset| log.add(record((partition, offset))));
    }
    log
}

fn event(place: Place) -> Note {
    Note::Event { place, hash: hash_of(place), has_id: true }
}

fn early(place: Place) -> Note {
    Note::Event { place, hash: hash_of(place), has_id: false }
}

/// An event and an `id:` up to it.
fn step(place: Place) -> [Note; 2] {
    [event(place), Note::UpTo(place)]
}

fn steps(partition: i32, offsets: std::ops::Range<i64>) -> Vec<Note> {
    offsets.flat_map(|offset| step((partition, offset))).collect()
}

fn at(offsets: &[Place]) -> Position {
    offsets.iter().copied().collect()
}

fn connection(begins: Begins, ready: Position, notes: Vec<Note>) -> Connection {
    Connection { instance: 0, begins, ready, notes, ended: Ended::Cut }
}

/// A connection that goes on at this position.
fn after(position: &[Place], notes: Vec<Note>) -> Connection {
    connection(Begins::After(at(position)), at(position), notes)
}

fn findings_of(wanted: &Wanted, connections: Vec<Connection>, log: &Log) -> Findings {
    let mut book = Book::new(false);
    book.connections = connections;
    judge(NAME, wanted, &book, log)
}

fn findings(connections: Vec<Connection>) -> Findings {
    findings_of(&Wanted::everything(), connections, &log())
}

/// Everything, as it should come.
fn all() -> Vec<Note> {
    [steps(0, 0..10), steps(1, 0..10)].concat()
}

#[track_caller]
fn assert_true(findings: &Findings) {
    assert!(findings.is_truthful(), "{}", findings.told());
}

#[track_caller]
fn assert_lost(findings: &Findings, count: usize) {
    assert_eq!((findings.lost.len(), findings.lies.len()), (count, 0), "{}", findings.told());
}

#[track_caller]
fn assert_lies(findings: &Findings, what: &str) {
    let (lost, lies) = (&findings.lost, &findings.lies);
    assert!(lost.is_empty() && lies.len() == 1 && lies[0].contains(what), "{}", findings.told());
}

#[test]
fn a_stream_as_it_should_be_is_true() {
    let whole = findings(vec![after(&[], all())]);
    assert_true(&whole);
    assert_eq!((whole.delivered, whole.early, whole.connections), (20, 0, 1));

    let resumed = findings(vec![
        after(&[], [steps(0, 0..4), steps(1, 0..2)].concat()),
        after(&[(0, 3), (1, 1)], [steps(1, 2..10), steps(0, 4..10)].concat()),
    ]);
    assert_true(&resumed);
    assert_eq!((resumed.delivered, resumed.resumed), (20, 1));
}

#[test]
fn an_event_that_was_lost_is_noticed() {
    let mut notes = all();
    notes.retain(|note| *note != event((0, 5)));
    assert_lost(&findings(vec![after(&[], notes)]), 1);
}

#[test]
fn what_is_lost_between_two_connections_is_noticed() {
    let notes = [steps(0, 0..4), vec![Note::UpTo((0, 5))]].concat();
    let rest = [steps(0, 6..10), steps(1, 0..10)].concat();
    assert_lost(&findings(vec![after(&[], notes), after(&[(0, 5)], rest)]), 2);
}

/// The end is lost without any id that would promise it.
#[test]
fn a_stream_that_stands_still_is_noticed() {
    assert_lost(&findings(vec![after(&[], [steps(0, 0..10), steps(1, 0..9)].concat())]), 1);
    assert_lost(&findings(Vec::new()), 1);
}

#[test]
fn an_event_that_came_twice_is_noticed() {
    let mut late = all();
    late.insert(8, event((0, 1)));
    // It is late, too.
    assert_eq!(findings(vec![after(&[], late)]).lies.len(), 2);

    let mut early_again = steps(0, 0..5);
    early_again.extend([early((0, 7)), early((0, 7))]);
    early_again.extend(steps(0, 5..7));
    early_again.push(Note::UpTo((0, 7)));
    early_again.extend([steps(0, 8..10), steps(1, 0..10)].concat());
    assert_lies(&findings(vec![after(&[], early_again)]), "again");
}

#[test]
fn what_was_had_before_the_connection_is_noticed_when_it_comes_again() {
    let connections = vec![
        after(&[], steps(0, 0..5)),
        after(&[(0, 4)], [vec![event((0, 4))], steps(0, 5..10), steps(1, 0..10)].concat()),
    ];
    assert_lies(&findings(connections), "again");
}

/// What came and was not confirmed may come again, and has to.
#[test]
fn what_was_not_confirmed_comes_again_on_the_next_connection() {
    let first = [steps(0, 0..5), vec![early((0, 7))]].concat();
    let rest = [steps(0, 5..10), steps(1, 0..10)].concat();
    assert_true(&findings(vec![after(&[], first.clone()), after(&[(0, 4)], rest.clone())]));

    let without: Vec<_> = rest.into_iter().filter(|note| *note != event((0, 7))).collect();
    assert_lost(&findings(vec![after(&[], first), after(&[(0, 4)], without)]), 1);
}

#[test]
fn an_event_out_of_order_is_noticed_unless_it_is_early() {
    let swapped = vec![event((0, 1)), event((0, 0)), Note::UpTo((0, 1))];
    let rest = [steps(0, 2..10), steps(1, 0..10)].concat();
    let notes = [swapped, rest.clone()].concat();
    assert_lies(&findings(vec![after(&[], notes)]), "came after");

    let before = vec![early((0, 1)), event((0, 0)), Note::UpTo((0, 1))];
    let found = findings(vec![after(&[], [before, rest].concat())]);
    assert_true(&found);
    assert_eq!(found.early, 1);
}

#[test]
fn an_id_that_promises_too_much_is_noticed() {
    let mut notes = all();
    // The event comes, but only after the id that says so.
    notes.swap(10, 11);
    let found = findings(vec![after(&[], notes)]);
    assert_eq!((found.lost.len(), found.lies.len()), (1, 1), "{}", found.told());
}

#[test]
fn an_id_that_takes_back_what_came_is_noticed() {
    let back = |place, wanted: &Wanted| {
        let evens = |note: &Note| !matches!(note, Note::Event { place, .. } if place.1 % 2 > 0);
        let mut notes: Vec<_> = all().into_iter().filter(evens).collect();
        notes.extend([Note::Back(place), Note::UpTo((0, 9))]);
        findings_of(wanted, vec![after(&[], notes)], &log())
    };
    let wanted = Wanted::source("s", "even");
    assert_true(&back((0, 8), &wanted));
    assert_lies(&back((0, 7), &wanted), "back");
    assert_lies(&back((0, -1), &wanted), "back");
}

#[test]
fn what_is_not_in_the_log_or_not_the_same_or_not_asked_for_is_noticed() {
    let with = |note: Note| {
        let mut notes = all();
        notes.push(note);
        findings(vec![after(&[], notes)])
    };
    assert_lies(&with(event((0, 10))), "not in the log");

    let mut notes = all();
    notes[0] = Note::Event { place: (0, 0), hash: 7, has_id: true };
    assert_lies(&findings(vec![after(&[], notes)]), "not what lies");

    let wanted = Wanted::source("s", "even");
    let found = findings_of(&wanted, vec![after(&[], all())], &log());
    assert_eq!(found.lies.len(), 10, "{}", found.told());
}

#[test]
fn a_reader_of_one_source_needs_no_other() {
    let notes = |partition| {
        let evens = (0..10).step_by(2).flat_map(move |offset| step((partition, offset)));
        evens.chain([Note::UpTo((partition, 9))])
    };
    let notes: Vec<_> = notes(0).chain(notes(1)).collect();
    let wanted = Wanted::source("s", "even");
    let found = findings_of(&wanted, vec![after(&[], notes)], &log());
    assert_true(&found);
    assert_eq!(found.delivered, 10);
}

fn removed(below: i64) -> Log {
    let mut log = log();
    log.removes(&BTreeMap::from([(0, below)]));
    log
}

fn reset(position: &[Place]) -> Note {
    Note::Reset { reason: "removed".to_owned(), at: Instant::now(), position: at(position) }
}

#[test]
fn a_reset_excuses_what_retention_removed_and_nothing_else() {
    let log = removed(6);
    let told = |to: i64| {
        let first = vec![reset(&[(0, to), (1, 9)])];
        let rest = steps(0, to + 1..10);
        let connections = vec![after(&[(0, 1), (1, 9)], [first, rest].concat())];
        findings_of(&Wanted::everything(), connections, &log)
    };
    let found = told(5);
    assert_true(&found);
    assert_eq!((found.resets, found.removed), (1, 4));
    assert_lost(&told(7), 2);
}

#[test]
fn a_hole_without_a_reset_is_noticed() {
    let notes = [vec![Note::UpTo((0, 5))], steps(0, 6..10)].concat();
    let silent = vec![after(&[(0, 1), (1, 9)], notes)];
    assert_lost(&findings_of(&Wanted::everything(), silent, &removed(6)), 4);
}

#[test]
fn a_reset_for_nothing_or_one_too_many_is_noticed() {
    let notes = [vec![reset(&[(0, 1), (1, 9)])], steps(0, 2..10)].concat();
    let found = findings(vec![after(&[(0, 1), (1, 9)], notes)]);
    assert!(found.lies.iter().any(|lie| lie.contains("for nothing")), "{}", found.told());

    let log = {
        let mut log = log();
        log.removes(&BTreeMap::from([(0, 6), (1, 6)]));
        log
    };
    let twice = vec![reset(&[(0, 5), (1, 1)]), reset(&[(0, 5), (1, 5)])];
    let notes = [twice, steps(0, 6..10), steps(1, 6..10)].concat();
    let connections = vec![after(&[(0, 1), (1, 1)], notes)];
    assert_lies(&findings_of(&Wanted::everything(), connections, &log), "2 resets");

    let shortened =
        Note::Reset { reason: "shortened".into(), at: Instant::now(), position: at(&[(0, 9)]) };
    let notes = [all(), vec![shortened]].concat();
    let found = findings(vec![after(&[], notes)]);
    assert!(found.lies.iter().any(|lie| lie.contains("for nothing")), "{}", found.told());
}

#[test]
fn who_begins_before_everything_has_lost_nothing_that_is_gone() {
    let notes = [steps(0, 6..10), steps(1, 0..10)].concat();
    let found = findings_of(&Wanted::everything(), vec![after(&[], notes)], &removed(6));
    assert_true(&found);

    // But only at the beginning of a partition.
    let notes = [steps(0, 0..2), steps(0, 6..10), steps(1, 0..10)].concat();
    let found = findings_of(&Wanted::everything(), vec![after(&[], notes)], &removed(6));
    assert_lost(&found, 4);
}

#[test]
fn a_stream_from_now_on_begins_where_it_says() {
    let now = |notes| connection(Begins::Now { recent: 0 }, at(&[(0, 4), (1, 9)]), notes);
    assert_true(&findings(vec![now(steps(0, 5..10))]));
    assert_lost(&findings(vec![now([vec![Note::UpTo((0, 5))], steps(0, 6..10)].concat())]), 1);
    let ready_elsewhere =
        connection(Begins::After(at(&[(0, 4), (1, 9)])), at(&[(0, 9), (1, 9)]), vec![]);
    assert_lies(&findings(vec![ready_elsewhere]), "ready at");
}

#[test]
fn recent_events_are_the_newest_of_their_source() {
    let begun = |recent: &[i64]| {
        let first = recent.iter().map(|offset| early((0, *offset)));
        let notes = first.chain(step((0, 8))).chain([Note::UpTo((0, 9))]).collect();
        let begins = Begins::Now { recent: 2 };
        let connections = vec![connection(begins, at(&[(0, 7), (1, 9)]), notes)];
        let mut log = Log::default();
        (0..10).for_each(|offset| log.add(record((0, offset))));
        (0..10).for_each(|offset| {
            let odd = Record { source_id: "odd".into(), ..record((1, offset)) };
            log.add(odd);
        });
        findings_of(&Wanted::source("s", "even"), connections, &log)
    };
    let found = begun(&[4, 6]);
    assert_true(&found);
    assert_eq!((found.recent, found.early), (2, 0));
    for wrong in [&[6][..], &[2, 6], &[2, 4, 6]] {
        assert_lies(&begun(wrong), "recent events of even");
    }
    let found = begun(&[6, 4]);
    assert!(found.lies.iter().any(|lie| lie.contains("order")), "{}", found.told());
}

/// A source may have moved to another partition: which of two is newer is a matter of clocks, also
/// when one of them is removed after the question.
#[test]
fn recent_events_are_the_newest_of_whichever_partition() {
    let mut log = Log::default();
    (0..10).for_each(|offset| log.add(record((0, offset))));
    (0..10).for_each(|offset| log.add(record((1, offset))));
    log.removes(&at(&[(1, 10)]).into_iter().collect());
    let begun = |recent: &[Place]| {
        let first = recent.iter().map(|place| early(*place));
        let notes = first.chain(step((0, 8))).chain([Note::UpTo((0, 9))]).collect();
        let begins = Begins::Now { recent: 2 };
        let connections = vec![connection(begins, at(&[(0, 7), (1, 9)]), notes)];
        findings_of(&Wanted::source("s", "even"), connections, &log)
    };
    for right in [[(0, 4), (0, 6)], [(0, 6), (1, 8)], [(1, 6), (1, 8)]] {
        assert_true(&begun(&right));
    }
    for wrong in [&[(1, 8)][..], &[(0, 4), (1, 8)], &[(1, 4), (1, 6)]] {
        assert_lies(&begun(wrong), "recent events of even");
    }
}

/// An `id:` may take back what lies before the first event of a partition, by name or without.
#[test]
fn a_partition_of_which_nothing_came_is_named_or_not() {
    let back = |before: &[Place], after: &[Place]| {
        let first = connection(Begins::After(at(before)), at(before), vec![Note::Back((2, -1))]);
        let again = connection(
            Begins::After(at(after)),
            at(after),
            [steps(0, 0..10), steps(1, 0..10)].concat(),
        );
        findings(vec![first, again])
    };
    assert_true(&back(&[(2, 3)], &[(2, -1)]));
    assert_true(&back(&[(2, 3)], &[]));
}

/// What retention has removed may come for a moment, and is not due.
#[test]
fn recent_events_may_be_gone_by_now() {
    let mut log = Log::default();
    (0..10).for_each(|offset| log.add(record((0, offset))));
    log.removes(&at(&[(0, 6)]).into_iter().collect());
    log.forget();
    let begun = |recent: &[i64]| {
        let first = recent.iter().map(|offset| early((0, *offset)));
        let notes = first.chain(step((0, 8))).chain([Note::UpTo((0, 9))]).collect();
        let begins = Begins::Now { recent: 2 };
        let connections = vec![connection(begins, at(&[(0, 7)]), notes)];
        findings_of(&Wanted::source("s", "even"), connections, &log)
    };
    assert_true(&begun(&[6]));
    assert_true(&begun(&[4, 6]));
    assert_lies(&begun(&[]), "0 came, and 1 were due");
}

/// What is noted is what came: blocks as they are on the wire.
mod books {
    use serde_json::json;

    use super::super::super::book::{Book, position};
    use super::super::super::log::told;
    use super::*;
    use crate::harness::load::journal::hash;
    use crate::harness::stream::Message;

    fn message(name: &str, data: &str, id: Option<&str>, last_id: &str) -> Message {
        Message {
            name: name.to_owned(),
            data: serde_json::from_str(data).unwrap_or_default(),
            text: data.to_owned(),
            has_id: id.is_some(),
            last_id: id.unwrap_or(last_id).to_owned(),
        }
    }

    fn begun(is_whole: bool) -> Book {
        let mut book = Book::new(is_whole);
        let ready = message("ready", r#"{"position":"0-3"}"#, Some("0-3"), "");
        assert!(book.begin(1, Begins::Now { recent: 0 }, &ready));
        book
    }

    #[test]
    fn an_event_its_id_and_a_beat() {
        let mut book = begun(false);
        let data = json!({"id": "1", "type": "t", "source_type": "s", "source_id": "i",
                          "cursor": "0-5"});
        book.note(&message("message", &data.to_string(), None, "0-3"));
        book.note(&message("message", &data.to_string(), Some("0-5,1-7"), ""));
        book.note(&message("beat", "", Some("0-9,1-7"), ""));
        let hash = told("1", "t", "s", "i");
        let event = |has_id| Note::Event { place: (0, 5), hash, has_id };
        let upto = |place| Note::UpTo(place);
        let notes = [event(false), event(true), upto((0, 5)), upto((1, 7)), upto((0, 9))];
        assert_eq!(book.connections[0].notes, notes);
        assert_eq!(book.last_id.as_deref(), Some("0-9,1-7"));
        book.note(&message("beat", "", Some("0-8"), ""));
        assert_eq!(book.connections[0].notes[5..], [Note::Back((0, 8)), Note::Back((1, -1))]);
    }

    #[test]
    fn the_bytes_of_an_event() {
        let mut book = begun(true);
        let data = r#"{"cursor":"0-4","time":"x","event":{ "a":1.0 }}"#;
        book.note(&message("message", data, None, "0-3"));
        let hash = hash(br#"{ "a":1.0 }"#);
        assert_eq!(book.connections[0].notes, [Note::Event { place: (0, 4), hash, has_id: false }]);
    }

    #[test]
    fn what_is_no_stream_is_a_lie() {
        let mut book = begun(false);
        book.note(&message("message", "{}", None, "0-3"));
        book.note(&message("closed", r#"{"reason":"?"}"#, None, "0-3"));
        book.note(&message("reset", r#"{"reason":"removed","position":"0-8"}"#, None, "0-3"));
        assert_eq!(book.lies.len(), 3);
        assert!(!Book::new(false).begin(
            0,
            Begins::Now { recent: 0 },
            &message("beat", "", None, "")
        ));
        assert_eq!(position("0-1,3-4"), at(&[(0, 1), (3, 4)]));
    }

    #[test]
    fn a_page_that_is_turned_goes_on_where_it_was() {
        let mut book = begun(false);
        book.note(&message("beat", "", Some("0-9"), ""));
        let page = book.turn_page();
        assert_eq!(page.connections[0].notes.len(), 1);
        let next = &book.connections[0];
        assert_eq!((&next.begins, &next.ready), (&Begins::After(at(&[(0, 9)])), &at(&[(0, 9)])));
        assert_eq!((next.ended, book.last_id.as_deref()), (Ended::Open, Some("0-9")));
    }
}
