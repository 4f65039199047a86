//! A follower against a model: a log that grows, a tail that comes behind it, news that come early,
//! late, twice, never, or are made up, queues that end at any time, and clients that come again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::places::Meaning;
use super::*;

const PARTITIONS: i32 = 3;

/// Something that happens.
#[derive(Debug, Clone)]
enum Act {
    /// A record is written; whether the follower follows it.
    Write(i32, bool),
    /// The tail reads on.
    Tail(i32),
    /// The tail begins anew, so many records before where it was, or behind it.
    Restart(i32, i64),
    /// News of one of the last events come, in whatever order.
    News(i32, usize),
    /// News of the next event that was not announced yet come, as from a single instance.
    Announce(i32),
    /// The same are lost, and whoever hears them knows.
    Lose(i32),
    /// The same are left out of the queue.
    LeaveOut(i32),
    /// Somebody makes news up, of what lies so far from the end.
    Lie(i32, i64),
    /// The follower takes what comes next: of the log first, then of the queue.
    Take,
    Beat,
    Tear,
    /// The client comes again with the last id.
    Reconnect,
}

/// Whatever may happen with the log and the tail.
fn log_act() -> impl Strategy<Value = Act> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        6 => (partition.clone(), any::<bool>()).prop_map(|(p, own)| Act::Write(p, own)),
        8 => partition.clone().prop_map(Act::Tail),
        1 => (partition, -3i64..3).prop_map(|(p, by)| Act::Restart(p, by)),
        8 => Just(Act::Take),
        2 => Just(Act::Beat),
        1 => Just(Act::Tear),
        1 => Just(Act::Reconnect),
    ]
}

/// With news in any order, and such that are not true.
fn act() -> impl Strategy<Value = Act> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        27 => log_act(),
        3 => (partition.clone(), 0usize..4).prop_map(|(p, back)| Act::News(p, back)),
        3 => partition.clone().prop_map(Act::Announce),
        1 => (partition, -3i64..5).prop_map(|(p, ahead)| Act::Lie(p, ahead)),
    ]
}

/// With true news in the order of the log, some of which are lost.
fn orderly_act() -> impl Strategy<Value = Act> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        27 => log_act(),
        8 => partition.clone().prop_map(Act::Announce),
        1 => partition.clone().prop_map(Act::Lose),
        1 => partition.prop_map(Act::LeaveOut),
    ]
}

/// Everything around the follower.
struct World {
    log: BTreeMap<i32, Vec<bool>>,
    places: Places,
    /// What the tail reads next, and whether it has reached the end since it began.
    tail: BTreeMap<i32, (i64, bool)>,
    merge: Merge,
    joined: Option<Joined>,
    start: Position,
    /// The last id that the client was told.
    id: Position,
    /// What has come over this connection, and over all of them.
    connection: BTreeSet<Cursor>,
    all: BTreeSet<Cursor>,
    latest: BTreeMap<i32, i64>,
    /// Up to where events were announced, or lost.
    announced: BTreeMap<i32, usize>,
    epoch: u64,
    has_left_out: bool,
    /// Whether what is told early is held to be in order, too.
    is_orderly: bool,
    /// How many were told early.
    early: usize,
}

struct Joined {
    places: Places,
    stretches: Vec<Stretch>,
    missing: VecDeque<Cursor>,
    is_reading: bool,
    queue: VecDeque<Waiting>,
}

enum Waiting {
    Message(Cursor, Position),
    News(Cursor, Place, bool),
}

/// The mark of what really lies there.
fn mark(cursor: Cursor) -> u64 {
    cursor.offset() as u64
}

const LIE: u64 = u64::MAX;

impl World {
    fn new(start: Position, merge: Merge, places: Places, log: BTreeMap<i32, Vec<bool>>) -> Self {
        let end =
            |(&partition, records): (&i32, &Vec<bool>)| (partition, (records.len() as i64, true));
        World {
            tail: log.iter().map(end).collect(),
            log,
            places,
            merge,
            joined: None,
            id: start.clone(),
            start,
            connection: BTreeSet::new(),
            all: BTreeSet::new(),
            latest: BTreeMap::new(),
            announced: BTreeMap::new(),
            epoch: 0,
            has_left_out: false,
            is_orderly: false,
            early: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write(partition, is_own) => self.log.get_mut(&partition).unwrap().push(is_own),
            Act::Tail(partition) => self.read_on(partition),
            Act::Restart(partition, by) => self.restart(partition, by),
            Act::News(partition, back) => self.news(partition, back),
            Act::Announce(partition) => {
                if let Some(cursor) = self.next_announced(partition) {
                    self.hear(cursor, mark(cursor));
                }
            }
            Act::Lose(partition) => {
                self.next_announced(partition);
                self.epoch += 1;
            }
            Act::LeaveOut(partition) => {
                self.has_left_out |= self.next_announced(partition).is_some();
            }
            Act::Lie(partition, ahead) => {
                let end = self.log[&partition].len() as i64;
                if let Some(cursor) = Cursor::new(partition, end + ahead) {
                    self.hear(cursor, LIE);
                }
            }
            Act::Take => self.take(),
            Act::Beat => self.beat(),
            Act::Tear => self.joined = None,
            Act::Reconnect => self.reconnect(),
        }
    }

