//! Which events are asked for.

use super::{InvalidSource, Source};

/// Some sources, all sources of some types, or everything; and of these perhaps only events of some
/// types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ordered by id, so that one is found by the key of its records.
    sources: Vec<Source>,
    source_types: Vec<String>,
    /// Empty: events of every type.
    kinds: Vec<String>,
}

impl Selection {
    /// Every event there is.
    pub fn everything() -> Self {
        Selection::default()
    }

    /// The events of one source.
    pub fn of(source: Source) -> Self {
        Selection { sources: vec![source], ..Selection::default() }
    }

    /// Adds a source, unless all of its type are meant already.
    #[must_use]
    pub fn and(mut self, source: Source) -> Self {
        if self.source_types.iter().any(|known| known == source.kind()) {
            return self;
        }
        let place = |known: &Source| (known.id(), known.kind()).cmp(&(source.id(), source.kind()));
        if let Err(index) = self.sources.binary_search_by(place) {
            self.sources.insert(index, source);
        }
        self
    }

    /// Adds all sources of a type.
    ///
    /// # Errors
    /// No source can have it.
    pub fn and_all_of(mut self, source_type: &str) -> Result<Self, InvalidSource> {
        let any = Source::new(source_type, "any")?;
        if !self.source_types.iter().any(|known| known == any.kind()) {
            self.source_types.push(any.kind().to_owned());
            self.sources.retain(|source| source.kind() != any.kind());
        }
        Ok(self)
    }

    /// Leaves only events of these types; of every type when there are none.
    #[must_use]
    pub fn only(mut self, kinds: Vec<String>) -> Self {
        self.kinds = kinds;
        self
    }

    /// Whether every source is meant.
    pub fn is_everything(&self) -> bool {
        self.sources.is_empty() && self.source_types.is_empty()
    }

    /// The single sources.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The types of which all sources are meant.
    pub fn source_types(&self) -> &[String] {
        &self.source_types
    }

    /// Whether a record with this key may be among them: a quick look before a closer one.
    pub fn may_have(&self, key: &[u8]) -> bool {
        if self.is_everything() || !self.source_types.is_empty() {
            return true;
        }
        self.sources.binary_search_by(|source| source.id().as_bytes().cmp(key)).is_ok()
    }

    /// Whether an event with this `source_type`, `source_id` and `type` is among them.
    pub fn takes(&self, source_type: &str, source_id: &str, kind: &str) -> bool {
        let is_meant = self.is_everything()
            || self.source_types.iter().any(|known| known == source_type)
            || self.has(source_type, source_id);
        is_meant && self.takes_kind(kind)
    }

    /// Whether events of this `type` are taken.
    pub fn takes_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind)
    }

    fn has(&self, source_type: &str, source_id: &str) -> bool {
        let place = |known: &Source| (known.id(), known.kind()).cmp(&(source_id, source_type));
        self.sources.binary_search_by(place).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(kind: &str, id: &str) -> Source {
        Source::new(kind, id).unwrap()
    }

    #[test]
    fn everything_is_meant_when_nothing_is_named() {
        let all = Selection::everything();
        assert!(all.takes("s", "i", "t") && all.may_have(b"i"));
        let pushes = all.only(vec!["push".to_owned()]);
        assert!(pushes.takes("s", "i", "push") && !pushes.takes("s", "i", "pull"));
    }

    #[test]
    fn sources_are_named_by_both_their_parts() {
        let some = Selection::of(source("repo", "b")).and(source("user", "a"));
        let some = some.and(source("repo", "c")).and(source("repo", "b"));
        assert_eq!(some.sources().len(), 3);
        for (kind, id, is_meant) in
            [("repo", "b", true), ("user", "a", true), ("repo", "a", false), ("user", "b", false)]
        {
            assert_eq!(some.takes(kind, id, "t"), is_meant, "{kind} {id}");
        }
        assert!(some.may_have(b"a") && some.may_have(b"c") && !some.may_have(b"d"));
    }

    #[test]
    fn a_whole_type_stands_beside_sources() {
        let some = Selection::of(source("repo", "b")).and_all_of("user").unwrap();
        assert!(some.takes("user", "anyone", "t") && some.takes("repo", "b", "t"));
        assert!(!some.takes("repo", "c", "t") && some.may_have(b"c"));
        assert!(Selection::everything().and_all_of("a:b").is_err());
        let whole = some.and(source("user", "anyone")).and_all_of("repo").unwrap();
        assert_eq!((whole.sources().len(), whole.source_types().len()), (0, 2));
    }
}
