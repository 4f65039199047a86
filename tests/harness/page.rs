//! Pages of the documentation of which a part is made by a command.

use std::path::Path;

/// Puts the text between the marks of the command that makes it.
pub fn write_into(page: &Path, command: &str, text: &str) -> Result<(), String> {
    let (begin, end) = (
        format!("<!-- made by `{command}`: begin -->\n"),
        format!("<!-- made by `{command}`: end -->"),
    );
    let before = std::fs::read_to_string(page).map_err(|error| error.to_string())?;
    let (Some(from), Some(to)) = (before.find(&begin), before.find(&end)) else {
        return Err(format!("{} has no marks of {command}", page.display()));
    };
    let after = format!("{}{begin}\n{text}\n{}", &before[..from], &before[to..]);
    std::fs::write(page, after).map_err(|error| error.to_string())
}
