//! Who is to have what.

use std::collections::HashMap;
use std::sync::Arc;

use super::early::Scope;
use super::message::{Form, Message};
use super::news::News;
use super::queue::{Sender, Torn};
use crate::event::{Selection, Source};
use crate::kafka::StoredEvent;
use crate::metrics::Announced;

/// The followers, found by what they follow.
#[derive(Default)]
pub(super) struct Registry {
    everything: Members,
    types: HashMap<String, OfType>,
    /// How many there are, each counted once.
    count: usize,
    last_id: u64,
}

/// The followers of one `source_type`.
#[derive(Default)]
struct OfType {
    whole: Members,
    sources: HashMap<String, Members>,
}

/// Ordered by id: each new one comes behind the others.
#[derive(Default)]
struct Members(Vec<Arc<Member>>);

struct Member {
    id: u64,
    selection: Arc<Selection>,
    /// What is told early is a notification: there is no event yet.
    is_told_early: bool,
    queue: Sender,
}

impl Registry {
    /// Adds a follower, and gives the id by which it is removed.
    pub(super) fn add(&mut self, selection: &Arc<Selection>, form: Form, queue: Sender) -> u64 {
        self.last_id += 1;
        self.count += 1;
        let (id, is_told_early) = (self.last_id, form == Form::Notification);
        let selection_of = Arc::clone(selection);
        let member = Arc::new(Member { id, selection: selection_of, is_told_early, queue });
        if selection.is_everything() {
            self.everything.0.push(Arc::clone(&member));
        }
        for name in selection.source_types() {
            let of_type = self.types.entry(name.clone()).or_default();
            of_type.whole.0.push(Arc::clone(&member));
        }
        for source in selection.sources() {
            let of_type = self.types.entry(source.kind().to_owned()).or_default();
            let members = of_type.sources.entry(source.id().to_owned()).or_default();
            members.0.push(Arc::clone(&member));
        }
        self.last_id
    }

    /// Removes a follower, if it is there. Where nobody is left nothing is kept.
    pub(super) fn remove(&mut self, id: u64, selection: &Selection) {
        let mut is_there = false;
        if selection.is_everything() {
            is_there |= self.everything.remove(id);
        }
        for name in selection.source_types() {
            self.of_type(name, |of_type| is_there |= of_type.whole.remove(id));
        }
        for source in selection.sources() {
            self.of_type(source.kind(), |of_type| {
                if let Some(members) = of_type.sources.get_mut(source.id()) {
                    is_there |= members.remove(id);
                    if members.0.is_empty() {
                        of_type.sources.remove(source.id());
                    }
                }
            });
        }
        self.count -= usize::from(is_there);
    }

    /// Hands an event to those who follow it, made into a message only if there are any; what makes none is none. Those whom
    /// it is too much for are removed. Returns how many have it.
    pub(super) fn push(
        &mut self,
        event: &StoredEvent,
        is_tight: bool,
        make: impl FnOnce() -> Option<Message>,
    ) -> usize {
        let mut taken = 0;
        if self.count == 0 {
            return taken;
        }
        let mut torn = Vec::new();
        let (mut message, mut make) = (None, Some(make));
        for member in self.members(event) {
            if message.is_none() {
                message = make.take().and_then(|make| make()).map(Arc::new);
            }
            let Some(message) = &message else { break };
            match member.queue.push(message, is_tight) {
                Ok(()) => taken += 1,
                Err(_) => torn.push(Arc::clone(member)),
            }
        }
        for member in torn {
            self.remove(member.id, &member.selection);
        }
        taken
    }

