//! The fuzz check without a fuzzer: the same inputs on every run, from mutations
//! of the seeds in `fuzz/corpus/event`.

use std::fs;
use std::path::Path;

use crate::check;

const INPUTS: usize = 4_000;

/// Pieces that turn one kind of body into another.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\n",
    " ",
    "0",
    "-",
    "1e999",
    "null",
    "'",
    "/**/",
    "\\u0000",
    "\\ud800",
    "\\ude00",
    "\\u0074",
    "\u{feff}",
    "\u{85}",
    "é",
    "\"id\":\"x\",",
    "\"type\":1,",
    "\"source_id\":\"\",",
    "{},",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

#[test]
fn every_seed_passes_the_check() {
    for seed in seeds() {
        check::check(&seed);
    }
}

#[test]
fn every_mutation_of_the_seeds_passes_the_check() {
    let seeds = seeds();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..INPUTS {
        let mut body = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut body, &mut random);
        }
        check::check(&body);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/event");
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        // A fuzzer leaves its own finds beside the seeds, without an extension.
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    // The order of a folder is not the same everywhere.
    paths.sort();
    assert!(!paths.is_empty(), "the corpus has seeds");
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

fn mutate(body: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(body.len() + 1);
    let to = (from + random.below(24)).min(body.len());
    match random.below(6) {
        0 => body.truncate(from),
        1 => drop(body.drain(from..to)),
        2 => insert(body, from, PIECES[random.below(PIECES.len())].into()),
        3 => insert(body, random.below(body.len() + 1), body[from..to].to_vec()),
        4 => insert(body, from, vec![random.below(256) as u8]),
        _ => body[from..to].reverse(),
    }
}

fn insert(body: &mut Vec<u8>, at: usize, piece: Vec<u8>) {
    body.splice(at..at, piece);
}

/// Xorshift64 (Marsaglia, "Xorshift RNGs", 2003): enough to pick mutations.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
