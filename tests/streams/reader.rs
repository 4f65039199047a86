//! Readers: each follows something, in its own manner, through whatever breaks.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::book::{Begins, Book, Ended};
use super::wanted::Wanted;
use crate::harness::stream::{Events, Message};
use crate::harness::{Client, PATIENCE};

/// How soon a reader comes again that found nobody.
const AGAIN: Duration = Duration::from_millis(50);
/// Events after which a reader leaves at the latest, where it leaves by chance.
const EVENTS: u64 = 3000;

/// How a reader behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Stays for as long as it can.
    Steady,
    /// Cuts its connection at any moment, and goes on at any instance.
    Cuts,
    /// The same, and stays away for a while.
    Lags,
    /// Does not read for a while, over a connection with little room.
    Stalls,
    /// Cuts its connection, and begins anew after so many recent events.
    BeginsAnew { recent: usize },
    /// Stays away when it is told to.
    GoesAway,
}

/// A reader to be.
pub struct Plan {
    pub name: &'static str,
    pub wanted: Wanted,
    pub manner: Manner,
    /// Whether it begins before everything; else with what comes from now on.
    pub from_beginning: bool,
}

/// What all readers are told.
#[derive(Clone)]
pub struct Told {
    /// Where the instances listen.
    pub instances: Vec<watch::Receiver<Client>>,
    /// Whether everyone is to stay, and to read to the end.
    pub settles: watch::Receiver<bool>,
    /// Whether those who go away are to be away.
    pub away: watch::Receiver<bool>,
}

/// A reader at work.
pub struct Reader {
    pub name: &'static str,
    pub wanted: Wanted,
    pub manner: Manner,
    book: Arc<Mutex<Book>>,
    task: JoinHandle<()>,
}

impl Reader {
    pub fn start(plan: Plan, told: &Told, seed: u64) -> Self {
        let Plan { name, wanted, manner, from_beginning } = plan;
        let book = Arc::new(Mutex::new(Book::new(wanted.is_whole)));
        let at_work = AtWork {
            path: wanted.path(),
            manner,
            from_beginning,
            told: told.clone(),
            rng: Rng::with_seed(seed),
            book: Arc::clone(&book),
        };
        let task = tokio::spawn(at_work.run());
        Reader { name, wanted, manner, book, task }
    }

    /// What it has noted so far.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        assert!(!self.task.is_finished(), "{} has failed: see above", self.name);
        self.book.lock().expect("no panic")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct AtWork {
    path: String,
    manner: Manner,
    from_beginning: bool,
    told: Told,
    rng: Rng,
    book: Arc<Mutex<Book>>,
}

impl AtWork {
    async fn run(mut self) {
        loop {
            if self.manner == Manner::GoesAway {
                self.told.away.wait_for(|away| !away).await.expect("the world stands");
            }
            match self.connect().await {
                Some(events) => self.follow(events).await,
                None => sleep(AGAIN).await,
            }
            if self.manner == Manner::Lags {
                self.idle().await;
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic")
    }

    fn settles(&self) -> bool {
        *self.told.settles.borrow()
    }

    fn time(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(millis))
    }

    /// Opens a stream at any instance, and takes its first message.
    async fn connect(&mut self) -> Option<Events> {
        let instance = self.rng.usize(..self.told.instances.len());
        let client = self.told.instances[instance].borrow().clone();
        let (begins, more, last_id) = self.begins();
        let path = format!("{}{more}", self.path);
        let opened = if self.manner == Manner::Stalls {
            client.try_open_narrow(&path, &last_id).await
        } else {
            let request = client.request(Method::GET, &path);
            Client::try_open(request.header("last-event-id", last_id)).await
        };
        let mut events = match opened {
            Ok(events) => events,
            Err(status) => {
                self.refused(status);
                return None;
            }
        };
        let first = timeout(PATIENCE, events.next_block()).await.ok()??;
        self.book().begin(instance, begins, &first).then_some(events)
    }

    /// Where the next stream is to begin: for the judge, in the address, and in the header.
    fn begins(&self) -> (Begins, String, String) {
        let book = self.book();
        let recent = match self.manner {
            Manner::BeginsAnew { recent } => recent,
            _ => 0,
        };
        match &book.last_id {
            Some(id) if !matches!(self.manner, Manner::BeginsAnew { .. }) => {
                (Begins::After(book.position.clone()), String::new(), id.clone())
            }
            None if self.from_beginning => {
                (Begins::After(book.position.clone()), "after=beginning".into(), String::new())
            }
            _ => {
                let more = if recent > 0 { format!("recent={recent}") } else { String::new() };
                (Begins::Now { recent, asked: std::time::Instant::now() }, more, String::new())
            }
        }
    }

    fn refused(&self, status: Option<reqwest::StatusCode>) {
        let mut book = self.book();
        match status.map(|status| status.as_u16()) {
            None | Some(503) => book.refused += 1,
            Some(other) => book.lies.push(format!("a stream was answered {other}")),
        }
    }

    /// Reads until one of the two ends it.
    async fn follow(&mut self, mut events: Events) {
        let how = self.read(&mut events).await;
        self.book().end(how);
    }

    async fn read(&mut self, events: &mut Events) -> Ended {
        let (leaves_at, mut left) = self.patience();
        loop {
            if left == 0 && !self.settles() {
                return Ended::Cut;
            }
            if self.manner == Manner::Stalls && left.is_multiple_of(EVENTS / 4) {
                self.idle().await;
            }
            let next = tokio::select! {
                biased;
                () = self.leaves(leaves_at) => return Ended::Cut,
                next = timeout(PATIENCE, events.next_block()) => next,
            };
            match next {
                Ok(Some(message)) => self.take(&message, &mut left),
                Ok(None) => return Ended::Broken,
                Err(_) => {
                    self.book().lies.push(format!("a stream was silent for {PATIENCE:?}"));
                    return Ended::Cut;
                }
            }
        }
    }

    fn take(&self, message: &Message, left: &mut u64) {
        *left = left.saturating_sub(1);
        let mut book = self.book();
        book.note(message);
        if self.settles() {
            book.settled += 1;
        }
    }

    /// Does nothing for a while, but for when all are to read on.
    async fn idle(&mut self) {
        let time = self.time(300..2500);
        let mut settles = self.told.settles.clone();
        let _ = timeout(time, settles.wait_for(|settles| *settles)).await;
    }

    /// When it leaves by itself, and after how many messages.
    fn patience(&mut self) -> (Option<Instant>, u64) {
        match self.manner {
            Manner::Steady | Manner::GoesAway => (None, u64::MAX),
            Manner::Stalls => (None, u64::MAX - self.rng.u64(..EVENTS)),
            Manner::Cuts | Manner::Lags | Manner::BeginsAnew { .. } => {
                let leaves_at = Instant::now() + self.time(10..2000);
                (Some(leaves_at), 1 + self.rng.u64(..EVENTS))
            }
        }
    }

    /// Waits until it is time to leave.
    async fn leaves(&self, at: Option<Instant>) {
        let Told { mut settles, mut away, .. } = self.told.clone();
        if self.manner == Manner::GoesAway {
            away.wait_for(|away| *away).await.expect("the world stands");
            return;
        }
        match at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
        settles.wait_for(|settles| !settles).await.expect("the world stands");
    }
}
