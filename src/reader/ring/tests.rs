use std::collections::BTreeMap;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn event(partition: i32, offset: i64, source: &str, size: usize) -> StoredEvent {
    let cursor = Cursor::new(partition, offset).unwrap();
    let texts = ["id", "type", "repo", source, "application/json"];
    StoredEvent::new(cursor, offset, texts, &vec![b'1'; size]).unwrap()
}

fn source(id: &str) -> Source {
    Source::new("repo", id).unwrap()
}

fn cursor(partition: i32, offset: i64) -> Cursor {
    Cursor::new(partition, offset).unwrap()
}

fn offsets(events: &[StoredEvent]) -> Vec<i64> {
    events.iter().map(|event| event.cursor().offset()).collect()
}

/// Room for so many events of `event(_, _, "a", 100)`.
fn room_for(count: usize) -> usize {
    count * cost(&event(0, 0, "a", 100))
}

#[test]
fn what_turns_out_to_be_no_json_is_no_event() {
    let texts = ["id", "type", "repo", "a", "application/json"];
    let mut ring = Ring::new(room_for(10));
    ring.push(Candidate::new(event(0, 5, "a", 100)));
    ring.push(Candidate::new(StoredEvent::new(cursor(0, 6), 6, texts, b"{").unwrap()));
    ring.push(Candidate::new(event(0, 7, "a", 100)));

    assert_eq!(ring.get(cursor(0, 6)), Hit::NoEvent);
    let (recent, from) = ring.recent(&source("a"), 0, None, 10);
    assert_eq!((offsets(&recent), from), (vec![7, 5], 5));
    for selection in [Selection::everything(), Selection::of(source("a"))] {
        let found = ring.between(0, 5..8, &selection).unwrap().into_iter();
        let events = found.filter_map(Candidate::event);
        assert_eq!(events.map(|event| event.cursor().offset()).collect::<Vec<_>>(), [5, 7]);
    }
}

#[test]
fn a_cursor_is_an_event_or_none_or_unknown() {
    let mut ring = Ring::new(room_for(10));
    ring.push(Candidate::new(event(0, 5, "a", 100)));
    ring.push(Candidate::new(event(0, 8, "b", 100)));
    ring.advance(0, 11);

    assert_eq!(ring.get(cursor(0, 5)), Hit::Event(event(0, 5, "a", 100)));
    assert_eq!(ring.get(cursor(0, 6)), Hit::NoEvent);
    assert_eq!(ring.get(cursor(0, 10)), Hit::NoEvent);
    for unknown in [cursor(0, 4), cursor(0, 11), cursor(1, 5)] {
        assert_eq!(ring.get(unknown), Hit::Miss, "{unknown}");
    }
    assert_eq!((ring.covers(0), ring.covers(1)), (Some(5..11), None));
}

#[test]
fn recent_events_are_those_of_the_source_newest_first() {
    let mut ring = Ring::new(room_for(10));
    for (offset, source) in [(1, "a"), (2, "b"), (3, "a"), (5, "a")] {
        ring.push(Candidate::new(event(0, offset, source, 100)));
    }
    let of_another_type = ["id", "type", "user", "a", "application/json"];
    ring.push(Candidate::new(StoredEvent::new(cursor(0, 6), 0, of_another_type, b"1").unwrap()));
    let recent = |before, limit| {
        let (events, from) = ring.recent(&source("a"), 0, before, limit);
        (offsets(&events), from)
    };
    assert_eq!(recent(None, 10), (vec![5, 3, 1], 1));
    assert_eq!(recent(Some(5), 10), (vec![3, 1], 1));
    assert_eq!(recent(None, 2), (vec![5, 3], 3));
    assert_eq!(recent(None, 3), (vec![5, 3, 1], 1));
    assert_eq!(recent(None, 0), (vec![], 7));
    assert_eq!(recent(Some(0), 10), (vec![], 0));
    assert_eq!(ring.recent(&source("c"), 0, None, 10), (vec![], 1));
    assert_eq!(ring.recent(&source("a"), 7, Some(4), 10), (vec![], 4));
}

