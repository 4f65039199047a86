//! The names that exist, and what to say of one that does not.

use std::collections::BTreeSet;

use super::entries::{Entries, Key, OPTIONS, Origin};

/// What all variables of this program begin with.
pub(super) const PREFIX: &str = "DUAL_STREAM_";
/// Below this share of common letters a suggestion would mislead more than it helps.
const LEAST_LIKENESS: f64 = 0.6;

/// The names of all settings, which are those in the defaults, and any librdkafka property.
pub(super) struct Names(BTreeSet<Key>);

impl Names {
    pub(super) fn of(defaults: &Entries) -> Self {
        Self(defaults.iter().map(|(key, _)| key.clone()).collect())
    }

    /// Accepts a known name; else says what was probably meant.
    pub(super) fn check(&self, key: &Key, origin: &Origin) -> Result<(), String> {
        if key.name.is_empty() && self.is_section(&key.section) {
            return Err(format!(
                "{key} ({origin}) is a section, not a setting; give its settings one by one"
            ));
        }
        if key.section == OPTIONS || self.0.contains(key) {
            return Ok(());
        }
        let hint = match self.meant(key) {
            Some(meant) => format!("did you mean {meant}?"),
            None if key.section == "kafka" => {
                "properties of librdkafka belong in [kafka.options]".to_owned()
            }
            None => "`dual-stream config` lists the known ones".to_owned(),
        };
        Err(format!("unknown setting {key} ({origin}); {hint}"))
    }

    /// What to say of `DUAL_STREAM_HTTP_LISTEN`; `rest` is the part after the prefix.
    pub(super) fn single_underscore(&self, variable: &str, rest: &str) -> String {
        let hint = match self.meant_by_variable(rest) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "write DUAL_STREAM__SECTION__KEY".to_owned(),
        };
        format!(
            "unknown variable {variable}: two underscores stand before the section and before \
             the key; {hint}"
        )
    }

    fn is_section(&self, name: &str) -> bool {
        name == OPTIONS || self.0.iter().any(|known| known.section == name)
    }

    fn meant(&self, key: &Key) -> Option<&Key> {
        let in_another_section = self.0.iter().find(|known| known.name == key.name);
        in_another_section.or_else(|| self.nearest(&key.to_string(), Key::to_string))
    }

    fn meant_by_variable(&self, rest: &str) -> Option<String> {
        if let Some(option) = rest.strip_prefix("KAFKA_OPTIONS_") {
            return Some(format!("{PREFIX}_KAFKA__OPTIONS__{option}"));
        }
        let spelling = |known: &Key| known.to_string().replace('.', "_");
        let meant = self.nearest(&rest.to_lowercase(), spelling)?;
        Some(format!("{PREFIX}_{}__{}", meant.section, meant.name).to_uppercase())
    }

    fn nearest(&self, text: &str, spelling: impl Fn(&Key) -> String) -> Option<&Key> {
        self.0
            .iter()
            .map(|known| (strsim::normalized_damerau_levenshtein(text, &spelling(known)), known))
            .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, known)| known)
    }
}
