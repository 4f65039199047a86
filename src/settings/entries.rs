//! Settings as they were written: one entry each, not yet typed.
//!
//! Layers are flattened first and then laid over each other. Merging them as trees, as `config`'s
//! own builder does, would take the dots in librdkafka's names for paths, and would let a value in
//! the place of a section displace the whole section.

use std::collections::BTreeMap;
use std::fmt;

use config::{Map, Value, ValueKind};

use super::secret;

/// The section whose keys are librdkafka's, dots and all.
pub(super) const OPTIONS: &str = "kafka.options";

/// The name of a setting: `http.listen` is `listen` in `http`, and `kafka.options.sasl.password`
/// is `sasl.password` in `kafka.options`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) section: String,
    /// Empty where a value stands in the place of a whole section.
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(section: &str, name: &str) -> Self {
        Self { section: section.to_owned(), name: name.to_owned() }
    }

    pub(super) fn from_path(path: &str) -> Self {
        let option = path.strip_prefix(OPTIONS);
        match option.and_then(|rest| rest.strip_prefix('.')) {
            Some(name) => Self::new(OPTIONS, name),
            None if path == OPTIONS => Self::new(OPTIONS, ""),
            None => {
                let (section, name) = path.split_once('.').unwrap_or((path, ""));
                Self::new(section, name)
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.section)?;
        if !self.name.is_empty() {
            write!(f, ".{}", self.name)?;
        }
        Ok(())
    }
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// The path of a file, or "the variable X".
    Given(String),
}

impl Origin {
    fn of(value: &Value) -> Self {
        match value.origin() {
            None => Self::Default,
            Some(origin) => Self::Given(origin.to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Given(origin) => write!(f, "from {origin}"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    /// A number, `true` or `false`, without quotes.
    Bare(String),
    List(Vec<String>),
}

impl From<ValueKind> for Raw {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::String(text) => Self::Text(text),
            ValueKind::Array(items) => {
                Self::List(items.into_iter().map(|item| item.kind.to_string()).collect())
            }
            other => Self::Bare(other.to_string()),
        }
    }
}

/// A value and where it came from.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// The settings of a layer, or of all layers: what is in force.
#[derive(Clone, Default)]
pub(super) struct Entries(BTreeMap<Key, Entry>);

impl Entries {
    /// The leaves of a table.
    ///
    /// # Errors
    /// A name has two values: `sasl.username = …` beside `"sasl.username" = …`.
    pub(super) fn flatten(table: Map<String, Value>) -> Result<Self, String> {
        let mut entries = Self::default();
        for (name, value) in table {
            entries.add_leaves(&name, value)?;
        }
        Ok(entries)
    }

    fn add_leaves(&mut self, path: &str, value: Value) -> Result<(), String> {
        let origin = Origin::of(&value);
        match value.kind {
            ValueKind::Table(table) => table
                .into_iter()
                .try_for_each(|(name, value)| self.add_leaves(&format!("{path}.{name}"), value)),
            kind => {
                let raw = Raw::from(kind);
                self.add(Key::from_path(path), Entry { raw, origin })
            }
        }
    }

    /// Adds a setting within one layer.
    ///
    /// # Errors
    /// The layer has it already.
    pub(super) fn add(&mut self, key: Key, entry: Entry) -> Result<(), String> {
        if let Some(other) = self.get(&key) {
            return Err(format!(
                "{key} is given twice, {} and {}; remove one",
                other.origin, entry.origin
            ));
        }
        self.0.insert(key, entry);
        Ok(())
    }

    /// Lays `upper` over these.
    pub(super) fn overlay(&mut self, upper: Self) {
        self.0.extend(upper.0);
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.0.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.0.iter()
    }

    /// `http.listen = "8080" (from config/prod.toml)`, the value masked where it is a secret.
    pub(super) fn describe(&self, key: &Key) -> String {
        match self.get(key) {
            Some(Entry { raw, origin }) => {
                format!("{key} = {} ({origin})", secret::masked(key, raw))
            }
            None => key.to_string(),
        }
    }

    #[cfg(test)]
    pub(super) fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }
}
