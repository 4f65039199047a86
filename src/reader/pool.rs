//! The threads of scans: so many, each with a consumer of its own that stays connected.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::threads::Threads;
use crate::kafka::{Fetch, LogConsumer};
use crate::settings::Settings;

/// How often an idle thread lets its consumer speak.
const IDLE: Duration = Duration::from_secs(1);

/// What a thread does with its consumer.
pub(super) type Job = Box<dyn FnOnce(&LogConsumer) + Send>;

/// Takes jobs, and does them in two lines by turns: answers that are waited for whole, and parts of
/// streams. So neither keeps the other from its turn.
pub(super) struct Pool {
    queue: Arc<Queue>,
    threads: Threads,
}

struct Queue {
    lines: Mutex<Lines>,
    changed: Condvar,
    /// How many pages may wait.
    room: usize,
}

#[derive(Default)]
struct Lines {
    pages: VecDeque<Job>,
    /// No more than there are streams, which are counted elsewhere.
    streams: VecDeque<Job>,
    last_was_page: bool,
    is_stopped: bool,
}

/// As many jobs wait as may.
pub(super) struct Full;

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// A consumer or a thread cannot be made.
    pub(super) fn start(settings: &Settings, room: usize) -> Result<Self, String> {
        let lines = Mutex::new(Lines::default());
        let queue = Arc::new(Queue { lines, changed: Condvar::new(), room });
        let mut threads = Threads::default();
        for _ in 0..settings.reader.scans {
            let consumer = LogConsumer::new(settings, Fetch::Scans)?;
            let queue = Arc::clone(&queue);
            threads.spawn("reader-scan", move || queue.work(&consumer))?;
        }
        Ok(Pool { queue, threads })
    }

    /// Has a job done whose answer is waited for.
    ///
    /// # Errors
    /// Too many wait.
    pub(super) fn page(&self, job: Job) -> Result<(), Full> {
        let mut lines = self.queue.lines.lock();
        if lines.pages.len() >= self.queue.room || lines.is_stopped {
            return Err(Full);
        }
        lines.pages.push_back(job);
        self.queue.changed.notify_one();
        Ok(())
    }

    /// Has a part of a stream read.
    pub(super) fn stream(&self, job: Job) {
        let mut lines = self.queue.lines.lock();
        if !lines.is_stopped {
            lines.streams.push_back(job);
            self.queue.changed.notify_one();
        }
    }

    /// Whether anyone waits for a thread.
    pub(super) fn is_waited_for(&self) -> bool {
        let lines = self.queue.lines.lock();
        !lines.pages.is_empty() || !lines.streams.is_empty()
    }

    /// Drops what waits, and ends the threads after what they do now.
    pub(super) fn stop(&self) {
        let mut lines = self.queue.lines.lock();
        let dropped = (std::mem::take(&mut lines.pages), std::mem::take(&mut lines.streams));
        lines.is_stopped = true;
        self.queue.changed.notify_all();
        drop(lines);
        // Outside the lock: whoever waits for one of them hears that it is gone.
        drop(dropped);
    }

    /// Whether they have been told to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.queue.lines.lock().is_stopped
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }
}

impl Queue {
    fn work(&self, consumer: &LogConsumer) {
        loop {
            match self.next() {
                Next::Job(job) => job(consumer),
                Next::Idle => {}
                Next::End => return,
            }
            consumer.serve();
        }
    }

    fn next(&self) -> Next {
        let deadline = Instant::now() + IDLE;
        let mut lines = self.lines.lock();
        loop {
            if lines.is_stopped {
                return Next::End;
            }
            if let Some(job) = lines.pop() {
                return Next::Job(job);
            }
            if self.changed.wait_until(&mut lines, deadline).timed_out() {
                return Next::Idle;
            }
        }
    }
}

enum Next {
    Job(Job),
    Idle,
    End,
}

impl Lines {
    fn pop(&mut self) -> Option<Job> {
        let (first, second) = if self.last_was_page {
            (&mut self.streams, &mut self.pages)
        } else {
            (&mut self.pages, &mut self.streams)
        };
        match first.pop_front() {
            Some(job) => {
                self.last_was_page = !self.last_was_page;
                Some(job)
            }
            None => second.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    fn one_thread() -> Pool {
        let mut settings = Settings::load([]).unwrap();
        settings.reader.scans = 1;
        Pool::start(&settings, 3).unwrap()
    }

    fn says(word: &'static str, heard: &Sender<&'static str>) -> Job {
        let heard = heard.clone();
        Box::new(move |_| heard.send(word).unwrap())
    }

    /// Keeps the thread until the value is dropped.
    fn keep(pool: &Pool) -> Sender<()> {
        let (release, released) = channel::<()>();
        let (begin, begun) = channel();
        let wait = move |_: &LogConsumer| {
            begin.send(()).unwrap();
            let _ = released.recv();
        };
        pool.stream(Box::new(wait));
        begun.recv().unwrap();
        release
    }

    #[test]
    fn pages_and_parts_of_streams_have_their_turns_and_too_many_pages_are_refused() {
        let pool = one_thread();
        let kept = keep(&pool);
        let (tell, heard) = channel();
        for _ in 0..3 {
            assert!(pool.page(says("page", &tell)).is_ok());
            pool.stream(says("stream", &tell));
        }
        assert!(pool.page(says("refused", &tell)).is_err());
        assert!(pool.is_waited_for());
        drop((kept, tell));
        let order: Vec<_> = heard.iter().collect();
        assert_eq!(order, ["page", "stream", "page", "stream", "page", "stream"]);
        pool.stop();
    }

    #[test]
    fn what_waits_at_the_end_is_dropped() {
        let pool = one_thread();
        let kept = keep(&pool);
        let (tell, heard) = channel();
        assert!(pool.page(says("page", &tell)).is_ok());
        pool.stop();
        assert!(pool.page(says("page", &tell)).is_err());
        pool.stream(says("stream", &tell));
        drop((kept, tell));
        assert_eq!(heard.iter().next(), None);
    }
}
