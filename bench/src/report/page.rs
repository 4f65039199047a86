//! The measured parts of `docs/performance.md`, each between two marks.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{plots, table};
use crate::run::ratios::Ratio;
use crate::run::results::Results;

/// Fills the page and draws the plots beside it.
pub fn write_docs(docs: &Path, results: &Results, ratios: &[Ratio]) -> Result<()> {
    let file = docs.join("performance.md");
    let page = fs::read_to_string(&file).context("docs/performance.md")?;
    let parts = [
        ("machine", table::machine(results)),
        ("ratios", table::ratios(ratios)),
        ("skipped", table::skipped(results)),
        ("rows", table::rows(results)),
        ("plots", plots::draw(&docs.join("performance"), results)?),
    ];
    let page = parts.iter().try_fold(page, |page, (name, text)| fill(&page, name, text))?;
    fs::write(&file, page)?;
    Ok(())
}

/// Puts a text between the two marks of its name.
fn fill(page: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench: {name} -->\n"), format!("<!-- /bench: {name} -->"));
    let missing = || format!("docs/performance.md has no marks for {name}");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_put_between_its_marks_again_and_again() {
        let page = "a\n<!-- bench: x -->\nold\n<!-- /bench: x -->\nb\n";
        let once = fill(page, "x", "new\n").unwrap();
        assert_eq!(once, "a\n<!-- bench: x -->\n\nnew\n\n<!-- /bench: x -->\nb\n");
        assert_eq!(fill(&once, "x", "new").unwrap(), once);
        assert!(fill(page, "y", "").is_err());
    }

    #[test]
    fn the_page_has_all_marks() {
        let page = include_str!("../../../docs/performance.md");
        for name in ["machine", "ratios", "skipped", "rows", "plots"] {
            assert!(fill(page, name, "").is_ok(), "{name}");
        }
    }
}
