//! Page by page: each event once, whatever the log, the limits and the bounds of a scan.

use std::collections::{BTreeMap, BTreeSet};

use dual_stream::cursor::Cursor;
use dual_stream::kafka::partitions_of;
use dual_stream::position::Position;
use dual_stream::reader::{Page, ReadError, Reader, Start, StoredEvent};
use fastrand::Rng;

use crate::rig::{Builder, Log, Record, Rig, ids, now, source};

/// Sources of a random log.
const SOURCES: usize = 5;
const PARTITIONS: i32 = 3;

/// A random log: events of several sources over all partitions, records of others among them.
struct Random {
    log: Log,
    /// The cursors of each source.
    written: BTreeMap<String, BTreeSet<Cursor>>,
}

impl Random {
    async fn write(rng: &mut Rng, most: usize) -> Self {
        let log = Log::create(PARTITIONS, &[]).await;
        let mut records = Vec::new();
        let mut time = now();
        for n in 0..rng.usize(0..most) {
            time += rng.i64(-2..8);
            let source = format!("s{}", rng.usize(0..SOURCES));
            let partition = *rng.choice(&places(&source)).unwrap();
            let record = Record::event(partition, &source, &n.to_string()).at(time);
            records.push(match rng.u8(0..8) {
                0 => Record { headers: Vec::new(), ..record },
                1 => Record { value: None, ..record },
                // Of the same key and another type.
                2 => Record {
                    headers: vec![
                        ("id", n.to_string()),
                        ("type", "t".to_owned()),
                        ("source_type", "org".to_owned()),
                    ],
                    ..record
                },
                _ => record,
            });
        }
        let cursors = log.write(&records).await;
        let mut written: BTreeMap<String, BTreeSet<Cursor>> = BTreeMap::new();
        for (record, cursor) in records.iter().zip(cursors) {
            if record.headers.len() == 4 && record.value.is_some() {
                written.entry(record.key.clone().unwrap()).or_default().insert(cursor);
            }
        }
        Random { log, written }
    }

    fn of(&self, source: &str) -> BTreeSet<Cursor> {
        self.written.get(source).cloned().unwrap_or_default()
    }
}

/// Where events of a source may be, when the topic may have had fewer partitions.
fn places(source: &str) -> Vec<i32> {
    partitions_of(source.as_bytes(), PARTITIONS, &[])
}

/// A reader with random bounds.
fn bounded(rng: &mut Rng, log: &Log) -> Builder {
    let builder = log
        .reader()
        .set("reader.scan_records", rng.usize(1..400))
        .set("reader.page_bytes", format!("{}B", rng.usize(1024..20_000)));
    match rng.u8(0..3) {
        0 => builder.without_memory(),
        1 => builder.set("reader.memory", "20KiB").set("reader.warm", "10KiB"),
        _ => builder,
    }
}

fn check_order(events: &[StoredEvent], is_forward: bool) {
    let mut last: BTreeMap<i32, i64> = BTreeMap::new();
    for event in events {
        let cursor = event.cursor();
        let before = last.insert(cursor.partition(), cursor.offset());
        let grows = before.is_none_or(|before| (before < cursor.offset()) == is_forward);
        assert!(grows, "within a partition by offset: {before:?}, then {cursor}");
    }
}

async fn forward(
    rig: &Rig,
    rng: &mut Rng,
    id: &str,
    mut start: Start,
) -> (Vec<StoredEvent>, Position) {
    let mut events = Vec::new();
    for _ in 0..10_000 {
        let limit = rng.usize(1..40);
        let page = rig.reader.replay(&source(id), &start, limit).await.unwrap();
        assert!(page.events.len() <= limit);
        let is_end = page.complete && page.events.len() < limit;
        events.extend(page.events);
        let next = page.next.expect("there always is a next");
        if is_end {
            return (events, next);
        }
        start = Start::After(next);
    }
    panic!("paging does not come to an end");
}

async fn backward(rig: &Rig, rng: &mut Rng, id: &str) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    let mut before: Option<Position> = None;
    for _ in 0..10_000 {
        let limit = rng.usize(1..40);
        let page = rig.reader.recent(&source(id), before.as_ref(), limit).await.unwrap();
        assert!(page.events.len() <= limit);
        events.extend(page.events);
        match page.next {
            Some(next) => before = Some(next),
            None => return events,
        }
    }
    panic!("paging does not come to an end");
}

fn cursors(events: &[StoredEvent]) -> Vec<Cursor> {
    events.iter().map(StoredEvent::cursor).collect()
}

fn assert_once(events: &[StoredEvent], expected: &BTreeSet<Cursor>, what: &str) {
    let seen = cursors(events);
    let set: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(set.len(), seen.len(), "{what}: an event came twice");
    let different: Vec<_> = set.symmetric_difference(expected).collect();
    assert!(different.is_empty(), "{what}: missing, or not the source's: {different:?}");
}

