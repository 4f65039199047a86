mod defaults;
mod layers;
mod limits;
mod names;
mod secrets;
mod values;

use std::io::Write;

use tempfile::NamedTempFile;

use super::{Loaded, Settings};

/// What an operator gives: lines of a TOML file, and variables.
#[derive(Default)]
struct Given {
    file: Option<NamedTempFile>,
    variables: Vec<(String, String)>,
}

fn given() -> Given {
    Given::default()
}

impl Given {
    fn file(mut self, toml: &str) -> Self {
        let file = file_with(toml);
        let variable = ("DUAL_STREAM_CONFIG".to_owned(), path(&file));
        self.variables.push(variable);
        self.file = Some(file);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// By the setting's own name: `http.listen`.
    fn setting(self, key: &str, value: &str) -> Self {
        let variable = format!("DUAL_STREAM__{}", key.replace('.', "__")).to_uppercase();
        self.variable(&variable, value)
    }

    fn option(self, name: &str, value: &str) -> Self {
        let variable = format!("DUAL_STREAM__KAFKA__OPTIONS__{}", name.replace('.', "_"));
        self.variable(&variable.to_uppercase(), value)
    }

    fn loaded(&self) -> Loaded {
        Loaded::load(self.variables.clone()).unwrap()
    }

    fn settings(&self) -> Settings {
        Settings::load(self.variables.clone()).unwrap()
    }

    /// The message that refuses the settings, with `FILE` for the path of the file.
    fn refused(&self) -> String {
        let message = Settings::load(self.variables.clone()).unwrap_err().to_string();
        match &self.file {
            Some(file) => message.replace(&path(file), "FILE"),
            None => message,
        }
    }
}

fn file_with(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn path(file: &NamedTempFile) -> String {
    file.path().to_str().unwrap().to_owned()
}
