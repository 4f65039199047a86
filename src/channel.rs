//! Names of Redis channels, made from templates such as `events:{source_type}:{source_id}`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How the name of a channel is made from an event.
///
/// Literal text with any of the placeholders `{source_type}`, `{source_id}` and `{type}`.
/// The name of an event's own channel cannot be expressed: see [`TemplateError::OnePerEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelTemplate {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    SourceType,
    SourceId,
    Type,
}

/// Why a text is not a [`ChannelTemplate`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// There is no text.
    #[error("a channel template is empty; write for example events:{{source_type}}:{{source_id}}")]
    Empty,
    /// White space or a control character, which no client could type into a subscription.
    #[error("the channel template {0:?} has white space or a control character; leave it out")]
    Unprintable(String),
    /// A `{` without its `}`, or the other way round.
    #[error("the channel template {0:?} has a brace without its partner; write {{source_type}}")]
    UnpairedBrace(String),
    /// `{id}` or `{cursor}`: channels would be as many as events, with nobody on any of them.
    #[error(
        "the channel template has {{{0}}}, which would make one channel an event; \
         that is never allowed: use {{source_type}}, {{source_id}} or {{type}}"
    )]
    OnePerEvent(String),
    /// Any other name in braces.
    #[error(
        "the channel template has {{{0}}}, which is not known; \
         use {{source_type}}, {{source_id}} or {{type}}"
    )]
    UnknownPlaceholder(String),
}

impl ChannelTemplate {
    /// Appends the channel's name for one event to `out`.
    ///
    /// The parts are taken as they are: an event has been checked before it comes here. `kind` is
    /// the event's `type`.
    pub fn write_to(&self, out: &mut Vec<u8>, source_type: &str, source_id: &str, kind: &str) {
        for segment in &self.segments {
            let part = match segment {
                Segment::Literal(text) => text,
                Segment::SourceType => source_type,
                Segment::SourceId => source_id,
                Segment::Type => kind,
            };
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Whether every source has a channel of its own, on which all of its events are announced.
    pub fn is_of_sources(&self) -> bool {
        self.has(&Segment::SourceType) && self.has(&Segment::SourceId) && !self.has(&Segment::Type)
    }

    /// Whether every `source_type` has one.
    pub fn is_of_types(&self) -> bool {
        let has_more = self.has(&Segment::SourceId) || self.has(&Segment::Type);
        self.has(&Segment::SourceType) && !has_more
    }

    /// Which `source_type` an event with this `source_id` and `type` (`kind`) has, when it is
    /// announced on a channel of this name: what is announced there does not say.
    pub fn source_type_of<'c>(
        &self,
        channel: &'c str,
        source_id: &str,
        kind: &str,
    ) -> SourceType<'c> {
        let count = self.segments.iter().filter(|segment| **segment == Segment::SourceType).count();
        let len = |segment: &Segment| match segment {
            Segment::Literal(text) => text.len(),
            Segment::SourceType => 0,
            Segment::SourceId => source_id.len(),
            Segment::Type => kind.len(),
        };
        let is_named = |found: &str| {
            let mut name = Vec::with_capacity(channel.len());
            self.write_to(&mut name, found, source_id, kind);
            name == channel.as_bytes()
        };
        let left = channel.len().checked_sub(self.segments.iter().map(len).sum());
        let begin = self.segments.iter().take_while(|segment| **segment != Segment::SourceType);
        let begin: usize = begin.map(len).sum();
        match left {
            Some(_) if count == 0 && is_named("") => SourceType::Any,
            Some(left) if count > 0 && left % count == 0 => channel
                .get(begin..begin + left / count)
                .filter(|found| is_named(found))
                .map_or(SourceType::None, SourceType::One),
            _ => SourceType::None,
        }
    }

    fn has(&self, placeholder: &Segment) -> bool {
        self.segments.contains(placeholder)
    }
}

/// What the name of a channel says about the `source_type` of an event that is announced on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceType<'c> {
    /// The event is not announced there.
    None,
    /// It is this one.
    One(&'c str),
    /// It may be any.
    Any,
}

impl FromStr for ChannelTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(TemplateError::Unprintable(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), segments: segments(text)? })
    }
}

impl fmt::Display for ChannelTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segments(text: &str) -> Result<Vec<Segment>, TemplateError> {
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (literal, braced) = rest.split_at(brace);
        let (name, after) = braced
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'))
            .ok_or_else(|| TemplateError::UnpairedBrace(text.to_owned()))?;
        push_literal(&mut segments, literal);
        segments.push(placeholder(name)?);
        rest = after;
    }
    push_literal(&mut segments, rest);
    Ok(segments)
}

fn push_literal(segments: &mut Vec<Segment>, text: &str) {
    if !text.is_empty() {
        segments.push(Segment::Literal(text.to_owned()));
    }
}