    fn read_on(&mut self, partition: i32) {
        let (next, is_live) = self.tail.get_mut(&partition).unwrap();
        let Some(&is_own) = self.log[&partition].get(*next as usize) else {
            let is_torn = !*is_live && self.places.live(partition) == Meaning::Torn;
            *is_live = true;
            if is_torn {
                self.joined = None;
            }
            return;
        };
        let cursor = Cursor::new(partition, *next).unwrap();
        *next += 1;
        let is_new = self.places.read(partition, cursor.offset()) == Meaning::New;
        if let Some(joined) = self.joined.as_mut().filter(|_| is_new && is_own) {
            joined.queue.push_back(Waiting::Message(cursor, self.places.position()));
        }
    }

    fn restart(&mut self, partition: i32, by: i64) {
        let end = self.log[&partition].len() as i64;
        let (next, is_live) = self.tail.get_mut(&partition).unwrap();
        *next = (*next + by).clamp(0, end);
        *is_live = false;
        self.places.restart(partition, *next);
    }

    fn news(&mut self, partition: i32, back: usize) {
        let own = self.log[&partition].iter().enumerate().filter(|(_, is_own)| **is_own);
        let Some((offset, _)) = own.rev().nth(back) else { return };
        let cursor = Cursor::new(partition, offset as i64).unwrap();
        self.hear(cursor, mark(cursor));
    }

    /// The next event that was not announced yet.
    fn next_announced(&mut self, partition: i32) -> Option<Cursor> {
        let announced = self.announced.entry(partition).or_default();
        let own = self.log[&partition].iter().skip(*announced).position(|is_own| *is_own)?;
        *announced += own + 1;
        Cursor::new(partition, *announced as i64 - 1)
    }

    /// As the hub does.
    fn hear(&mut self, cursor: Cursor, mark: u64) {
        let Some(joined) = &mut self.joined else { return };
        if self.places.ahead(cursor).is_some_and(|ahead| ahead >= 0) {
            let channel = u64::try_from(cursor.partition()).unwrap();
            let place = Place { mark, channel, epoch: self.epoch };
            let has_left_out = std::mem::take(&mut self.has_left_out);
            joined.queue.push_back(Waiting::News(cursor, place, has_left_out));
        }
    }

    fn take(&mut self) {
        let Some(mut joined) = self.joined.take() else { return self.join() };
        if let Some(cursor) = joined.missing.pop_front() {
            self.joined = Some(joined);
            if self.merge.take(cursor, || mark(cursor)) == Taken::New {
                self.deliver(cursor, true);
            }
            return self.told(self.merge.position());
        }
        if joined.is_reading {
            joined.is_reading = false;
            self.merge.joined(&joined.stretches, &joined.places);
        }
        let next = joined.queue.pop_front();
        self.joined = Some(joined);
        match next {
            Some(Waiting::Message(cursor, position)) => self.take_message(cursor, position),
            Some(Waiting::News(cursor, place, has_missed)) => {
                let is_told = self.merge.take_early(cursor, place, has_missed);
                if is_told && place.mark != LIE {
                    self.early += 1;
                    self.deliver(cursor, self.is_orderly);
                }
            }
            None => {}
        }
    }

    fn take_message(&mut self, cursor: Cursor, position: Position) {
        match self.merge.take(cursor, || mark(cursor)) {
            Taken::New => {
                self.deliver(cursor, true);
                self.told(if self.merge.is_level() { position } else { self.merge.position() });
            }
            Taken::Told => self.told(self.merge.position()),
            Taken::Old => {}
        }
    }

    fn join(&mut self) {
        let places = self.places.clone();
        let stretches = self.merge.join(&places);
        let mut missing = VecDeque::new();
        for stretch in &stretches {
            let own = (stretch.from..stretch.to)
                .filter(|offset| self.log[&stretch.partition][*offset as usize]);
            missing.extend(own.map(|offset| Cursor::new(stretch.partition, offset).unwrap()));
        }
        let is_reading = !stretches.is_empty();
        let queue = VecDeque::new();
        self.joined = Some(Joined { places, stretches, missing, is_reading, queue });
    }

