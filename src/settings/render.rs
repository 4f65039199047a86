//! Settings as TOML, for `dual-stream config`.

use std::fmt::{self, Write};

use super::entries::{Entries, OPTIONS, Raw};
use super::secret;

impl Raw {
    /// As one text, with commas between the items of a list.
    pub(super) fn joined(&self) -> String {
        match self {
            Self::Text(text) | Self::Bare(text) => text.clone(),
            Self::List(items) => items.join(","),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_string(f, text),
            Self::Bare(text) => f.write_str(text),
            Self::List(items) => write_list(f, items),
        }
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for (key, entry) in self.iter() {
            if key.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                writeln!(f, "{gap}[{}]", key.section)?;
                section = &key.section;
            }
            if section == OPTIONS {
                write_string(f, &key.name)?;
            } else {
                f.write_str(&key.name)?;
            }
            writeln!(f, " = {}  # {}", secret::masked(key, &entry.raw), entry.origin)?;
        }
        Ok(())
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[String]) -> fmt::Result {
    f.write_char('[')?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write_string(f, item)?;
    }
    f.write_char(']')
}

/// A basic string of TOML 1.0.
fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
