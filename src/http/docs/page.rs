//! What the pages have in common.

use super::html::Escaped;

/// A page's place, contents and navigation.
pub(super) struct Page<'a> {
    /// From the page to the root of the service, so that a prefix before it does no harm.
    pub(super) root: &'static str,
    pub(super) title: &'a str,
    /// Lists of links.
    pub(super) navigation: String,
    pub(super) main: String,
}

impl Page<'_> {
    /// The whole document.
    pub(super) fn render(&self) -> String {
        let Page { root, title, navigation, main } = self;
        let title = Escaped(title);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <link rel=\"stylesheet\" href=\"{root}docs/style.css\">\n\
             <script src=\"{root}docs/copy.js\" defer></script>\n</head>\n<body>\n\
             <nav><a class=\"home\" href=\"{root}docs\">dual-stream</a>{navigation}</nav>\n\
             <main>{main}</main>\n</body>\n</html>\n"
        )
    }
}

/// A list of links under a heading.
pub(super) fn links(heading: &str, links: impl Iterator<Item = (String, String)>) -> String {
    let link =
        |(address, html): (String, String)| format!("<li><a href=\"{address}\">{html}</a></li>");
    let links: String = links.map(link).collect();
    format!("<p>{heading}</p><ul>{links}</ul>")
}
