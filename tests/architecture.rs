//! Imports point down: a module uses only what stands below it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the top to the bottom. Modules of one layer do not use each other.
const LAYERS: [&[&str]; 8] = [
    &["main"],
    &["dev", "probe", "tail"],
    &["service"],
    &["http"],
    &["live"],
    &["publisher", "reader"],
    &["notifier"],
    &["kafka", "redis"],
];
/// What everything may use, and what uses nothing above: settings may use the channel's template.
const FOUNDATION: [&str; 10] = [
    "event",
    "cursor",
    "position",
    "json",
    "kept",
    "time",
    "settings",
    "metrics",
    "telemetry",
    "channel",
];
/// Crates that one module alone may import.
const RESERVED: [(&str, &str); 4] = [
    ("rdkafka", "kafka"),
    ("deadpool_redis", "redis"),
    ("axum", "http"),
    ("tokio_tungstenite", "http"),
];
/// Where the service puts listeners and routers together, it names axum's router.
const EXCEPTIONS: [(&str, &str); 1] = [("axum", "service")];

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (module, file, source) in sources() {
        for used in modules_used(&source) {
            if !may_use(&module, &used) {
                wrong.push(format!("{} ({module}) uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn kafka_redis_and_http_are_each_the_matter_of_one_module() {
    let mut wrong = Vec::new();
    for (module, file, source) in sources() {
        for (name, owner) in RESERVED {
            let uses = code(&source).any(|line| line.contains(&format!("{name}::")));
            if uses && module != owner && !EXCEPTIONS.contains(&(name, module.as_str())) {
                wrong.push(format!("{} ({module}) imports {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_its_layer() {
    let known: Vec<_> = LAYERS.iter().copied().flatten().chain(&FOUNDATION).copied().collect();
    for (module, file, _) in sources() {
        assert!(module == "lib" || known.contains(&module.as_str()), "{}", file.display());
    }
}

fn may_use(module: &str, used: &str) -> bool {
    if module == used || module == "lib" {
        return true;
    }
    match (layer(module), layer(used)) {
        (_, None) => !FOUNDATION.contains(&module) || foundation_order(module, used),
        (Some(own), Some(below)) => own < below,
        (None, Some(_)) => false,
    }
}

/// Within the foundation only settings and telemetry use others of it.
fn foundation_order(module: &str, used: &str) -> bool {
    matches!(
        (module, used),
        ("settings", "channel")
            | ("telemetry", "settings")
            | ("position" | "json", "cursor")
            | ("json", "time")
    )
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every source file with the name of its top module.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where they were");
    files
        .into_iter()
        .map(|(file, source)| {
            let below = file.strip_prefix(&root).expect("below src");
            let first = below.components().next().expect("a name").as_os_str().to_string_lossy();
            (first.trim_end_matches(".rs").to_owned(), file.clone(), source)
        })
        .collect()
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source");
            files.insert(path, source);
        }
    }
}

/// The lines before the unit tests, without comments.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// The names behind `crate::` and `dual_stream::`.
fn modules_used(source: &str) -> Vec<String> {
    let mut used = Vec::new();
    for line in code(source) {
        for marker in ["crate::", "dual_stream::"] {
            for (at, _) in line.match_indices(marker) {
                let rest = &line[at + marker.len()..];
                if rest.starts_with('{') {
                    let names = rest.trim_matches(['{', '}', ';']);
                    used.extend(names.split(", ").map(first_name));
                } else {
                    used.push(first_name(rest));
                }
            }
        }
    }
    used.retain(|name| !name.is_empty());
    used
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}
