//! The last layer: `DUAL_STREAM__SECTION__KEY`, and its `_FILE` form for secrets.

use std::fs;

use super::entries::{Entries, Entry, Key, OPTIONS, Origin, Raw};
use super::names::{Names, PREFIX};

/// Names the operator's TOML file.
pub(super) const CONFIG: &str = "DUAL_STREAM_CONFIG";
const FILE_SUFFIX: &str = "_file";

/// What the environment says.
#[derive(Default)]
pub(super) struct Variables {
    /// The operator's TOML file.
    pub(super) config_file: Option<String>,
    pub(super) entries: Entries,
}

impl Variables {
    /// Takes this program's variables out of an environment. One that is misspelt, given twice or
    /// unreadable becomes a problem and is left out.
    pub(super) fn read(
        environment: impl IntoIterator<Item = (String, String)>,
        names: &Names,
        problems: &mut Vec<String>,
    ) -> Self {
        let mut variables = Self::default();
        for (variable, value) in environment {
            if variable == CONFIG {
                // Compose files pass an unset variable on as an empty one.
                variables.config_file = Some(value).filter(|path| !path.is_empty());
            } else if let Err(problem) = variables.add(&variable, value, names) {
                problems.push(problem);
            }
        }
        variables
    }

    fn add(&mut self, variable: &str, value: String, names: &Names) -> Result<(), String> {
        let Some(rest) = variable.strip_prefix(PREFIX) else {
            return Ok(());
        };
        let Some(path) = rest.strip_prefix('_') else {
            if is_service_link(variable, &value) {
                return Ok(());
            }
            return Err(names.single_underscore(variable, rest));
        };
        let path = path.to_lowercase();
        let (key, entry) = match path.strip_suffix(FILE_SUFFIX) {
            Some(path) => (key(path), from_file(variable, &value)?),
            None => (key(&path), from_variable(variable, value)),
        };
        self.entries.add(key, entry)
    }
}

fn from_variable(variable: &str, value: String) -> Entry {
    Entry { raw: Raw::Text(value), origin: Origin::Given(format!("the variable {variable}")) }
}

fn from_file(variable: &str, path: &str) -> Result<Entry, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{variable}: cannot read {path}: {error}"))?;
    Ok(Entry {
        raw: Raw::Text(text.trim_end_matches(['\n', '\r']).to_owned()),
        origin: Origin::Given(format!("{path}, named by the variable {variable}")),
    })
}

/// `http__listen` is `http.listen`; past `kafka__options__` each underscore is a dot.
fn key(path: &str) -> Key {
    match path.strip_prefix("kafka__options__") {
        Some(option) => Key::new(OPTIONS, &option.replace('_', ".")),
        None => Key::from_path(&path.replace("__", ".")),
    }
}

/// Whether Kubernetes set this variable: a Service named `dual-stream` gives every pod beside it
/// `DUAL_STREAM_SERVICE_HOST`, `DUAL_STREAM_PORT=tcp://…` and more.
fn is_service_link(variable: &str, value: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.contains("_PORT_")
        || (variable.ends_with("_PORT") && value.contains("://"))
}
