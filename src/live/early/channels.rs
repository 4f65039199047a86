//! Which channels are followed by whom, and which are subscribed to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a channel that nobody follows any more stays subscribed: a page that is loaded anew
/// finds it as it was.
const LINGER: Duration = Duration::from_secs(5);
/// How many such channels there may be. Those beyond are released at once.
const MOST_IDLE: usize = 1000;

/// Each channel once, however many follow it. As many as the followers name, and some idle ones.
#[derive(Default)]
pub(in crate::live) struct Channels {
    entries: HashMap<Arc<str>, Entry>,
    /// To be subscribed to.
    wanted: HashSet<Arc<str>>,
    /// Redis has refused them.
    refused: HashSet<Arc<str>>,
    /// Subscribed, and nobody follows them any more since then.
    idle: HashMap<Arc<str>, Instant>,
}

#[derive(Default)]
struct Entry {
    followers: usize,
    is_subscribed: bool,
}

impl Channels {
    /// One more follows a channel. True: there is something to be done.
    pub(in crate::live) fn follow(&mut self, name: &str) -> bool {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.followers += 1;
            self.idle.remove(name);
            return false;
        }
        let name: Arc<str> = name.into();
        self.entries.insert(Arc::clone(&name), Entry { followers: 1, is_subscribed: false });
        self.wanted.insert(name);
        true
    }

    /// One less does. True: there is something to be done.
    pub(in crate::live) fn leave(&mut self, name: &str, now: Instant) -> bool {
        let Some((name, _)) = self.entries.get_key_value(name) else { return false };
        let name = Arc::clone(name);
        let Some(entry) = self.entries.get_mut(&name) else { return false };
        entry.followers = entry.followers.saturating_sub(1);
        if entry.followers > 0 {
            return false;
        }
        if entry.is_subscribed {
            self.idle.insert(name, now);
            return self.idle.len() > MOST_IDLE;
        }
        self.entries.remove(&name);
        self.wanted.remove(&name);
        self.refused.remove(&name);
        false
    }

    /// Takes what is to be subscribed to, which then counts as subscribed.
    pub(super) fn take_wanted(&mut self) -> Vec<Arc<str>> {
        let wanted: Vec<_> = self.wanted.drain().collect();
        for name in &wanted {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.is_subscribed = true;
            }
        }
        wanted
    }

    /// Takes what has been idle for long enough.
    pub(super) fn take_idle(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut excess = self.idle.len().saturating_sub(MOST_IDLE);
        let mut taken = Vec::new();
        self.idle.retain(|name, since| {
            let is_over = now.saturating_duration_since(*since) >= LINGER || excess > 0;
            if is_over {
                excess = excess.saturating_sub(1);
                taken.push(Arc::clone(name));
            }
            !is_over
        });
        for name in &taken {
            self.entries.remove(name);
        }
        taken
    }

    /// Redis has refused them: they are not subscribed, and not wanted until it is asked again.
    pub(super) fn refuse<'n>(&mut self, names: impl IntoIterator<Item = &'n Arc<str>>) {
        for name in names {
            let Some(entry) = self.entries.get_mut(name) else { continue };
            entry.is_subscribed = false;
            if entry.followers > 0 {
                self.refused.insert(Arc::clone(name));
            } else {
                self.entries.remove(name);
                self.idle.remove(name);
            }
        }
    }

    /// What was refused is wanted again. True: there is something to be done.
    pub(super) fn ask_again(&mut self) -> bool {
        self.wanted.extend(self.refused.drain());
        !self.wanted.is_empty()
    }

    /// The connection has ended: everything that is followed is wanted anew.
    pub(super) fn lose(&mut self) {
        self.idle.clear();
        self.refused.clear();
        self.wanted.clear();
        self.entries.retain(|name, entry| {
            entry.is_subscribed = false;
            let is_followed = entry.followers > 0;
            if is_followed {
                self.wanted.insert(Arc::clone(name));
            }
            is_followed
        });
    }

    /// How many are subscribed to, and how many should be and are not.
    pub(in crate::live) fn counts(&self) -> (usize, usize) {
        let missing = self.wanted.len() + self.refused.len();
        (self.entries.len() - missing, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(names: Vec<Arc<str>>) -> Vec<String> {
        let mut names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_channel_is_subscribed_to_once_and_released_after_the_last_and_a_while() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        assert!(channels.follow("a"));
        assert!(!channels.follow("a"));
        assert_eq!(taken(channels.take_wanted()), ["a"]);
        assert!(channels.take_wanted().is_empty());
        channels.leave("a", now);
        assert_eq!(channels.counts(), (1, 0));
        assert!(channels.take_idle(now + 2 * LINGER).is_empty());
        channels.leave("a", now);
        assert!(channels.take_idle(now).is_empty());
        assert_eq!(taken(channels.take_idle(now + LINGER)), ["a"]);
        assert_eq!(channels.counts(), (0, 0));
    }

    #[test]
    fn who_comes_again_in_time_finds_it_subscribed() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        channels.follow("a");
        channels.take_wanted();
        channels.leave("a", now);
        assert!(!channels.follow("a"));
        assert!(channels.take_idle(now + 2 * LINGER).is_empty());
        assert_eq!(channels.counts(), (1, 0));
    }

    #[test]
    fn who_goes_before_it_was_subscribed_leaves_nothing() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        channels.follow("a");
        channels.leave("a", now);
        channels.leave("a", now);
        assert!(channels.take_wanted().is_empty());
        assert_eq!(channels.counts(), (0, 0));
    }

    #[test]
    fn after_a_loss_all_that_is_followed_is_wanted_again() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        assert!(["a", "b", "c"].iter().all(|name| channels.follow(name)));
        channels.take_wanted();
        channels.leave("b", now);
        let refused: Arc<str> = "c".into();
        channels.refuse([&refused]);
        assert_eq!(channels.counts(), (2, 1));
        channels.lose();
        assert_eq!(channels.counts(), (0, 2));
        assert_eq!(taken(channels.take_wanted()), ["a", "c"]);
    }

    #[test]
    fn what_was_refused_is_asked_for_again_and_no_sooner() {
        let mut channels = Channels::default();
        assert!(["a", "b"].iter().all(|name| channels.follow(name)));
        let wanted = channels.take_wanted();
        channels.refuse(&wanted);
        assert!(channels.take_wanted().is_empty());
        assert!(!channels.follow("a"));
        channels.leave("b", Instant::now());
        assert!(channels.ask_again());
        assert_eq!(taken(channels.take_wanted()), ["a"]);
        assert_eq!(channels.counts(), (1, 0));
    }

    #[test]
    fn only_so_many_are_idle() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        let names: Vec<_> = (0..MOST_IDLE + 10).map(|n| n.to_string()).collect();
        assert!(names.iter().all(|name| channels.follow(name)));
        channels.take_wanted();
        let over = names.iter().filter(|name| channels.leave(name, now)).count();
        assert_eq!(over, 10);
        assert_eq!(channels.take_idle(now).len(), 10);
        assert_eq!(channels.counts(), (MOST_IDLE, 0));
    }
}