    fn beat(&mut self) {
        let is_following = self.joined.as_ref().is_some_and(|joined| !joined.is_reading);
        if is_following {
            let places = self.places.clone();
            while self.joined.as_ref().is_some_and(|joined| !joined.queue.is_empty()) {
                self.take();
            }
            self.merge.confirm(&places);
        }
        self.told(self.merge.position());
    }

    fn reconnect(&mut self) {
        self.joined = None;
        self.merge = Merge::after(&self.id);
        self.connection.clear();
        self.latest.clear();
    }

    fn deliver(&mut self, cursor: Cursor, is_in_order: bool) {
        assert!(self.connection.insert(cursor), "{cursor} came twice");
        self.all.insert(cursor);
        if is_in_order {
            let latest = self.latest.insert(cursor.partition(), cursor.offset());
            assert!(
                latest.is_none_or(|latest| latest < cursor.offset()),
                "{cursor} is out of order"
            );
        }
    }

    /// The client takes this for what has come.
    fn told(&mut self, id: Position) {
        for (&partition, records) in &self.log {
            let Some(upto) = id.offset(partition) else { continue };
            for offset in self.first(partition)..=upto.min(records.len() as i64 - 1) {
                let cursor = Cursor::new(partition, offset).unwrap();
                let has_come = !records[offset as usize] || self.all.contains(&cursor);
                assert!(has_come, "{id} was told before {cursor} had come");
            }
        }
        self.id = id;
    }

    fn first(&self, partition: i32) -> i64 {
        self.start.offset(partition).map_or(0, |offset| offset + 1)
    }

    /// Lets everything come to rest.
    fn end(&mut self) {
        for partition in 0..PARTITIONS {
            for _ in 0..=self.log[&partition].len() {
                self.read_on(partition);
            }
        }
        let records: usize = self.log.values().map(Vec::len).sum();
        (0..records + 4).for_each(|_| self.take());
        self.beat();
        assert!(self.merge.early.is_empty() || !self.is_orderly);
        for (&partition, records) in &self.log {
            for offset in self.first(partition)..records.len() as i64 {
                let cursor = Cursor::new(partition, offset).unwrap();
                let has_come = !records[offset as usize] || self.all.contains(&cursor);
                assert!(has_come, "{cursor} never came");
            }
        }
        assert_eq!(self.id, self.places.position());
    }
}

