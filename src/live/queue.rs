//! What waits for one follower, bounded in events and in bytes over all that its client follows.
//! Whoever puts something in never waits; whoever takes it out learns why there is no more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::message::Message;
use super::news::News;

/// What comes out.
#[derive(Clone)]
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

/// Room for what waits, in one queue or in several.
pub(super) struct Room {
    bounds: Bounds,
    events: AtomicUsize,
    bytes: AtomicUsize,
}

/// What waits, with its place in a room, which it gives back when it is taken or thrown away.
struct Waiting {
    queued: Queued,
    room: Arc<Room>,
}

struct Shared {
    /// The client's room.
    room: Arc<Room>,
    /// As much again for a queue whose follower still reads the log: it may be behind.
    behind: Arc<Room>,
    is_behind: AtomicBool,
    torn: OnceLock<Torn>,
}

/// The end where messages come in.
pub(super) struct Sender {
    channel: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
    /// Whether news were left out since the last that went in.
    has_left_out: AtomicBool,
}

/// The end where they are taken out.
pub(super) struct Receiver {
    channel: mpsc::Receiver<Waiting>,
    shared: Arc<Shared>,
}

/// A queue whose messages wait in a client's room.
pub(super) fn queue(room: &Arc<Room>) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(room.bounds.events);
    let shared = Arc::new(Shared {
        room: Arc::clone(room),
        behind: Room::new(room.bounds),
        is_behind: AtomicBool::new(false),
        torn: OnceLock::new(),
    });
    let has_left_out = AtomicBool::new(false);
    (
        Sender { channel: sender, shared: Arc::clone(&shared), has_left_out },
        Receiver { channel: receiver, shared },
    )
}

impl Room {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Room { bounds, events: AtomicUsize::new(0), bytes: AtomicUsize::new(0) })
    }

    /// A place for what is to wait. None: there is none.
    fn take(self: &Arc<Self>, queued: Queued, is_tight: bool) -> Option<Waiting> {
        let len = queued.len();
        // News leave half of it to what the tail brings. A message that alone is larger than all of
        // the room has to go through it, too.
        let (share, may_be_alone) = match queued {
            Queued::Message(_) => (1, true),
            Queued::News(..) => (2, false),
        };
        let events = self.events.fetch_add(1, Ordering::AcqRel);
        let bytes = self.bytes.fetch_add(len, Ordering::AcqRel) + len;
        let waiting = Waiting { queued, room: Arc::clone(self) };
        let Bounds { events: most, bytes: max_bytes } = self.bounds;
        let fits = events * share < most && bytes * share <= max_bytes && !is_tight;
        (fits || (may_be_alone && events == 0)).then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.room.events.fetch_sub(1, Ordering::AcqRel);
        self.room.bytes.fetch_sub(self.queued.len(), Ordering::AcqRel);
    }
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
        let queued = Queued::Message(Arc::clone(message));
        let Some(waiting) = self.room().take(queued, is_tight) else {
            return Err(self.tear(Torn::Full));
        };
        self.channel.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.tear(Torn::Full),
            mpsc::error::TrySendError::Closed(_) => self.tear(Torn::Gone),
        })
    }

    /// Puts news in, as long as they leave half of the queue to what the tail brings, and memory is
    /// not tight. False: they are left out.
    pub(super) fn push_news(&self, news: &Arc<News>, is_tight: bool) -> bool {
        let has_left_out = self.has_left_out.load(Ordering::Acquire);
        let waiting = self.room().take(Queued::News(Arc::clone(news), has_left_out), is_tight);
        let is_in = waiting.is_some_and(|waiting| self.channel.try_send(waiting).is_ok());
        self.has_left_out.store(!is_in, Ordering::Release);
        is_in
    }

    fn room(&self) -> &Arc<Room> {
        let Shared { room, behind, is_behind, .. } = &*self.shared;
        if is_behind.load(Ordering::Acquire) { behind } else { room }
    }

    /// Says why it ends. The first one to say so counts.
    pub(super) fn tear(&self, why: Torn) -> Torn {
        *self.shared.torn.get_or_init(|| why)
    }
}

impl Receiver {
    /// Its follower reads the log now, so that what comes meanwhile has to wait.
    pub(super) fn set_behind(&self) {
        self.shared.is_behind.store(true, Ordering::Release);
    }

