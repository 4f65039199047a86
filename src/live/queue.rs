//! What waits for one follower, bounded in events and in bytes. Whoever puts something in never
//! waits; whoever takes it out learns why there is no more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::message::Message;
use super::news::News;

/// What comes out.
pub(super) enum Queued {
    /// What the tail has brought.
    Message(Arc<Message>),
    /// What it will bring, and whether other news were left out before.
    News(Arc<News>, bool),
}

/// Why a queue has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Torn {
    /// More waits in it than may.
    Full,
    /// Something may have passed by that is in the log.
    Gap,
    /// The service ends.
    Closing,
    /// Nobody takes anything out.
    Gone,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

struct Shared {
    bytes: AtomicUsize,
    torn: OnceLock<Torn>,
}

/// The end where messages come in.
pub(super) struct Sender {
    channel: mpsc::Sender<Queued>,
    shared: Arc<Shared>,
    max_bytes: usize,
    /// Whether news were left out since the last that went in.
    has_left_out: AtomicBool,
}

/// The end where they are taken out.
pub(super) struct Receiver {
    channel: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
}

pub(super) fn queue(bounds: Bounds) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(bounds.events);
    let shared = Arc::new(Shared { bytes: AtomicUsize::new(0), torn: OnceLock::new() });
    let sender = Sender {
        channel: sender,
        shared: Arc::clone(&shared),
        max_bytes: bounds.bytes,
        has_left_out: AtomicBool::new(false),
    };
    (sender, Receiver { channel: receiver, shared })
}

impl Queued {
    fn len(&self) -> usize {
        match self {
            Queued::Message(message) => message.len(),
            Queued::News(news, _) => news.len(),
        }
    }
}

impl Sender {
    /// Puts a message in. When memory `is_tight`, only if nothing waits.
    ///
    /// # Errors
    /// It does not fit. The sender is of no more use then.
    pub(super) fn push(&self, message: &Arc<Message>, is_tight: bool) -> Result<(), Torn> {
        let len = message.len();
        let before = self.shared.bytes.fetch_add(len, Ordering::AcqRel);
        // A message that alone is larger than all of the queue has to go through it, too.
        let has_room = before == 0 || (before + len <= self.max_bytes && !is_tight);
        if !has_room {
            return Err(self.tear(Torn::Full));
        }
        let queued = Queued::Message(Arc::clone(message));
        self.channel.try_send(queued).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.tear(Torn::Full),
            mpsc::error::TrySendError::Closed(_) => self.tear(Torn::Gone),
        })
    }

    /// Puts news in, as long as they leave half of the queue to what the tail brings, and memory is
    /// not tight. False: they are left out.
    pub(super) fn push_news(&self, news: &Arc<News>, is_tight: bool) -> bool {
        let (len, bytes) = (news.len(), &self.shared.bytes);
        let has_room = self.channel.capacity() > self.channel.max_capacity() / 2
            && bytes.load(Ordering::Acquire) + len <= self.max_bytes / 2;
        let has_left_out = self.has_left_out.load(Ordering::Acquire);
        let is_in = has_room && !is_tight && {
            bytes.fetch_add(len, Ordering::AcqRel);
            self.channel.try_send(Queued::News(Arc::clone(news), has_left_out)).is_ok()
        };
        self.has_left_out.store(!is_in, Ordering::Release);
        is_in
    }

    /// Says why it ends. The first one to say so counts.
    pub(super) fn tear(&self, why: Torn) -> Torn {
        *self.shared.torn.get_or_init(|| why)
    }
}

