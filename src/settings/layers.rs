//! The two layers that are TOML: the embedded defaults, and the operator's file.

use std::error::Error;
use std::fs;

use config::{FileFormat, Format};

use super::entries::Entries;
use super::variables::CONFIG;

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The embedded defaults.
pub(super) fn defaults() -> Result<Entries, String> {
    toml(None, DEFAULTS).map_err(|fault| format!("config/default.toml: {fault}"))
}

/// The operator's file.
pub(super) fn file(path: &str) -> Result<Entries, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{CONFIG}: cannot read {path}: {error}"))?;
    toml(Some(path), &text).map_err(|fault| format!("{path}: {fault}"))
}

fn toml(origin: Option<&str>, text: &str) -> Result<Entries, String> {
    let table = FileFormat::Toml
        .parse(origin.map(str::to_owned).as_ref(), text)
        .map_err(|error| without_excerpt(error.as_ref()))?;
    Entries::flatten(table)
}

/// Where and what, without the lines between: they quote the file, which may hold a password.
fn without_excerpt(error: &dyn Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(position), Some(fault)) => format!("{position}: {fault}"),
        (fault, _) => fault.unwrap_or("not TOML").to_owned(),
    }
}