fn log() -> impl Strategy<Value = BTreeMap<i32, Vec<bool>>> {
    vec(vec(any::<bool>(), 0..6), PARTITIONS as usize)
        .prop_map(|logs| (0..PARTITIONS).zip(logs).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whoever_begins_now_misses_nothing_and_has_nothing_twice(
        log in log(),
        acts in vec(act(), 0..120),
    ) {
        let nexts: Vec<_> = log.iter().map(|(&p, records)| (p, records.len() as i64)).collect();
        let places = Places::at(&nexts);
        let merge = Merge::from_now(&places, PARTITIONS);
        let mut world = World::new(places.position(), merge, places, log);
        acts.iter().for_each(|act| world.act(act));
        world.end();
    }

    #[test]
    fn whoever_resumes_does_neither(
        log in log(),
        from in vec(proptest::option::of(0i64..5), PARTITIONS as usize),
        acts in vec(act(), 0..120),
    ) {
        let nexts: Vec<_> = log.iter().map(|(&p, records)| (p, records.len() as i64)).collect();
        let cursor = |(partition, offset): (i32, Option<i64>)| {
            let last = log[&partition].len() as i64 - 1;
            Cursor::new(partition, offset?.min(last))
        };
        let start: Position = (0..PARTITIONS).zip(from).filter_map(cursor).collect();
        let merge = Merge::after(&start);
        let mut world = World::new(start, merge, Places::at(&nexts), log);
        acts.iter().for_each(|act| world.act(act));
        world.end();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_one_instance_announces_comes_in_order_whatever_is_lost(
        log in log(),
        acts in vec(orderly_act(), 0..200),
    ) {
        let nexts: Vec<_> = log.iter().map(|(&p, records)| (p, records.len() as i64)).collect();
        let places = Places::at(&nexts);
        let merge = Merge::from_now(&places, PARTITIONS);
        let mut world = World::new(places.position(), merge, places, log);
        world.is_orderly = true;
        acts.iter().for_each(|act| world.act(act));
        world.end();
        assert_eq!(world.merge.unconfirmed(), 0);
    }
}

/// What the properties would not miss if nothing ever came early.
#[test]
fn events_do_come_early() {
    let log: BTreeMap<_, _> = (0..PARTITIONS).map(|partition| (partition, vec![])).collect();
    let places = Places::at(&[(0, 0), (1, 0), (2, 0)]);
    let merge = Merge::from_now(&places, PARTITIONS);
    let mut world = World::new(places.position(), merge, places, log);
    world.is_orderly = true;
    let first = [Act::Take, Act::Write(0, true), Act::Announce(0), Act::Tail(0)];
    let second = [Act::Take, Act::Take, Act::Write(0, true), Act::Announce(0), Act::Take];
    first.iter().chain(&second).for_each(|act| world.act(act));
    assert_eq!((world.early, world.id.to_string().as_str()), (1, "0-0,1-none,2-none"));
    world.end();
    assert_eq!(world.id.to_string(), "0-1,1-none,2-none");
}

#[test]
fn what_was_made_up_hides_nothing_and_is_forgotten() {
    let mut merge = Merge::from_now(&Places::at(&[(0, 5)]), 1);
    let cursor = |offset| Cursor::new(0, offset).unwrap();
    let place = |mark| Place { mark, channel: 0, epoch: 0 };
    assert!(!merge.take_early(cursor(5), place(5), false));
    assert_eq!(merge.take(cursor(5), || 5), Taken::New);
    for offset in [6, 7, 1000] {
        assert!(merge.take_early(cursor(offset), place(LIE), false));
    }
    assert!(!merge.take_early(cursor(1000), place(1), false), "once for each cursor");
    assert_eq!(merge.take(cursor(6), || 6), Taken::New);
    assert_eq!(merge.unconfirmed(), 1);
    // There is no event of the follower's at 7.
    merge.confirm(&Places::at(&[(0, 8)]));
    assert_eq!(merge.unconfirmed(), 1);
    assert_eq!((merge.position().to_string(), merge.early.len()), ("0-7".to_owned(), 1));
}

#[test]
fn a_partition_that_the_tail_has_not_reached_begins_at_its_end() {
    let mut merge = Merge::from_now(&Places::at(&[(0, 5)]), 2);
    assert_eq!(merge.position().to_string(), "0-4");
    assert!(merge.join(&Places::at(&[(0, 5), (1, 9)])).is_empty());
    assert_eq!(merge.position().to_string(), "0-4,1-8");
    // One that was added later has nothing that could be old.
    let stretches = merge.join(&Places::at(&[(0, 5), (1, 9), (2, 3)]));
    assert_eq!(stretches, [Stretch { partition: 2, from: 0, to: 3 }]);
}

#[test]
fn what_another_instance_has_brought_is_not_brought_again() {
    let mut merge = Merge::after(&"0-9".parse().unwrap());
    let behind = Places::at(&[(0, 8)]);
    assert!(merge.join(&behind).is_empty());
    assert!(!merge.is_level());
    let take = |merge: &mut Merge, offset| merge.take(Cursor::new(0, offset).unwrap(), || 0);
    let taken = [8, 9, 10].map(|offset| take(&mut merge, offset));
    assert_eq!(taken, [Taken::Old, Taken::Old, Taken::New]);
    assert_eq!(merge.ahead(&behind), [(0, 11)]);
    merge.confirm(&Places::at(&[(0, 11)]));
    assert!(merge.is_level());
}

#[test]
fn a_log_that_is_another_one_is_read_from_its_beginning() {
    let mut merge = Merge::after(&"0-9,1-3".parse().unwrap());
    merge.forget(0);
    assert_eq!(merge.position().to_string(), "1-3");
    assert_eq!(
        merge.join(&Places::at(&[(0, 2), (1, 4)])),
        [Stretch { partition: 0, from: 0, to: 2 }]
    );
}

#[test]
fn only_so_many_events_are_early() {
    let mut merge = Merge::after(&Position::beginning());
    let place = Place { mark: 0, channel: 0, epoch: 0 };
    let take =
        |merge: &mut Merge, offset| merge.take_early(Cursor::new(0, offset).unwrap(), place, false);
    assert!(!take(&mut merge, 0));
    assert_eq!(merge.take(Cursor::new(0, 0).unwrap(), || 0), Taken::New);
    let early = (1..2 * EARLY as i64).filter(|&offset| take(&mut merge, offset));
    assert_eq!(early.count(), EARLY);
    // What was removed from the log before the tail had it leaves room again.
    merge.reset(&"0-5000".parse().unwrap());
    assert!(take(&mut merge, 6000));
}

/// The tail comes to a partition only after the follower has begun: what was written in between is
/// to come, if it is known where the partition ended.
#[test]
fn who_begins_at_an_end_that_the_tail_has_not_reached_misses_nothing_behind_it() {
    let (early, late) = (Places::at(&[(0, 3)]), Places::at(&[(0, 3), (1, 8)]));
    let mut merge = Merge::from_now(&early, 2);
    assert_eq!(merge.begins_at_end(), [1]);
    merge.ends_at(1, 5);
    assert_eq!(merge.position().to_string(), "0-2,1-4");
    let missed = Stretch { partition: 1, from: 5, to: 8 };
    assert_eq!(merge.join(&late), [missed]);
    assert!(!merge.is_level());
}
