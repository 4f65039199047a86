//! The channels that events are announced on, for those who follow, and back again.

use crate::channel::{ChannelTemplate, SourceType};
use crate::event::{Selection, Source};

/// Which of the service's own channels bring news to streams.
///
/// Sources are followed on the channels of a template with `{source_type}` and `{source_id}`, whole
/// types on those of one with `{source_type}` alone. Patterns would do for both, but every pattern
/// that anybody subscribes to makes every publish slower.
#[derive(Debug, Clone, Default)]
pub struct Names {
    templates: Vec<ChannelTemplate>,
    of_sources: Option<usize>,
    of_types: Option<usize>,
}

/// Who follows a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::live) enum Scope {
    /// Those who follow its source.
    Source,
    /// Those who follow all sources of its type.
    Type,
}

impl Names {
    /// Those of the notifications.
    pub fn new(templates: &[ChannelTemplate]) -> Self {
        Names {
            templates: templates.to_vec(),
            of_sources: templates.iter().position(ChannelTemplate::is_of_sources),
            of_types: templates.iter().position(ChannelTemplate::is_of_types),
        }
    }

    /// Whether no channel brings any.
    pub fn is_empty(&self) -> bool {
        self.of_sources.is_none() && self.of_types.is_none()
    }

    /// The channels that bring what is selected, as far as there are any.
    pub(in crate::live) fn of(&self, selection: &Selection) -> Vec<String> {
        let sources = selection.sources().iter();
        let sources =
            sources.filter_map(|source| self.name(self.of_sources?, source.kind(), source.id()));
        let types = selection.source_types().iter();
        let types = types.filter_map(|name| self.name(self.of_types?, name, ""));
        sources.chain(types).collect()
    }

    /// Who follows a channel, and the `source_type` of an event with this `source_id` and `type`
    /// that is announced there. None when the name does not say it beyond doubt: an event of one
    /// type must not be told to those who follow another.
    pub(super) fn read<'c>(
        &self,
        channel: &'c str,
        source_id: &str,
        kind: &str,
    ) -> Option<(Scope, &'c str)> {
        let (mut found, mut scope) = (None, None);
        for (index, template) in self.templates.iter().enumerate() {
            match template.source_type_of(channel, source_id, kind) {
                SourceType::One(name) if Source::new(name, source_id).is_ok() => {
                    if found.is_some_and(|found| found != name) {
                        return None;
                    }
                    found = Some(name);
                    scope = scope.or_else(|| self.scope(index));
                }
                SourceType::Any => return None,
                SourceType::None | SourceType::One(_) => {}
            }
        }
        scope.zip(found)
    }

    fn scope(&self, index: usize) -> Option<Scope> {
        match Some(index) {
            index if index == self.of_sources => Some(Scope::Source),
            index if index == self.of_types => Some(Scope::Type),
            _ => None,
        }
    }

    fn name(&self, index: usize, source_type: &str, source_id: &str) -> Option<String> {
        let mut name = Vec::new();
        self.templates.get(index)?.write_to(&mut name, source_type, source_id, "");
        String::from_utf8(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(templates: &[&str]) -> Names {
        let templates: Vec<_> = templates.iter().map(|text| text.parse().unwrap()).collect();
        Names::new(&templates)
    }

    #[test]
    fn sources_and_types_have_channels_where_there_is_a_template() {
        let some = Selection::of(Source::new("repo", "o/r").unwrap()).and_all_of("user").unwrap();
        let both = names(&["all:{type}", "e:{source_type}:{source_id}", "e:{source_type}"]);
        assert_eq!(both.of(&some), ["e:repo:o/r", "e:user"]);
        assert_eq!(names(&["e:{source_type}:{source_id}"]).of(&some), ["e:repo:o/r"]);
        assert!(both.of(&Selection::everything()).is_empty());
        assert!(names(&["all", "{source_id}", "{source_type}:{type}"]).is_empty());
        assert!(Names::default().of(&some).is_empty());
    }

    #[test]
    fn a_channel_tells_who_follows_it_and_the_type() {
        let names = names(&["e:{source_type}:{source_id}", "e:{source_type}"]);
        assert_eq!(names.read("e:repo:a:b", "a:b", "t"), Some((Scope::Source, "repo")));
        assert_eq!(names.read("e:repo", "a:b", "t"), Some((Scope::Type, "repo")));
        for (channel, id) in [("e:repo:a", "b"), ("x:repo:a", "a"), ("e:", "a"), ("e::a", "a")] {
            assert_eq!(names.read(channel, id, "t"), None, "{channel}");
        }
    }

    #[test]
    fn a_name_that_says_two_things_says_nothing() {
        let doubtful = names(&["e:{source_type}", "e:{source_type}{source_id}"]);
        assert_eq!(doubtful.read("e:ab", "b", "t"), None);
        assert_eq!(doubtful.read("e:ab", "c", "t"), Some((Scope::Type, "ab")));
        // An event of whatever type of source may have this type, and the name of another's channel.
        let by_type = names(&["e:{source_type}:{source_id}", "e:{type}"]);
        assert_eq!(by_type.read("e:repo:a", "a", "repo:a"), None);
        assert_eq!(by_type.read("e:repo:a", "a", "push"), Some((Scope::Source, "repo")));
        // Channels of a template that nobody follows bring nothing.
        assert_eq!(
            names(&["{source_type}:{source_id}", "x{source_type}"]).read("xs", "i", "t"),
            Some((Scope::Type, "s"))
        );
        assert_eq!(names(&["{source_type}:{type}"]).read("s:t", "i", "t"), None);
    }
}
