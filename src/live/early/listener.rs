//! Listens to what is announced, for as long as the service runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::super::hub::Hub;
use crate::notifier::Announced;
use crate::redis::{Heard, Subscriber, Subscription};
use crate::telemetry;

/// How often idle channels are looked for.
const TICK: Duration = Duration::from_secs(1);
/// So many ticks between two questions whether Redis is there, and between two attempts at channels
/// that it refused.
const PING: u32 = 2;
const AGAIN: u32 = 10;
/// How many such questions in a row may stay without an answer.
const MISSED: u32 = 2;
/// How long it is waited before the next attempt to connect: at first, and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where it is announced what was stored.
pub enum Announcements {
    /// On Redis.
    Redis(Subscriber),
    /// In this process.
    Local(broadcast::Receiver<Announced>),
}

/// Tells the hub what is announced, until it is closed. On a thread of its own: among the tasks that
/// serve requests it would take their time, and wait for them when it has none to lose.
///
/// # Errors
/// The thread cannot be started.
pub fn listen(hub: &Hub, announcements: Announcements) -> Result<(), String> {
    let fail = |error| format!("cannot start to listen to what is announced: {error}");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    let hub = hub.clone();
    let listen = move || {
        runtime.block_on(async {
            let mut closed = hub.closed();
            tokio::select! {
                () = hear(&hub, announcements) => {}
                _ = closed.wait_for(|is_closed| *is_closed) => {}
            }
        });
        // Dropped, it would wait for a name to be resolved, for as long as that takes.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("live-early".into()).spawn(listen).map_err(fail)?;
    Ok(())
}

async fn hear(hub: &Hub, announcements: Announcements) {
    match announcements {
        Announcements::Redis(subscriber) => Listener::new(hub).run(&subscriber).await,
        Announcements::Local(announced) => hear_local(hub, announced).await,
    }
}

async fn hear_local(hub: &Hub, mut announced: broadcast::Receiver<Announced>) {
    hub.metrics().live_redis_connected.set(1);
    loop {
        match announced.recv().await {
            Ok(Announced { channel, payload }) => hub.tell(&channel, &payload),
            Err(RecvError::Lagged(_)) => hub.missed(),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Keeps a connection to Redis, with the channels that are followed.
struct Listener<'h> {
    hub: &'h Hub,
    pause: Duration,
    /// Whether the log has said that there is no connection, and not yet that there is one again.
    is_told: bool,
    missed: u32,
}

impl<'h> Listener<'h> {
    fn new(hub: &'h Hub) -> Self {
        Listener { hub, pause: FIRST_PAUSE, is_told: false, missed: 0 }
    }

    async fn run(&mut self, subscriber: &Subscriber) {
        loop {
            let told = self.hub.clone();
            let hears = move |heard: Heard<'_>| match heard {
                Heard::Message { channel, payload } => told.tell(channel, payload),
                Heard::Gap => told.missed(),
            };
            let error = match subscriber.connect(hears).await {
                Ok(mut redis) => self.serve(&mut redis).await,
                Err(error) => error,
            };
            self.lost(&error);
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn lost(&mut self, error: &str) {
        self.hub.metrics().live_redis_connected.set(0);
        self.hub.channels(|channels| channels.lose());
        self.hub.missed();
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!("streams hear nothing of redis, and go on by kafka alone: {error}");
        }
    }

    /// Subscribes and unsubscribes until the connection is of no more use, and says why.
    async fn serve(&mut self, redis: &mut Subscription) -> String {
        self.hub.metrics().live_redis_connected.set(1);
        self.missed = 0;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count: u32 = 0;
        loop {
            let done = tokio::select! {
                () = redis.gone() => Err("the connection has ended".to_owned()),
                () = self.hub.wanted() => self.subscribe(redis).await,
                _ = ticks.tick() => {
                    count = count.wrapping_add(1);
                    self.tick(redis, count).await
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    async fn tick(&mut self, redis: &mut Subscription, count: u32) -> Result<(), String> {
        self.release(redis).await?;
        if count.is_multiple_of(AGAIN) && self.hub.channels(|channels| channels.ask_again()) {
            self.subscribe(redis).await?;
        }
        if count.is_multiple_of(PING) { self.ping(redis).await } else { Ok(()) }
    }

    async fn ping(&mut self, redis: &mut Subscription) -> Result<(), String> {
        match redis.ping().await {
            Ok(()) => {
                self.missed = 0;
                self.pause = FIRST_PAUSE;
                if std::mem::replace(&mut self.is_told, false) {
                    tracing::info!("streams hear of redis again");
                }
                Ok(())
            }
            Err(error) => {
                self.missed += 1;
                if self.missed < MISSED { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn subscribe(&mut self, redis: &mut Subscription) -> Result<(), String> {
        self.release(redis).await?;
        let wanted = self.hub.channels(|channels| channels.take_wanted());
        let refused = redis.subscribe(&wanted).await?;
        if let Some(words) = refused.words {
            let channels = refused.channels.len();
            telemetry::warn_limited!(channels, "redis refuses subscriptions: {words}");
        }
        self.hub.channels(|channels| channels.refuse(refused.channels));
        Ok(())
    }

    async fn release(&mut self, redis: &mut Subscription) -> Result<(), String> {
        let idle: Vec<Arc<str>> = self.hub.channels(|channels| channels.take_idle(Instant::now()));
        redis.unsubscribe(&idle).await
    }
}