#[test]
fn the_oldest_by_arrival_goes_first() {
    let mut ring = Ring::new(room_for(3));
    for (partition, offset) in [(0, 1), (1, 70), (0, 2), (1, 71)] {
        ring.push(Candidate::new(event(partition, offset, "a", 100)));
    }
    assert_eq!((ring.covers(0), ring.covers(1)), (Some(2..3), Some(70..72)));
    assert_eq!((ring.len(), ring.bytes()), (3, room_for(3)));
    ring.push(Candidate::new(event(2, 0, "a", 100)));
    assert_eq!((ring.covers(0), ring.covers(1)), (Some(2..3), Some(71..72)));
}

#[test]
fn an_event_that_is_larger_than_all_of_it_is_not_kept() {
    let mut ring = Ring::new(room_for(3));
    ring.push(Candidate::new(event(0, 1, "a", 100)));
    ring.push(Candidate::new(event(0, 2, "a", 10_000)));
    assert_eq!((ring.len(), ring.bytes(), ring.covers(0)), (0, 0, Some(3..3)));
}

#[test]
fn what_is_not_ahead_is_not_taken() {
    let mut ring = Ring::new(room_for(3));
    ring.push(Candidate::new(event(0, 5, "a", 100)));
    ring.push(Candidate::new(event(0, 5, "b", 100)));
    ring.push(Candidate::new(event(0, 4, "b", 100)));
    ring.advance(0, 3);
    assert_eq!((ring.len(), ring.covers(0)), (1, Some(5..6)));
}

#[test]
fn after_a_restart_only_the_other_partitions_are_known() {
    let mut ring = Ring::new(room_for(10));
    for (partition, offset) in [(0, 1), (1, 70), (0, 2)] {
        ring.push(Candidate::new(event(partition, offset, "a", 100)));
    }
    ring.restart(0, 0);
    assert_eq!((ring.covers(0), ring.bytes()), (Some(0..0), room_for(1)));
    ring.push(Candidate::new(event(0, 1, "b", 100)));
    assert_eq!(ring.get(cursor(0, 1)), Hit::Event(event(0, 1, "b", 100)));
    assert_eq!(ring.get(cursor(0, 0)), Hit::NoEvent);
    assert_eq!(ring.get(cursor(1, 70)), Hit::Event(event(1, 70, "a", 100)));
}

#[test]
fn a_million_sources_that_are_gone_leave_nothing_behind() {
    let mut ring = Ring::new(room_for(1_000));
    for offset in 0..1_000_000 {
        ring.push(Candidate::new(event(0, offset, &offset.to_string(), 10)));
    }
    let partition = &ring.partitions[&0];
    assert_eq!(partition.sources(), ring.len());
    assert!(partition.capacity() <= 3 * ring.len(), "{}", partition.capacity());

    ring.push(Candidate::new(event(0, 1_000_000, "a", room_for(900))));
    let partition = &ring.partitions[&0];
    assert!(partition.capacity() < 1_000 && ring.arrivals.capacity() < 1_000);
}

#[derive(Debug, Clone)]
enum Step {
    Push { partition: i32, gap: i64, source: usize, size: usize },
    Advance { partition: i32, gap: i64 },
    Restart { partition: i32, from: i64 },
}

const SOURCES: [&str; 3] = ["a", "b", "c"];
const PARTITIONS: Range<i32> = 0..3;
/// Room for some four events.
const MAX: usize = 2_000;

fn step() -> impl Strategy<Value = Step> {
    let push = (PARTITIONS, -1_i64..3, 0..SOURCES.len(), 1_usize..300);
    prop_oneof![
        20 => push.prop_map(|(partition, gap, source, size)| {
            Step::Push { partition, gap, source, size }
        }),
        3 => (PARTITIONS, -1_i64..4).prop_map(|(partition, gap)| Step::Advance { partition, gap }),
        1 => (PARTITIONS, 0_i64..50).prop_map(|(partition, from)| {
            Step::Restart { partition, from }
        }),
    ]
}

