//! The inner loop: reading an event where it lies, against parsing it into a tree.
//!
//! `dual-stream` checks the rules of an event, too, and its time with a missing id contains the
//! making and the splicing in of one. The others only parse.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dual_stream::event::{Limits, parse_array, parse_one};

#[allow(unused, unreachable_pub, reason = "a part of the load generator, with its tests")]
#[path = "../src/load/event.rs"]
mod event;

const LIMITS: Limits = Limits { max_event: 1_000_000, max_batch: 10_000 };

fn singles(criterion: &mut Criterion) {
    for (name, size) in [("100 B", 100), ("500 B", 500), ("10 KB", 10_000)] {
        let with_id = event::Template::new(size, true).json.into_bytes();
        let without_id = event::Template::new(size, false).json.into_bytes();
        let mut group = criterion.benchmark_group(format!("event of {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("dual-stream", |bencher| {
            bencher.iter(|| parse_one(black_box(&with_id), &LIMITS).is_ok());
        });
        group.bench_function("dual-stream, id missing", |bencher| {
            bencher.iter(|| parse_one(black_box(&without_id), &LIMITS).is_ok());
        });
        trees(&mut group, &with_id);
        group.finish();
    }
}

fn batch(criterion: &mut Criterion) {
    let events = vec![event::Template::new(500, true).json; 100];
    let body = format!("[{}]", events.join(",")).into_bytes();
    let mut group = criterion.benchmark_group("batch of 100 events of 500 B");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("dual-stream", |bencher| {
        bencher.iter(|| parse_array(black_box(&body), &LIMITS).is_ok());
    });
    trees(&mut group, &body);
    group.finish();
}

fn trees(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, json: &[u8]) {
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(json)).is_ok());
    });
    group.bench_function("sonic_rs::Value", |bencher| {
        bencher.iter(|| sonic_rs::from_slice::<sonic_rs::Value>(black_box(json)).is_ok());
    });
}

criterion_group!(benches, singles, batch);
criterion_main!(benches);
