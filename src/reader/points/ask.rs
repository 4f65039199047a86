//! A question for what is at a cursor, and what all answers to such may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::cursor::Cursor;
use crate::kafka::StoredEvent;
use crate::reader::answer::Answer;
use crate::reader::room::Room;
use crate::reader::{Found, ReadError};

/// How many times as long as Kafka may be silent a question may wait for its turn while others are
/// answered.
const TURNS: u32 = 4;

/// A question that is asked once, and answered once.
pub(super) struct Ask {
    cursor: Cursor,
    asked: Instant,
    /// That of the answer which it is for.
    room: Arc<Room>,
    reply: oneshot::Sender<Answer>,
    /// Counts it among those that wait.
    _waiting: OwnedSemaphorePermit,
}

impl Ask {
    /// The question, and where its answer will be.
    pub(super) fn new(
        cursor: Cursor,
        room: Arc<Room>,
        waiting: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (Ask { cursor, asked: Instant::now(), room, reply, _waiting: waiting }, answer)
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    pub(super) fn answer(self, answer: Answer) {
        let answer = match answer {
            Ok(Found::Event(event)) if !self.room.take(event.len()) => Err(ReadError::AnswerFull),
            answer => answer,
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }

    /// Whether its answer has no room for an event.
    pub(super) fn has_no_room(&self) -> bool {
        self.room.is_full()
    }

    /// Why it is not worth while to go on with it, if it is not. `heard` is when something came of
    /// its partition, which may be silent for as long as `timeout`.
    pub(super) fn given_up(
        &self,
        now: Instant,
        heard: Option<Instant>,
        timeout: Duration,
    ) -> Option<ReadError> {
        let since = heard.map_or(self.asked, |heard| heard.max(self.asked));
        if self.has_no_room() {
            Some(ReadError::AnswerFull)
        } else if now.duration_since(since) >= timeout {
            Some(ReadError::Unavailable)
        } else if now.duration_since(self.asked) >= timeout * TURNS {
            Some(ReadError::Busy)
        } else {
            None
        }
    }
}

/// The bytes of events that have been read and that nobody has taken yet, of all answers together.
pub(super) struct Budget {
    free: Arc<Semaphore>,
    limit: u32,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let limit = u32::try_from(bytes).unwrap_or(u32::MAX);
        Budget { free: Arc::new(Semaphore::new(limit as usize)), limit }
    }

    /// The event, which counts until the last of its bytes is gone. One that is larger than all of
    /// the room takes all of it.
    ///
    /// # Errors
    /// There is no room.
    pub(super) fn hold(&self, event: StoredEvent) -> Result<StoredEvent, ReadError> {
        let bytes = u32::try_from(event.len()).unwrap_or(u32::MAX).min(self.limit);
        let permit = Arc::clone(&self.free).try_acquire_many_owned(bytes);
        permit.map(|permit| event.keeping(permit)).map_err(|_| ReadError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ask(room: &Arc<Room>) -> (Ask, oneshot::Receiver<Answer>) {
        let waiting = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Ask::new(Cursor::new(0, 0).unwrap(), Arc::clone(room), waiting)
    }

    fn event(size: usize) -> StoredEvent {
        let cursor = Cursor::new(0, 0).unwrap();
        StoredEvent::new(cursor, 0, [""; 5], &vec![b'x'; size]).unwrap()
    }

    #[test]
    fn who_asks_waits_as_long_as_something_comes_but_not_for_ever() {
        let room = Arc::new(Room::new(100));
        let (ask, _answer) = ask(&room);
        let given_up = |after: u32, heard: Option<u32>| {
            let heard = heard.map(|heard| ask.asked + SECOND * heard);
            ask.given_up(ask.asked + SECOND * after, heard, SECOND * 2)
        };
        assert_eq!(given_up(1, None), None);
        assert_eq!(given_up(2, None), Some(ReadError::Unavailable));
        assert_eq!(given_up(3, Some(2)), None);
        assert_eq!(given_up(4, Some(2)), Some(ReadError::Unavailable));
        assert_eq!(given_up(8, Some(7)), Some(ReadError::Busy));
        assert!(room.take(100));
        assert_eq!(given_up(1, None), Some(ReadError::AnswerFull));
    }

    #[test]
    fn questions_for_one_answer_share_its_room() {
        let room = Arc::new(Room::new(100));
        let answers = [60, 60].map(|size| {
            let (ask, mut answer) = ask(&room);
            ask.answer(Ok(Found::Event(event(size))));
            answer.try_recv().unwrap()
        });
        assert!(matches!(answers, [Ok(Found::Event(_)), Err(ReadError::AnswerFull)]));
    }

    #[test]
    fn what_was_read_counts_until_it_is_taken() {
        let budget = Budget::new(100);
        let first = budget.hold(event(60)).unwrap();
        assert_eq!(budget.hold(event(60)), Err(ReadError::Busy));
        let value = first.value();
        drop(first);
        assert_eq!(budget.hold(event(60)), Err(ReadError::Busy));
        drop(value);
        let large = budget.hold(event(1000)).unwrap();
        assert_eq!(budget.hold(event(1)), Err(ReadError::Busy));
        drop(large);
        assert!(budget.hold(event(1)).is_ok());
    }
}