fn placeholder(name: &str) -> Result<Segment, TemplateError> {
    match name {
        "source_type" => Ok(Segment::SourceType),
        "source_id" => Ok(Segment::SourceId),
        "type" => Ok(Segment::Type),
        "id" | "cursor" => Err(TemplateError::OnePerEvent(name.to_owned())),
        _ => Err(TemplateError::UnknownPlaceholder(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "events:{source_type}:{source_id}";

    fn name(template: &str, source_type: &str, source_id: &str, kind: &str) -> String {
        let template: ChannelTemplate = template.parse().unwrap();
        let mut out = Vec::new();
        template.write_to(&mut out, source_type, source_id, kind);
        String::from_utf8(out).unwrap()
    }

    fn refused(template: &str) -> TemplateError {
        template.parse::<ChannelTemplate>().unwrap_err()
    }

    #[test]
    fn a_name_is_the_literal_text_with_the_event_in_its_places() {
        assert_eq!(name(SOURCE, "repo", "owner/repo", "push"), "events:repo:owner/repo");
        assert_eq!(name("events:{source_type}", "user", "octocat", "push"), "events:user");
        assert_eq!(name("{type}.{type}-x", "user", "octocat", "push"), "push.push-x");
        assert_eq!(name("all", "user", "octocat", "push"), "all");
    }

    #[test]
    fn a_name_is_appended_to_what_is_there() {
        let template: ChannelTemplate = "{source_id}".parse().unwrap();
        let mut out = b"before ".to_vec();
        template.write_to(&mut out, "user", "octocat", "push");
        assert_eq!(out, b"before octocat");
    }

    #[test]
    fn a_template_displays_as_it_was_written() {
        for text in [SOURCE, "events:{source_type}", "all", "{type}"] {
            assert_eq!(text.parse::<ChannelTemplate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_a_channel_is_of_is_known() {
        let of = |template: &str| {
            let template: ChannelTemplate = template.parse().unwrap();
            (template.is_of_sources(), template.is_of_types())
        };
        assert_eq!(of(SOURCE), (true, false));
        assert_eq!(of("events:{source_type}"), (false, true));
        for neither in ["all", "{source_id}", "{type}", "{source_type}:{source_id}:{type}"] {
            assert_eq!(of(neither), (false, false), "{neither}");
        }
    }

    #[test]
    fn the_source_type_is_read_back_from_a_name() {
        let read = |template: &str, channel| {
            let template: ChannelTemplate = template.parse().unwrap();
            match template.source_type_of(channel, "i:1", "push") {
                SourceType::One(found) => found.to_owned(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(read(SOURCE, "events:repo:i:1"), "repo");
        assert_eq!(read(SOURCE, "events:repo:i:2"), "None");
        assert_eq!(read(SOURCE, "events:"), "None");
        assert_eq!(read("{source_type}.{type}.{source_type}", "a.push.a"), "a");
        assert_eq!(read("{source_type}.{type}.{source_type}", "a.push.b"), "None");
        assert_eq!(read("é{source_type}", "eee"), "None");
        assert_eq!(read("by:{type}", "by:push"), "Any");
        assert_eq!(read("by:{type}", "by:pull"), "None");
    }

    #[test]
    fn one_channel_an_event_is_refused_by_name() {
        for placeholder in ["id", "cursor"] {
            let error = refused(&format!("events:{{{placeholder}}}"));
            assert_eq!(error, TemplateError::OnePerEvent(placeholder.to_owned()));
            assert!(error.to_string().contains("one channel an event"));
        }
    }

    #[test]
    fn an_unknown_placeholder_is_answered_with_the_known_ones() {
        let error = refused("events:{source}");
        assert_eq!(error, TemplateError::UnknownPlaceholder("source".to_owned()));
        assert!(error.to_string().ends_with("use {source_type}, {source_id} or {type}"));
    }

    #[test]
    fn text_that_cannot_be_a_name_is_refused() {
        assert_eq!(refused(""), TemplateError::Empty);
        for text in ["a b", "a\n", "\u{7f}", "a\u{a0}b"] {
            assert_eq!(refused(text), TemplateError::Unprintable(text.to_owned()));
        }
        for text in ["{", "}", "a{source_type", "source_type}", "}{"] {
            assert_eq!(refused(text), TemplateError::UnpairedBrace(text.to_owned()));
        }
        assert!(matches!(refused("{}"), TemplateError::UnknownPlaceholder(_)));
    }

    proptest! {
        #[test]
        fn a_name_of_the_default_template_parses_back(
            source_type in "[A-Za-z0-9._-]{1,64}",
            source_id in "[^\\p{Cc}]{1,64}",
        ) {
            let name = name(SOURCE, &source_type, &source_id, "push");
            let source = name.strip_prefix("events:").unwrap();
            prop_assert_eq!(source.split_once(':'), Some((&*source_type, &*source_id)));
        }

        #[test]
        fn any_name_tells_the_source_type_it_was_made_with(
            template in "[ab]{0,2}(\\{source_type\\}|\\{source_id\\}|\\{type\\}|[ab]){1,4}",
            source_type in "[ab]{1,3}",
            source_id in "[ab]{1,3}",
            channel in "[abé]{0,9}",
        ) {
            let parsed: ChannelTemplate = template.parse().unwrap();
            let made = name(&template, &source_type, &source_id, "aé");
            let expected = match parsed.has(&Segment::SourceType) {
                true => SourceType::One(&source_type),
                false => SourceType::Any,
            };
            prop_assert_eq!(parsed.source_type_of(&made, &source_id, "aé"), expected);
            let other = parsed.source_type_of(&channel, &source_id, "aé");
            if let SourceType::One(found) = other {
                prop_assert_eq!(name(&template, found, &source_id, "aé"), channel);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z{}:_ ]{0,40}") {
            if let Ok(template) = text.parse::<ChannelTemplate>() {
                prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
