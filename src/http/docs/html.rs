//! Small pieces of HTML.

use std::fmt;

use axum::http::StatusCode;

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "&quot;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Code within a line.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", Escaped(text))
}

/// A table, or nothing when it has no rows.
pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = rows.map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<table class=\"members\"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
}

/// A heading and what is under it, or nothing when there is nothing.
pub(super) fn under(heading: &str, content: String) -> String {
    if content.is_empty() { content } else { format!("<h4>{heading}</h4>{content}") }
}

/// A status with its reason phrase.
pub(super) fn status(code: &str) -> String {
    let known = code.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok());
    let phrase = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!("{} <span class=\"phrase\">{phrase}</span>", status_code(code))
}

/// A status coloured by its class.
pub(super) fn status_code(code: &str) -> String {
    let class = code.get(..1).unwrap_or_default();
    format!("<span class=\"status s{class}\">{code}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let escaped = Escaped("<a href=\"x\">é & b</a>").to_string();
        assert_eq!(escaped, "&lt;a href=&quot;x&quot;&gt;é &amp; b&lt;/a&gt;");
    }
}
