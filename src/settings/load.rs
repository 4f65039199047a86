//! The way from the layers to checked settings.

use std::env;
use std::ffi::OsString;
use std::fmt;

use thiserror::Error;

use super::entries::{Entries, Entry, Key};
use super::names::{Names, PREFIX};
use super::variables::Variables;
use super::{Settings, layers, limits, read};

/// Settings, and where each value came from.
#[derive(Clone)]
pub struct Loaded {
    /// The settings in force.
    pub settings: Settings,
    entries: Entries,
}

/// Everything that is wrong with the settings, one problem a line; never a secret's value.
#[derive(Debug, Error)]
#[error("{}", problems.join("\n"))]
pub struct SettingsError {
    problems: Vec<String>,
}

impl Loaded {
    /// Loads the settings from all layers, the last of which is `variables`.
    ///
    /// Reads the file that `DUAL_STREAM_CONFIG` names, and those of `…_FILE` variables.
    ///
    /// # Errors
    /// Every problem found: unknown or contradictory settings, values that do not parse, files
    /// that cannot be read.
    pub fn load(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let loaded = load(variables, &mut problems).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        match loaded {
            Some(loaded) if problems.is_empty() => Ok(loaded),
            _ => Err(SettingsError { problems }),
        }
    }

    /// What is in force, as TOML: each value with a comment that says where it came from, and
    /// secrets masked. Without secrets, loading the text gives the same settings.
    pub fn render(&self) -> String {
        self.entries.to_string()
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// This program's variables in the environment of the process, for [`Settings::load`].
///
/// # Errors
/// One of them is not UTF-8.
pub fn process_variables() -> Result<Vec<(String, String)>, SettingsError> {
    own_variables(env::vars_os())
}

fn own_variables(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, SettingsError> {
    environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => {
                Err(SettingsError { problems: vec![format!("the variable {name} is not UTF-8")] })
            }
        })
        .collect()
}

fn load(
    variables: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<String>,
) -> Result<Option<Loaded>, String> {
    let mut entries = layers::defaults()?;
    let names = Names::of(&entries);
    let variables = Variables::read(variables, &names, problems);
    if let Some(path) = &variables.config_file {
        entries.overlay(layers::file(path)?);
    }
    entries.overlay(variables.entries);

    let unknown = |(key, entry): (&Key, &Entry)| names.check(key, &entry.origin).err();
    problems.extend(entries.iter().filter_map(unknown));
    let Some(settings) = read::settings(&entries, problems) else {
        return Ok(None);
    };
    limits::check(&settings, &entries, problems);
    Ok(Some(Loaded { settings, entries }))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn variable(name: &str, value: &[u8]) -> (OsString, OsString) {
        (name.into(), OsString::from_vec(value.to_vec()))
    }

    #[test]
    fn only_a_variable_of_this_program_must_be_utf8() {
        let other = variable("PATH", b"\xff");
        let own = variable("DUAL_STREAM_CONFIG", b"x.toml");
        let variables = own_variables([other, own].into_iter()).unwrap();
        assert_eq!(variables, [("DUAL_STREAM_CONFIG".to_owned(), "x.toml".to_owned())]);

        let broken = variable("DUAL_STREAM__KAFKA__TOPIC", b"\xff");
        let error = own_variables([broken].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "the variable DUAL_STREAM__KAFKA__TOPIC is not UTF-8");
    }
}
