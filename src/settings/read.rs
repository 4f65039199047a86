//! From entries to [`Settings`], collecting every fault on the way.

use std::collections::BTreeMap;

use super::entries::{Entries, Key, OPTIONS, Raw};
use super::parse::{self, KIB, LARGEST};
use super::{
    Admin, Http, Kafka, Live, Log, Notify, Publisher, Reader, Redis, Settings, Shutdown, kafka,
    redis,
};

/// Largest event: librdkafka's `message.max.bytes` ends at 1,000,000,000, and needs room for the
/// record's headers.
const LARGEST_EVENT: u64 = 900 << 20;

/// A bound for counts, far above any use; it keeps them within what semaphores take.
const MANY: usize = 1_000_000;

struct Source<'a> {
    entries: &'a Entries,
    problems: &'a mut Vec<String>,
}

/// Reads each field of a section from the setting of the same name, with the parser beside it; all
/// are read before a fault of one ends the section, so that all faults are reported.
macro_rules! section {
    ($reader:ident, $section:literal => $Type:ident {
        $($field:ident: $parse:expr,)* $(; $extra:ident: $read:expr)?
    }) => {{
        $(let $field = $reader.read($section, stringify!($field), $parse);)*
        $(let $extra = Some($read);)?
        Some($Type { $($field: $field?,)* $($extra: $extra?)? })
    }};
}

/// Gives no settings when one is left without a value, which is then among the problems.
pub(super) fn settings(entries: &Entries, problems: &mut Vec<String>) -> Option<Settings> {
    let reader = &mut Source { entries, problems };
    let http = http(reader);
    let admin = admin(reader);
    let publisher = publisher(reader);
    let kafka = kafka(reader);
    let read_back = read_back(reader);
    let live = live(reader);
    let redis = redis(reader);
    let notify = notify(reader);
    let log = log(reader);
    let shutdown = shutdown(reader);
    Some(Settings {
        http: http?,
        admin: admin?,
        publisher: publisher?,
        kafka: kafka?,
        reader: read_back?,
        live: live?,
        redis: redis?,
        notify: notify?,
        log: log?,
        shutdown: shutdown?,
    })
}

fn http(reader: &mut Source<'_>) -> Option<Http> {
    section! { reader, "http" => Http {
        listen: parse::address,
        max_connections: parse::number(1..=MANY),
        idle_timeout: parse::timeout,
        write_timeout: parse::timeout,
        body_timeout: parse::timeout,
        request_timeout: parse::timeout,
        max_body: parse::size(KIB..=LARGEST),
        cors_origins: parse::origins,
        console: parse::switch,
    } }
}

fn admin(reader: &mut Source<'_>) -> Option<Admin> {
    section! { reader, "admin" => Admin {
        listen: parse::address,
    } }
}

fn publisher(reader: &mut Source<'_>) -> Option<Publisher> {
    section! { reader, "publisher" => Publisher {
        max_event: parse::size(KIB..=LARGEST_EVENT),
        max_batch: parse::number(1..=MANY),
        max_in_flight_bytes: parse::size(KIB..=LARGEST),
        admission_timeout: parse::delay,
    } }
}

fn kafka(reader: &mut Source<'_>) -> Option<Kafka> {
    section! { reader, "kafka" => Kafka {
        brokers: kafka::brokers,
        topic: kafka::topic,
        create_topic: parse::switch,
        partitions: parse::number_or_default(i32::MAX),
        replication: parse::number_or_default(i16::MAX.into()),
        message_timeout: parse::timeout,
        probe_interval: parse::timeout,
        partition_counts: kafka::partition_counts,
        ; options: options(reader)
    } }
}

fn read_back(reader: &mut Source<'_>) -> Option<Reader> {
    section! { reader, "reader" => Reader {
        memory: parse::size(0..=LARGEST),
        warm: parse::size(0..=LARGEST),
        scans: parse::number(1..=64),
        streams: parse::number(1..=MANY),
        scan_records: parse::number(1..=1_000_000_000),
        scan_bytes: parse::size(KIB..=LARGEST),
        scan_time: parse::timeout,
        page_bytes: parse::size(KIB..=LARGEST),
        max_fetch: parse::number(1..=10_000),
        timeout: parse::timeout,
        tail_wait: parse::timeout,
    } }
}

fn live(reader: &mut Source<'_>) -> Option<Live> {
    section! { reader, "live" => Live {
        streams: parse::number(0..=MANY),
        subscriptions: parse::number(1..=10_000),
        early: parse::switch,
        sources: parse::number(1..=10_000),
        queue: parse::number(1..=MANY),
        queue_bytes: parse::size(KIB..=LARGEST),
        memory: parse::size(KIB..=LARGEST),
        recent: parse::number(1..=10_000),
        heartbeat: parse::timeout,
        retry: parse::timeout,
    } }
}

fn redis(reader: &mut Source<'_>) -> Option<Redis> {
    section! { reader, "redis" => Redis {
        url: redis::url,
        cluster: parse::switch,
        connect_timeout: parse::timeout,
        response_timeout: parse::timeout,
    } }
}

fn notify(reader: &mut Source<'_>) -> Option<Notify> {
    section! { reader, "notify" => Notify {
        channels: parse::channels,
        queue: parse::size(KIB..=LARGEST),
        workers: parse::number(1..=64),
        max_pipeline: parse::number(1..=MANY),
        linger: parse::linger,
        breaker_threshold: parse::number(1..=1_000_000),
        breaker_cooldown: parse::timeout,
    } }
}

fn log(reader: &mut Source<'_>) -> Option<Log> {
    section! { reader, "log" => Log {
        level: parse::log_level,
        format: parse::log_format,
    } }
}

fn shutdown(reader: &mut Source<'_>) -> Option<Shutdown> {
    section! { reader, "shutdown" => Shutdown {
        delay: parse::delay,
        grace: parse::timeout,
    } }
}

fn options(reader: &mut Source<'_>) -> BTreeMap<String, String> {
    let entries = reader.entries;
    let keys = entries.iter().map(|(key, _)| key);
    keys.filter(|key| key.section == OPTIONS)
        .filter_map(|Key { name, .. }| {
            let value = reader.read(OPTIONS, name, |raw| option(name, raw))?;
            Some((name.clone(), value))
        })
        .collect()
}

fn option(name: &str, raw: &Raw) -> Result<String, String> {
    // Not trimmed: spaces may be a part of a password.
    let (Raw::Text(value) | Raw::Bare(value)) = raw else {
        return Err("a list; write one text, with commas".to_owned());
    };
    match kafka::option_fault(name, value) {
        Some(fault) => Err(fault),
        None => Ok(value.clone()),
    }
}

impl Source<'_> {
    fn read<T>(
        &mut self,
        section: &str,
        name: &str,
        parse: impl FnOnce(&Raw) -> Result<T, String>,
    ) -> Option<T> {
        let key = Key::new(section, name);
        let value = match self.entries.get(&key) {
            Some(entry) => parse(&entry.raw),
            None => Err("has no default in config/default.toml".to_owned()),
        };
        let report = |fault| format!("{}: {fault}", self.entries.describe(&key));
        value.map_err(|fault| self.problems.push(report(fault))).ok()
    }
}
