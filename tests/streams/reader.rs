//! Readers: each follows something, in its own manner, through whatever breaks.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::book::Ended;
use super::line::{Came, Line};
use super::subscription::{First, Followed, Subscription};
use super::wanted::Wanted;
use crate::harness::{Client, PATIENCE};

/// How soon a reader comes again that found nobody.
const AGAIN: Duration = Duration::from_millis(50);
/// Events after which a reader leaves at the latest, where it leaves by chance.
const EVENTS: u64 = 3000;
/// Milliseconds until a reader with a WebSocket thinks about its subscriptions again.
const THINKS: std::ops::Range<u64> = 10..150;
/// One in so many times it lets one of them go.
const CHANGES: usize = 8;

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
    /// Stays away when it is told to.
    GoesAway,
}

/// By what a reader hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Server-Sent Events, of one thing.
    Stream,
    /// A WebSocket, with any number of subscriptions, of which all but the first come and go.
    Socket,
}

/// A reader to be.
pub struct Plan {
    pub over: Over,
    pub manner: Manner,
    pub first: First,
    /// What it follows, by name.
    pub follows: Vec<(String, Wanted)>,
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
    pub over: Over,
    pub manner: Manner,
    follows: Vec<Arc<Followed>>,
    task: JoinHandle<()>,
}

impl Reader {
    pub fn start(plan: Plan, told: &Told, seed: u64) -> Self {
        let Plan { over, manner, first, follows } = plan;
        let follows = follows.into_iter().map(|(name, wanted)| Followed::new(name, wanted));
        let follows: Vec<_> = follows.collect();
        let subscriptions = follows.iter().map(|followed| Subscription::new(followed, first));
        let at_work = AtWork {
            over,
            manner,
            told: told.clone(),
            rng: Rng::with_seed(seed),
            instance: 0,
            subscriptions: subscriptions.collect(),
        };
        Reader { over, manner, follows, task: tokio::spawn(at_work.run()) }
    }

    /// What it follows, and has noted of it so far.
    pub fn follows(&self) -> &[Arc<Followed>] {
        let name = &self.follows[0].name;
        assert!(!self.task.is_finished(), "the reader of {name} has failed: see above");
        &self.follows
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct AtWork {
    over: Over,
    manner: Manner,
    told: Told,
    rng: Rng,
    /// Where it is.
    instance: usize,
    subscriptions: Vec<Subscription>,
}

impl AtWork {
    async fn run(mut self) {
        loop {
            if self.manner == Manner::GoesAway {
                self.told.away.wait_for(|away| !away).await.expect("the world stands");
            }
            match self.connect().await {
                Some(line) => self.follow(line).await,
                None => sleep(AGAIN).await,
            }
            if self.manner == Manner::Lags {
                self.idle().await;
            }
        }
    }

    fn settles(&self) -> bool {
        *self.told.settles.borrow()
    }

    fn time(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(millis))
    }

    /// Goes to any instance.
    async fn connect(&mut self) -> Option<Line> {
        self.instance = self.rng.usize(..self.told.instances.len());
        let client = self.told.instances[self.instance].borrow().clone();
        let is_narrow = self.manner == Manner::Stalls;
        let subscription = &mut self.subscriptions[0];
        let opened = match self.over {
            Over::Socket => Line::socket(&client, is_narrow).await,
            Over::Stream => {
                let start = subscription.asks(self.instance);
                Line::stream(&client, subscription.wanted(), &start, is_narrow).await
            }
        };
        let refused = |status: Option<reqwest::StatusCode>| {
            subscription.refused(status.map(|status| status.as_u16().into()));
        };
        opened.map_err(refused).ok()
    }

    /// Reads until one of the two ends it.
    async fn follow(&mut self, mut line: Line) {
        let how = self.read(&mut line).await;
        self.subscriptions.iter_mut().for_each(|subscription| subscription.ends(how));
    }

    async fn read(&mut self, line: &mut Line) -> Ended {
        let (leaves_at, mut left) = self.patience();
        let mut thinks_at = Instant::now();
        loop {
            if left == 0 && !self.settles() {
                return Ended::Cut;
            }
            let next = tokio::select! {
                biased;
                () = self.leaves(leaves_at) => return Ended::Cut,
                () = sleep_until(thinks_at), if self.over == Over::Socket => {
                    self.think(line).await;
                    thinks_at = Instant::now() + self.time(THINKS);
                    continue;
                }
                next = timeout(PATIENCE, line.next()) => next,
            };
            match next {
                Ok(Some(came)) => self.take(&came),
                Ok(None) => return Ended::Broken,
                Err(_) => {
                    let lie = format!("nothing came for {PATIENCE:?}");
                    self.subscriptions[0].book().lies.push(lie);
                    return Ended::Cut;
                }
            }
            left = left.saturating_sub(1);
            if self.manner == Manner::Stalls && left.is_multiple_of(EVENTS / 4) {
                self.idle().await;
            }
        }
    }

    fn take(&mut self, came: &Came) {
        let settles = self.settles();
        match came {
            Came::Of(number, message) => self.subscriptions[*number].takes(message, settles),
            Came::Closed(message) => {
                self.subscriptions.iter().for_each(|each| each.book().note(message));
            }
        }
    }

    /// Asks for what it does not follow, and lets something go, each as chance has it.
    async fn think(&mut self, line: &mut Line) {
        let Line::Socket(socket) = line else { return };
        let settles = self.settles();
        let goes = self.rng.usize(..CHANGES * self.subscriptions.len());
        for (number, subscription) in self.subscriptions.iter_mut().enumerate() {
            let lets_go = !settles && number > 0 && goes == number && subscription.is_open();
            if lets_go {
                socket.unsubscribe(number).await;
                subscription.leaves();
            }
            if (lets_go || subscription.is_off()) && (settles || self.rng.bool()) {
                let start = subscription.asks(self.instance);
                socket.subscribe(number, subscription.wanted(), &start).await;
            }
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
            Manner::Cuts | Manner::Lags => {
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
