//! What the figures were measured on.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Names and values in the order in which they are shown.
    pub facts: Vec<(String, String)>,
}

impl Machine {
    pub fn this_one() -> Self {
        let facts = [
            ("CPU", cpu_model()),
            ("cores", std::thread::available_parallelism().ok().map(|cores| cores.to_string())),
            ("memory", memory()),
            ("kernel", output("uname", &["-sr"])),
            ("Kafka", kafka_version()),
            (
                "Redis",
                output("redis-server", &["--version"]).and_then(|text| word_after(&text, "v=")),
            ),
            ("librdkafka", Some(rdkafka::util::get_rdkafka_version().1)),
            ("rustc", output("rustc", &["--version"])),
            ("Go", output("go", &["version"])),
            ("Node", output("node", &["--version"])),
            ("dual-stream", output("git", &["describe", "--always", "--dirty"])),
        ];
        let named = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
        Machine { facts: facts.into_iter().filter_map(named).collect() }
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> Option<String> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: f64 = word_after(&info, "MemTotal:")?.parse().ok()?;
    Some(format!("{:.1} GiB", kib / 1024.0 / 1024.0))
}

/// From the name of the broker's jar.
fn kafka_version() -> Option<String> {
    let names = fs::read_dir(std::env::var("KAFKA_LIBS").ok()?).ok()?;
    names.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?.to_owned())
    })
}

fn word_after(text: &str, mark: &str) -> Option<String> {
    text.split_once(mark)?.1.split_whitespace().next().map(str::to_owned)
}
