//! The log as it lies in Kafka, read on by a plain consumer while the oracle is at work: what
//! retention is to remove is read before that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde_json::json;

use crate::harness::kafka;
use crate::harness::load::journal::hash;

/// A partition and an offset in it.
pub type Place = (i32, i64);
/// Of each partition that is named: everything up to this offset.
pub type Position = BTreeMap<i32, i64>;

/// As many recent events of each source readers ask for at the most. So many of each partition are
/// remembered when the oracle has done with them.
pub const RECENT: usize = 10;

/// A record, as far as readers are concerned.
#[derive(Clone, Debug)]
pub struct Record {
    pub place: Place,
    pub source_type: Arc<str>,
    pub source_id: Arc<str>,
    pub kind: Arc<str>,
    /// Of what a notification says.
    pub told: u64,
    /// Of its bytes.
    pub whole: u64,
}

/// Something that retention removed.
#[derive(Clone, Debug)]
pub struct Removal {
    /// When it began.
    pub at: Instant,
    /// Of each partition, what lies below this offset.
    pub below: BTreeMap<i32, i64>,
}

/// A topic, from where the oracle remembers it.
#[derive(Default)]
pub struct Log {
    partitions: BTreeMap<i32, Vec<Record>>,
    /// Up to where each partition was read.
    nexts: BTreeMap<i32, i64>,
    removals: Vec<Removal>,
    /// What was removed before these.
    lows: BTreeMap<i32, i64>,
    words: HashSet<Arc<str>>,
}

/// The hash of what a notification says.
pub fn told(id: &str, kind: &str, source_type: &str, source_id: &str) -> u64 {
    hash(json!([id, kind, source_type, source_id]).to_string().as_bytes())
}

impl Log {
    /// Reads on to the present end. Gives how many records there were. Blocks.
    pub fn read_on(&mut self, brokers: &str, topic: &str) -> usize {
        let (mut nexts, mut count) = (self.nexts.clone(), 0);
        kafka::scan_on(brokers, topic, &mut nexts, |message| {
            count += 1;
            let record = self.record(message);
            self.add(record);
        });
        self.nexts.extend(nexts);
        count
    }

    /// Adds a record: the one that comes next in its partition.
    pub fn add(&mut self, record: Record) {
        let (partition, offset) = record.place;
        let next = self.nexts.entry(partition).or_insert(0);
        assert_eq!(offset, *next, "the oracle itself has missed records of partition {partition}");
        *next = offset + 1;
        self.partitions.entry(partition).or_default().push(record);
    }

    /// Retention removes what lies below these offsets, from now on.
    pub fn removes(&mut self, below: &BTreeMap<i32, i64>) {
        self.removals.push(Removal { at: Instant::now(), below: below.clone() });
    }

    /// How often retention removed something.
    pub fn removals(&self) -> usize {
        self.removals.len()
    }

    /// The partition's first offset that retention had left at that time, as far as that is known.
    pub fn low_at(&self, partition: i32, time: Instant) -> i64 {
        let before = self.removals.iter().filter(|removal| removal.at <= time);
        let lows = before.map(|removal| &removal.below).chain([&self.lows]);
        lows.filter_map(|below| below.get(&partition)).copied().max().unwrap_or(0)
    }

    /// Up to where everything was read.
    pub fn end(&self) -> Position {
        let written = self.nexts.iter().filter(|(_, next)| **next > 0);
        written.map(|(partition, next)| (*partition, next - 1)).collect()
    }

    pub fn get(&self, (partition, offset): Place) -> Option<&Record> {
        let records = self.partitions.get(&partition)?;
        let index = records.binary_search_by_key(&offset, |record| record.place.1).ok()?;
        records.get(index)
    }

    /// The records of a partition behind an offset, up to another one.
    pub fn between(&self, partition: i32, after: i64, up_to: i64) -> &[Record] {
        let records = self.partitions.get(&partition).map_or(&[][..], Vec::as_slice);
        let index = |offset: i64| records.partition_point(|record| record.place.1 <= offset);
        &records[index(after)..index(up_to).max(index(after))]
    }

    /// All that is remembered up to a position, by partition and offset.
    pub fn up_to(&self, position: &Position) -> impl Iterator<Item = &Record> {
        let parts = position.iter().map(|(&partition, &to)| self.between(partition, -1, to));
        parts.flatten()
    }

    /// Forgets what every reader has had, but for what may come to one as recent: what retention has
    /// removed may do so for a moment.
    pub fn forget(&mut self) {
        for (partition, below) in self.removals.drain(..).flat_map(|removal| removal.below) {
            let low = self.lows.entry(partition).or_insert(0);
            *low = below.max(*low);
        }
        for records in self.partitions.values_mut() {
            let mut newer: HashMap<(Arc<str>, Arc<str>), usize> = HashMap::new();
            records.reverse();
            records.retain(|Record { source_type, source_id, .. }| {
                let newer = newer.entry((source_type.clone(), source_id.clone())).or_default();
                *newer += 1;
                *newer <= RECENT
            });
            records.reverse();
        }
    }

    fn record(&mut self, message: &BorrowedMessage<'_>) -> Record {
        let header = |name: &str| {
            let mut headers = message.headers().expect("headers").iter();
            let value = headers.find(|header| header.key == name).and_then(|header| header.value);
            String::from_utf8(value.expect("a value").to_vec()).expect("UTF-8")
        };
        let (id, kind, source_type) = (header("id"), header("type"), header("source_type"));
        let source_id = String::from_utf8_lossy(message.key().expect("a key")).into_owned();
        Record {
            place: (message.partition(), message.offset()),
            told: told(&id, &kind, &source_type, &source_id),
            whole: hash(message.payload().expect("a value")),
            source_type: self.word(&source_type),
            source_id: self.word(&source_id),
            kind: self.word(&kind),
        }
    }

    /// The same word is kept once.
    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, source_id: &str) -> Record {
        let (source_type, kind): (Arc<str>, Arc<str>) = ("s".into(), "t".into());
        let (told, whole) = (0, 0);
        Record { place: (0, offset), source_type, source_id: source_id.into(), kind, told, whole }
    }

    #[test]
    fn the_newest_of_each_source_are_remembered() {
        let mut log = Log::default();
        (0..2).for_each(|offset| log.add(record(offset, "rare")));
        (2..100).for_each(|offset| log.add(record(offset, "common")));
        log.removes(&BTreeMap::from([(0, 1)]));
        log.forget();
        let remembered = log.between(0, -1, 99).iter().map(|record| record.place.1);
        assert_eq!(
            remembered.collect::<Vec<_>>(),
            [&[0, 1], &Vec::from_iter(90..100)[..]].concat()
        );
        assert_eq!((log.removals(), log.low_at(0, Instant::now())), (0, 1));
    }
}