/// The same, slowly.
#[derive(Default)]
struct Model {
    events: Vec<StoredEvent>,
    covered: BTreeMap<i32, Range<i64>>,
}

impl Model {
    fn end(&self, partition: i32) -> i64 {
        self.covered.get(&partition).map_or(0, |range| range.end)
    }

    fn push(&mut self, event: StoredEvent) {
        let (partition, offset) = (event.cursor().partition(), event.cursor().offset());
        let covered = self.covered.entry(partition).or_insert(offset..offset);
        if offset < covered.end {
            return;
        }
        covered.end = offset + 1;
        self.events.push(event);
        while self.bytes() > MAX {
            let gone = self.events.remove(0).cursor();
            self.covered.get_mut(&gone.partition()).unwrap().start = gone.offset() + 1;
        }
    }

    fn bytes(&self) -> usize {
        self.events.iter().map(cost).sum()
    }

    fn get(&self, cursor: Cursor) -> Hit {
        let covered = self.covered.get(&cursor.partition());
        if !covered.is_some_and(|range| range.contains(&cursor.offset())) {
            return Hit::Miss;
        }
        let event = self.events.iter().find(|event| event.cursor() == cursor);
        event.cloned().map_or(Hit::NoEvent, Hit::Event)
    }

    fn recent(&self, id: &str, partition: i32, before: i64) -> Vec<StoredEvent> {
        let of_partition = |event: &&StoredEvent| event.cursor().partition() == partition;
        self.events
            .iter()
            .rev()
            .filter(of_partition)
            .filter(|event| event.source_id() == id && event.cursor().offset() < before)
            .cloned()
            .collect()
    }
}

fn apply(step: Step, ring: &mut Ring, model: &mut Model) {
    match step {
        Step::Push { partition, gap, source, size } => {
            let offset = (model.end(partition) + gap).max(0);
            let event = event(partition, offset, SOURCES[source], size);
            ring.push(Candidate::new(event.clone()));
            model.push(event);
        }
        Step::Advance { partition, gap } => {
            let next = (model.end(partition) + gap).max(0);
            ring.advance(partition, next);
            let covered = model.covered.entry(partition).or_insert(next..next);
            covered.end = covered.end.max(next);
        }
        Step::Restart { partition, from } => {
            ring.restart(partition, from);
            model.covered.insert(partition, from..from);
            model.events.retain(|event| event.cursor().partition() != partition);
        }
    }
}

proptest! {
    #[test]
    fn it_answers_as_a_list_of_all_events_would(
        steps in vec(step(), 0..80),
        before in 0_i64..120,
        limit in 0_usize..5,
    ) {
        let (mut ring, mut model) = (Ring::new(MAX), Model::default());
        for step in steps {
            apply(step, &mut ring, &mut model);
            prop_assert_eq!(ring.bytes(), model.bytes());
            prop_assert!(ring.bytes() <= MAX);
        }
        for partition in PARTITIONS {
            prop_assert_eq!(ring.covers(partition), model.covered.get(&partition).cloned());
            for offset in 0..150 {
                let cursor = cursor(partition, offset);
                prop_assert_eq!(ring.get(cursor), model.get(cursor));
            }
            for id in SOURCES {
                let all = model.recent(id, partition, before);
                let (events, from) = ring.recent(&source(id), partition, Some(before), limit);
                prop_assert_eq!(&events[..], &all[..limit.min(all.len())]);
                // What is missing lies below what the answer vouches for.
                let missing = all.get(events.len()).map_or(-1, |event| event.cursor().offset());
                prop_assert!(missing < from && from <= before);
                let (all_events, _) = ring.recent(&source(id), partition, None, usize::MAX);
                prop_assert_eq!(all_events, model.recent(id, partition, i64::MAX));
            }
        }
    }
}