    /// Tells what was announced of an event of a source to those who follow the channel, made into
    /// news only if there are any.
    pub(super) fn announce(
        &self,
        source: &Source,
        scope: Scope,
        kind: &str,
        is_tight: bool,
        make: impl FnOnce() -> News,
    ) -> Announced {
        let members = self.types.get(source.kind()).and_then(|of_type| match scope {
            Scope::Source => of_type.sources.get(source.id()),
            Scope::Type => Some(&of_type.whole),
        });
        let is_told =
            |member: &&Arc<Member>| member.is_told_early && member.selection.takes_kind(kind);
        let mut members = members.into_iter().flat_map(|members| &members.0).filter(is_told);
        let Some(first) = members.next() else { return Announced::Unfollowed };
        let news = Arc::new(make());
        let members = std::iter::once(first).chain(members);
        let told = members.filter(|member| member.queue.push_news(&news, is_tight)).count();
        if told > 0 { Announced::Told } else { Announced::LeftOut }
    }

    /// Ends all queues.
    pub(super) fn tear(&mut self, why: Torn) {
        let everything = std::mem::take(&mut self.everything);
        let types = std::mem::take(&mut self.types).into_values();
        let of_types = types.flat_map(|OfType { whole, sources }| {
            whole.0.into_iter().chain(sources.into_values().flat_map(|members| members.0))
        });
        everything.0.into_iter().chain(of_types).for_each(|member| {
            member.queue.tear(why);
        });
        self.count = 0;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.everything.0.is_empty() && self.types.is_empty()
    }

    fn members(&self, event: &StoredEvent) -> impl Iterator<Item = &Arc<Member>> {
        let of_type = self.types.get(event.source_type());
        let whole = of_type.into_iter().flat_map(|of_type| &of_type.whole.0);
        let source = of_type.and_then(|of_type| of_type.sources.get(event.source_id()));
        let source = source.into_iter().flat_map(|members| &members.0);
        let members = self.everything.0.iter().chain(whole).chain(source);
        members.filter(|member| member.selection.takes_kind(event.kind()))
    }

    fn of_type(&mut self, name: &str, change: impl FnOnce(&mut OfType)) {
        if let Some(of_type) = self.types.get_mut(name) {
            change(of_type);
            if of_type.whole.0.is_empty() && of_type.sources.is_empty() {
                self.types.remove(name);
            }
        }
    }
}

