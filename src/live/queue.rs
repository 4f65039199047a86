//! What waits for one follower, bounded in events and in bytes. Whoever puts something in never
//! waits; whoever takes it out learns why there is no more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::message::Message;

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
    channel: mpsc::Sender<Arc<Message>>,
    shared: Arc<Shared>,
    max_bytes: usize,
}

/// The end where they are taken out.
pub(super) struct Receiver {
    channel: mpsc::Receiver<Arc<Message>>,
    shared: Arc<Shared>,
}

pub(super) fn queue(bounds: Bounds) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(bounds.events);
    let shared = Arc::new(Shared { bytes: AtomicUsize::new(0), torn: OnceLock::new() });
    let sender = Sender { channel: sender, shared: Arc::clone(&shared), max_bytes: bounds.bytes };
    (sender, Receiver { channel: receiver, shared })
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
        self.channel.try_send(Arc::clone(message)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.tear(Torn::Full),
            mpsc::error::TrySendError::Closed(_) => self.tear(Torn::Gone),
        })
    }

    /// Says why it ends. The first one to say so counts.
    pub(super) fn tear(&self, why: Torn) -> Torn {
        *self.shared.torn.get_or_init(|| why)
    }
}

impl Receiver {
    /// The next message.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) async fn recv(&mut self) -> Result<Arc<Message>, Torn> {
        match self.channel.recv().await {
            Some(message) => Ok(self.took(message)),
            None => Err(self.torn()),
        }
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) fn try_recv(&mut self) -> Result<Option<Arc<Message>>, Torn> {
        match self.channel.try_recv() {
            Ok(message) => Ok(Some(self.took(message))),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(self.torn()),
        }
    }

    fn took(&self, message: Arc<Message>) -> Arc<Message> {
        self.shared.bytes.fetch_sub(message.len(), Ordering::AcqRel);
        message
    }

    fn torn(&self) -> Torn {
        self.shared.torn.get().copied().unwrap_or(Torn::Closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::samples::message;

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
            assert_eq!(receiver.try_recv().unwrap().unwrap().cursor().offset(), offset);
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
