//! The description's texts, which are CommonMark, as HTML.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// A text as HTML blocks. Its headings have anchors.
pub(super) fn blocks(text: &str) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    for at in 0..events.len() {
        let anchor = slug(&title(&events[at..]));
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(CowStr::from(anchor));
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

/// A text of one paragraph, without the paragraph around it.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::new();
    let is_paragraph = |event: &Event<'_>| {
        matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph))
    };
    html::push_html(&mut out, Parser::new(text).filter(|event| !is_paragraph(event)));
    out
}

/// The titles of a text's headings, with their anchors.
pub(super) fn headings(text: &str) -> Vec<(String, String)> {
    let events: Vec<Event<'_>> = Parser::new(text).collect();
    let starts =
        (0..events.len()).filter(|at| matches!(events[*at], Event::Start(Tag::Heading { .. })));
    starts.map(|at| title(&events[at..])).map(|title| (slug(&title), title)).collect()
}

/// The text of the heading that begins here.
fn title(events: &[Event<'_>]) -> String {
    let within = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let text = within.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    text.collect()
}

fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_anchors() {
        let text = "## What `x` means, here\n\nText.";
        assert!(blocks(text).contains("<h2 id=\"what-x-means-here\">"));
        let heading = ("what-x-means-here".to_owned(), "What x means, here".to_owned());
        assert_eq!(headings(text), [heading]);
    }

    #[test]
    fn a_line_has_no_paragraph() {
        assert_eq!(inline("a `b`"), "a <code>b</code>");
    }
}