impl Members {
    fn remove(&mut self, id: u64) -> bool {
        let place = self.0.binary_search_by_key(&id, |member| member.id);
        place.map(|index| self.0.remove(index)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::queue::{Bounds, Queued, Receiver, Room, queue};
    use crate::live::samples::{event, news};
    use crate::metrics::Gauge;

    fn add(registry: &mut Registry, selection: Selection, events: usize) -> (u64, Receiver) {
        let (sender, receiver) = queue(&Room::new(Bounds { events, bytes: 100_000 }));
        (registry.add(&Arc::new(selection), Form::Notification, sender), receiver)
    }

    /// The offsets of what waits, below 0 for news.
    fn offsets(receiver: &mut Receiver) -> Vec<i64> {
        std::iter::from_fn(|| receiver.try_recv().ok().flatten())
            .map(|queued| match queued {
                Queued::Message(message) => message.cursor().offset(),
                Queued::News(news, _) => -news.cursor().offset(),
            })
            .collect()
    }

    fn push(registry: &mut Registry, source: [&str; 2], kind: &str, offset: i64) -> usize {
        let event = event(0, offset, source, kind);
        registry.push(&event, false, || {
            Some(Message::new(event.clone(), String::new(), &Gauge::default()))
        })
    }

    fn of(kind: &str, id: &str) -> Selection {
        Selection::of(Source::new(kind, id).unwrap())
    }

    #[test]
    fn each_has_what_it_follows_and_once() {
        let mut registry = Registry::default();
        let (_, mut one) = add(&mut registry, of("repo", "a"), 9);
        let whole = of("repo", "a").and_all_of("repo").unwrap();
        let (_, mut whole) = add(&mut registry, whole, 9);
        let (_, mut all) = add(&mut registry, Selection::everything(), 9);
        let pushes = of("repo", "a").only(vec!["push".to_owned()]);
        let (_, mut pushes) = add(&mut registry, pushes, 9);

        assert_eq!(push(&mut registry, ["repo", "a"], "push", 0), 4);
        assert_eq!(push(&mut registry, ["repo", "a"], "pull", 1), 3);
        assert_eq!(push(&mut registry, ["repo", "b"], "push", 2), 2);
        assert_eq!(push(&mut registry, ["user", "a"], "push", 3), 1);

        assert_eq!(offsets(&mut one), [0, 1]);
        assert_eq!(offsets(&mut whole), [0, 1, 2]);
        assert_eq!(offsets(&mut all), [0, 1, 2, 3]);
        assert_eq!(offsets(&mut pushes), [0]);
    }

    #[test]
    fn news_are_for_those_who_follow_the_channel_and_want_no_more() {
        let mut registry = Registry::default();
        let (_, mut one) = add(&mut registry, of("repo", "a"), 9);
        let (_, mut pushes) = add(&mut registry, of("repo", "a").only(vec!["push".into()]), 9);
        let whole = Selection::everything().and_all_of("repo").unwrap();
        let (_, mut whole) = add(&mut registry, whole, 9);
        let (_, mut all) = add(&mut registry, Selection::everything(), 9);
        let (sender, mut events) = queue(&Room::new(Bounds { events: 9, bytes: 100_000 }));
        registry.add(&Arc::new(of("repo", "a")), Form::Event, sender);
        let announce = |scope, kind, offset, is_tight| {
            let source = Source::new("repo", "a").unwrap();
            let make = || Arc::into_inner(news(0, offset)).unwrap();
            registry.announce(&source, scope, kind, is_tight, make)
        };

        assert_eq!(announce(Scope::Source, "push", 1, false), Announced::Told);
        assert_eq!(announce(Scope::Source, "pull", 2, false), Announced::Told);
        assert_eq!(announce(Scope::Type, "push", 3, false), Announced::Told);
        assert_eq!(announce(Scope::Type, "push", 4, true), Announced::LeftOut);
        let other = Source::new("repo", "b").unwrap();
        let make = || unreachable!("nobody follows it");
        let outcome = registry.announce(&other, Scope::Source, "push", false, make);
        assert_eq!(outcome, Announced::Unfollowed);

        assert_eq!(offsets(&mut one), [-1, -2]);
        assert_eq!(offsets(&mut pushes), [-1]);
        assert_eq!(offsets(&mut whole), [-3]);
        assert!(offsets(&mut all).is_empty() && offsets(&mut events).is_empty());
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_gone() {
        let mut registry = Registry::default();
        let selections =
            [of("repo", "a").and_all_of("user").unwrap(), Selection::everything(), of("repo", "a")];
        let added =
            selections.map(|selection| (add(&mut registry, selection.clone(), 9), selection));
        for ((id, _receiver), selection) in added {
            registry.remove(id, &selection);
            registry.remove(id, &selection);
        }
        assert!(registry.is_empty());
    }

    #[test]
    fn one_that_is_full_is_removed_and_the_others_go_on() {
        let mut registry = Registry::default();
        let (id, mut slow) = add(&mut registry, of("repo", "a"), 1);
        let (_, _quick) = add(&mut registry, of("repo", "a"), 9);
        assert_eq!(push(&mut registry, ["repo", "a"], "t", 0), 2);
        assert_eq!(push(&mut registry, ["repo", "a"], "t", 1), 1);
        assert_eq!(push(&mut registry, ["repo", "a"], "t", 2), 1);
        slow.try_recv().unwrap().unwrap();
        assert!(matches!(slow.try_recv(), Err(Torn::Full)));
        registry.remove(id, &of("repo", "a"));
        assert_eq!(push(&mut registry, ["repo", "a"], "t", 3), 1);
    }

    #[test]
    fn all_can_be_ended_at_once() {
        let mut registry = Registry::default();
        let (_, mut one) = add(&mut registry, of("repo", "a"), 9);
        let (_, mut all) = add(&mut registry, Selection::everything(), 9);
        registry.tear(Torn::Gap);
        for receiver in [&mut one, &mut all] {
            assert!(matches!(receiver.try_recv(), Err(Torn::Gap)));
        }
        assert!(registry.is_empty());
    }
}