#[tokio::test]
async fn following_next_gives_each_event_once_in_both_directions() {
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let random = Random::write(&mut rng, 1500).await;
        let rig = bounded(&mut rng, &random.log).start().await;
        for number in 0..SOURCES {
            let id = format!("s{number}");
            let what = format!("seed {seed}, source {id}");
            let (replayed, next) =
                forward(&rig, &mut rng, &id, Start::After(Position::beginning())).await;
            assert_once(&replayed, &random.of(&id), &what);
            check_order(&replayed, true);
            let (more, _) = forward(&rig, &mut rng, &id, Start::After(next)).await;
            assert_eq!(ids(&more), [""; 0], "{what}");
            let recent = backward(&rig, &mut rng, &id).await;
            assert_once(&recent, &random.of(&id), &what);
            check_order(&recent, false);
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn what_is_written_while_paging_forward_is_found_by_following_next() {
    let mut rng = Rng::with_seed(7);
    let log = Log::create(PARTITIONS, &[]).await;
    let rig = log.reader().start().await;
    let (mut seen, mut written) = (Vec::new(), BTreeSet::new());
    let mut start = Start::After(Position::beginning());
    for round in 0..20 {
        let records: Vec<_> = (0..rng.usize(0..30))
            .map(|n| {
                Record::event(*rng.choice(&places("s")).unwrap(), "s", &format!("{round}-{n}"))
            })
            .collect();
        written.extend(log.write(&records).await);
        let (events, next) = forward(&rig, &mut rng, "s", start).await;
        seen.extend(events);
        start = Start::After(next);
        assert_once(&seen, &written, &format!("round {round}"));
    }
    rig.stop().await;
}

/// Pages forward while the head of the log is cut. Events that went before they were read are told
/// of by `Removed`, unless nothing had been read of their partition yet.
async fn forward_while_cut(
    reader: &Reader,
    rng: &mut Rng,
    random: &Random,
    id: &str,
) -> (Vec<StoredEvent>, Vec<(Position, Position)>) {
    let mut events = Vec::new();
    let mut removed = Vec::new();
    let mut position = Position::beginning();
    let mut lows = [0_i64; PARTITIONS as usize];
    for _ in 0..10_000 {
        if rng.u8(0..3) == 0 {
            let partition = rng.i32(0..PARTITIONS);
            let low = &mut lows[partition as usize];
            *low += rng.i64(0..40);
            let last = random.written.values().flatten().filter(|c| c.partition() == partition);
            *low = (*low).min(last.map(|c| c.offset()).max().unwrap_or(0));
            random.log.delete_before(partition, *low).await;
        }
        let limit = rng.usize(1..20);
        match reader.replay(&source(id), &Start::After(position.clone()), limit).await {
            Ok(Page { events: more, next, complete }) => {
                let is_end = complete && more.len() < limit;
                events.extend(more);
                position = next.unwrap();
                if is_end {
                    return (events, removed);
                }
            }
            Err(ReadError::Removed { earliest }) => {
                removed.push((position.clone(), earliest.clone()));
                position = earliest;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("paging does not come to an end");
}

#[tokio::test]
async fn while_retention_cuts_the_head_each_event_comes_once_or_is_said_to_be_removed() {
    let mut told = 0;
    for seed in 100..110 {
        let mut rng = Rng::with_seed(seed);
        let random = Random::write(&mut rng, 1000).await;
        let rig = bounded(&mut rng, &random.log).start().await;
        let (events, removed) = forward_while_cut(&rig.reader, &mut rng, &random, "s1").await;
        told += removed.len();
        let seen: BTreeSet<_> = cursors(&events).into_iter().collect();
        assert_eq!(seen.len(), events.len(), "seed {seed}: an event came twice");
        for missing in random.of("s1").difference(&seen) {
            let partition = missing.partition();
            let is_told = removed.iter().any(|(from, to)| {
                from.offset(partition).unwrap_or(-1) < missing.offset()
                    && to.offset(partition).is_some_and(|to| to >= missing.offset())
            });
            // Of a partition of which nothing was read the log begins where it begins.
            let first = seen.iter().find(|cursor| cursor.partition() == partition);
            let is_before = first.is_none_or(|first| missing < first);
            assert!(is_told || is_before, "seed {seed}: {missing} is missing");
        }
        check_order(&events, true);
        rig.stop().await;
    }
    assert!(told > 0, "retention never overtook a reader: the test shows nothing");
}

#[tokio::test]
async fn while_retention_cuts_the_head_looking_back_ends_where_the_log_begins() {
    for seed in 200..206 {
        let mut rng = Rng::with_seed(seed);
        let random = Random::write(&mut rng, 1000).await;
        let rig = bounded(&mut rng, &random.log).start().await;
        let mut seen = Vec::new();
        let mut before: Option<Position> = None;
        let mut low = 0;
        for page in 0.. {
            assert!(page < 10_000, "seed {seed}: paging does not come to an end");
            let page = rig.reader.recent(&source("s1"), before.as_ref(), 10).await.unwrap();
            seen.extend(page.events);
            let Some(next) = page.next else { break };
            before = Some(next);
            low += rng.i64(0..5);
            let high = random.written.values().flatten().filter(|c| c.partition() == 0);
            let low = low.min(high.map(|c| c.offset()).max().unwrap_or(0));
            random.log.delete_before(0, low).await;
        }
        let missing: Vec<_> =
            random.of("s1").into_iter().filter(|c| !cursors(&seen).contains(c)).collect();
        assert!(
            missing.iter().all(|c| c.partition() == 0 && c.offset() < low),
            "seed {seed}: {missing:?}"
        );
        check_order(&seen, false);
        rig.stop().await;
    }
}