impl Receiver {
    /// What comes next.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) async fn recv(&mut self) -> Result<Queued, Torn> {
        match self.channel.recv().await {
            Some(queued) => Ok(self.took(queued)),
            None => Err(self.torn()),
        }
    }

    /// What comes next, if it is there.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) fn try_recv(&mut self) -> Result<Option<Queued>, Torn> {
        match self.channel.try_recv() {
            Ok(queued) => Ok(Some(self.took(queued))),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(self.torn()),
        }
    }

    fn took(&self, queued: Queued) -> Queued {
        self.shared.bytes.fetch_sub(queued.len(), Ordering::AcqRel);
        queued
    }

    fn torn(&self) -> Torn {
        self.shared.torn.get().copied().unwrap_or(Torn::Closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::samples::{message, news};

    /// The offset, and of news whether others were left out before them.
    fn taken(receiver: &mut Receiver) -> Option<(i64, Option<bool>)> {
        receiver.try_recv().unwrap().map(|queued| match queued {
            Queued::Message(message) => (message.cursor().offset(), None),
            Queued::News(news, has_left_out) => (news.cursor().offset(), Some(has_left_out)),
        })
    }

    const ROOM: Bounds = Bounds { events: 3, bytes: 10_000 };

    #[test]
    fn a_queue_takes_no_more_than_it_may_and_says_so_at_its_end() {
        let (sender, mut receiver) = queue(ROOM);
        for offset in 0..3 {
            assert_eq!(sender.push(&message(0, offset, 10), false), Ok(()));
        }
        assert_eq!(sender.push(&message(0, 3, 10), false), Err(Torn::Full));
        drop(sender);
        for offset in 0..3 {
            assert_eq!(taken(&mut receiver), Some((offset, None)));
        }
        assert!(matches!(receiver.try_recv(), Err(Torn::Full)));
    }

    #[test]
    fn bytes_count_too_but_a_single_large_message_goes_through() {
        let (sender, mut receiver) = queue(ROOM);
        assert_eq!(sender.push(&message(0, 0, 50_000), false), Ok(()));
        receiver.try_recv().unwrap().unwrap();
        assert_eq!(sender.push(&message(0, 1, 6_000), false), Ok(()));
        assert_eq!(sender.push(&message(0, 2, 6_000), false), Err(Torn::Full));
    }

    #[test]
    fn when_memory_is_tight_nothing_may_wait() {
        let (sender, mut receiver) = queue(ROOM);
        assert_eq!(sender.push(&message(0, 0, 10), true), Ok(()));
        receiver.try_recv().unwrap().unwrap();
        assert_eq!(sender.push(&message(0, 1, 10), true), Ok(()));
        assert_eq!(sender.push(&message(0, 2, 10), true), Err(Torn::Full));
    }

    #[test]
    fn news_leave_half_of_it_to_the_tail_and_end_nothing() {
        let (sender, mut receiver) = queue(Bounds { events: 4, bytes: 10_000 });
        let put = |offset| sender.push_news(&news(0, offset), false);
        assert_eq!([put(0), put(1), put(2), put(3)], [true, true, false, false]);
        assert_eq!(sender.push(&message(0, 0, 10), false), Ok(()));
        assert_eq!(sender.push(&message(0, 1, 10), false), Ok(()));
        assert_eq!(taken(&mut receiver), Some((0, Some(false))));
        assert!(!put(4));
        assert!((0..3).all(|_| taken(&mut receiver).is_some()));
        assert!(!sender.push_news(&news(0, 5), true));
        assert!(put(6) && put(7));
        assert_eq!(taken(&mut receiver), Some((6, Some(true))));
        assert_eq!(taken(&mut receiver), Some((7, Some(false))));
        assert_eq!(taken(&mut receiver), None);
    }

    #[test]
    fn news_leave_half_of_the_bytes_too() {
        let (sender, mut receiver) = queue(Bounds { events: 100, bytes: 1000 });
        assert!(sender.push_news(&news(0, 0), false));
        assert!(!sender.push_news(&news(0, 1), false));
        assert!(taken(&mut receiver).is_some());
        assert!(sender.push_news(&news(0, 2), false));
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let (sender, mut receiver) = queue(ROOM);
        assert!(receiver.try_recv().unwrap().is_none());
        sender.tear(Torn::Gap);
        assert_eq!(sender.tear(Torn::Closing), Torn::Gap);
        drop(sender);
        assert_eq!(receiver.recv().await.err(), Some(Torn::Gap));
    }
}