    /// Its follower takes what comes from now on.
    pub(super) fn set_level(&self) {
        self.shared.is_behind.store(false, Ordering::Release);
    }

    /// What comes next.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) async fn recv(&mut self) -> Result<Queued, Torn> {
        match self.channel.recv().await {
            Some(waiting) => Ok(waiting.queued.clone()),
            None => Err(self.torn()),
        }
    }

    /// What comes next, if it is there.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) fn try_recv(&mut self) -> Result<Option<Queued>, Torn> {
        match self.channel.try_recv() {
            Ok(waiting) => Ok(Some(waiting.queued.clone())),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(self.torn()),
        }
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

    fn room() -> Arc<Room> {
        Room::new(Bounds { events: 3, bytes: 10_000 })
    }

    #[test]
    fn a_queue_takes_no_more_than_it_may_and_says_so_at_its_end() {
        let (sender, mut receiver) = queue(&room());
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
        let (sender, mut receiver) = queue(&room());
        assert_eq!(sender.push(&message(0, 0, 50_000), false), Ok(()));
        receiver.try_recv().unwrap().unwrap();
        assert_eq!(sender.push(&message(0, 1, 6_000), false), Ok(()));
        assert_eq!(sender.push(&message(0, 2, 6_000), false), Err(Torn::Full));
    }

    #[test]
    fn when_memory_is_tight_nothing_may_wait() {
        let (sender, mut receiver) = queue(&room());
        assert_eq!(sender.push(&message(0, 0, 10), true), Ok(()));
        receiver.try_recv().unwrap().unwrap();
        assert_eq!(sender.push(&message(0, 1, 10), true), Ok(()));
        assert_eq!(sender.push(&message(0, 2, 10), true), Err(Torn::Full));
    }

    #[test]
    fn queues_of_one_client_share_its_room() {
        let room = room();
        let ((one, mut first), (other, second)) = (queue(&room), queue(&room));
        assert_eq!(one.push(&message(0, 0, 10), false), Ok(()));
        assert_eq!(other.push(&message(0, 0, 10), false), Ok(()));
        assert_eq!(one.push(&message(0, 1, 10), false), Ok(()));
        // What is taken, and what is thrown away, makes room again.
        first.try_recv().unwrap().unwrap();
        drop(second);
        assert_eq!(other.push(&message(0, 1, 10), false), Err(Torn::Gone));
        assert_eq!(one.push(&message(0, 2, 10), false), Ok(()));
        assert_eq!(one.push(&message(0, 3, 10), false), Ok(()));
        assert_eq!(one.push(&message(0, 4, 10), false), Err(Torn::Full));
    }

    #[test]
    fn what_waits_for_one_that_reads_the_log_takes_no_room_of_the_others() {
        let room = room();
        let ((behind, mut reader), (level, _taker)) = (queue(&room), queue(&room));
        reader.set_behind();
        for offset in 0..3 {
            assert_eq!(behind.push(&message(0, offset, 10), false), Ok(()));
            assert_eq!(level.push(&message(0, offset, 10), false), Ok(()));
        }
        reader.set_level();
        assert_eq!(level.push(&message(0, 3, 10), false), Err(Torn::Full));
        reader.try_recv().unwrap().unwrap();
        assert_eq!(behind.push(&message(0, 3, 10), false), Err(Torn::Full));
    }

    #[test]
    fn news_leave_half_of_it_to_the_tail_and_end_nothing() {
        let (sender, mut receiver) = queue(&Room::new(Bounds { events: 4, bytes: 10_000 }));
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
        let (sender, mut receiver) = queue(&Room::new(Bounds { events: 100, bytes: 1000 }));
        assert!(sender.push_news(&news(0, 0), false));
        assert!(!sender.push_news(&news(0, 1), false));
        assert!(taken(&mut receiver).is_some());
        assert!(sender.push_news(&news(0, 2), false));
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let (sender, mut receiver) = queue(&room());
        assert!(receiver.try_recv().unwrap().is_none());
        sender.tear(Torn::Gap);
        assert_eq!(sender.tear(Torn::Closing), Torn::Gap);
        drop(sender);
        assert_eq!(receiver.recv().await.err(), Some(Torn::Gap));
    }
}
