//! Wiring, and the ordered shutdown.

mod listeners;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout, timeout_at};

use crate::event::Limits;
use crate::http::{self, App, Edge, Health, Origins, Phase, Room, Server};
use crate::live::{self, Announcements, Hub};
use crate::metrics::Metrics;
use crate::notifier::{Announced, Broadcaster, Notifier};
use crate::publisher::{Admission, DualPublisher};
use crate::reader::Reader;
use crate::redis;
use crate::settings::{self, Settings};
pub use listeners::Listeners;
use tally::{Since, Tally};

/// How long open connections are served after the last new one: busy ones get an answer that is
/// their last much sooner.
const FAREWELL: Duration = Duration::from_millis(300);

/// How long the end waits at the most for threads that have nothing to do any more.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// How long after the deadline the notifications that are left may take to be counted.
const COUNTING: Duration = Duration::from_millis(100);

/// Where notifications go.
pub enum Announce {
    /// To Redis.
    Redis,
    /// To subscribers in this process.
    Local(broadcast::Sender<Announced>),
}

/// Runs the service until `shutdown` resolves, and then to its orderly end.
///
/// # Errors
/// A setting that turns out to be unusable at start. Kafka or Redis not being there is none.
pub async fn run(
    settings: Settings,
    announce: Announce,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), String> {
    let service = Service::start(&settings, announce)?;
    let (stop, stopped) = watch::channel(Phase::Serving);
    let api = http::api(Arc::clone(&service.app), &settings.http);
    let admin = http::admin(Arc::clone(&service.app));
    listeners.tell();
    let api = (api, http::served(&settings.http));
    let api = Server { farewell: FAREWELL, ..service.server(api, &settings.http) };
    let api = tokio::spawn(api.run(listeners.http, stopped));
    // The admin listener answers until the end, so that the shutdown can be watched.
    let (stop_admin, admin_stopped) = watch::channel(Phase::Serving);
    let admin = (admin, &http::ADMIN_ROUTES[..]);
    let admin = service.server(admin, &settings.http);
    let admin = tokio::spawn(admin.run(listeners.admin, admin_stopped));

    shutdown.await;
    let end = service.shut_down(&settings.shutdown, &stop, api).await;
    stop_admin.send_replace(Phase::Stopping(Instant::now()));
    let _ = admin.await;
    let_go(service, LAST_THREADS.min(end.deadline.saturating_duration_since(Instant::now()))).await;
    end.tell();
    Ok(())
}

/// Drops on a thread of its own, and waits for it no longer than this. The end of a client of
/// librdkafka waits for its threads, and these for the system's resolver, which may not answer.
async fn let_go<T: Send + 'static>(what: T, limit: Duration) {
    let (dropped, is_dropped) = oneshot::channel::<()>();
    let drop_it = move || {
        drop(what);
        drop(dropped);
    };
    if std::thread::Builder::new().name("end".into()).spawn(drop_it).is_ok() {
        let _ = timeout(limit, is_dropped).await;
    }
}

struct Service {
    app: Arc<App>,
    notifier: Arc<Notifier>,
}

impl Service {
    fn start(settings: &Settings, announce: Announce) -> Result<Self, String> {
        let metrics = Arc::new(Metrics::new());
        let live = start_live(settings, &announce, &metrics)?;
        let notifier = Arc::new(start_notifier(settings, announce, &metrics)?);
        let publisher = DualPublisher::start(settings, Arc::clone(&notifier), &metrics)?;
        let topic = settings.kafka.topic.clone();
        let cluster = publisher.cluster().clone();
        let heads = Arc::clone(publisher.heads());
        let followers = live.clone();
        let reader = Reader::start(
            settings,
            cluster.clone(),
            heads,
            Box::new(move |steps| followers.follow(steps)),
            &metrics,
        )?;
        let app = App {
            publisher,
            reader,
            live,
            origins: Origins::new(&settings.http.cors_origins),
            admission: Admission::new(&settings.publisher, &metrics),
            answers: Room::new(settings.publisher.max_in_flight_bytes / 2, &metrics),
            max_fetch: settings.reader.max_fetch,
            limits: Limits {
                max_event: settings.publisher.max_event,
                max_batch: settings.publisher.max_batch,
            },
            max_body: settings.http.max_body,
            body_timeout: settings.http.body_timeout,
            health: Health::new(topic, cluster, Arc::clone(&notifier)),
            metrics,
        };
        Ok(Service { app: Arc::new(app), notifier })
    }

    fn server(
        &self,
        (router, routes): (axum::Router, &'static [http::Route]),
        http: &settings::Http,
    ) -> Server {
        let metrics = Arc::clone(&self.app.metrics);
        Server {
            edge: Edge::new(router, routes, Arc::clone(&metrics)),
            max_connections: http.max_connections,
            idle_timeout: http.idle_timeout,
            write_timeout: http.write_timeout,
            farewell: Duration::ZERO,
            metrics,
        }
    }

    /// Not ready, stop accepting, finish requests, flush Kafka, drain notifications: each step
    /// with what is left of the grace.
    async fn shut_down(
        &self,
        settings: &settings::Shutdown,
        stop: &watch::Sender<Phase>,
        api: JoinHandle<usize>,
    ) -> End {
        let started = Instant::now();
        let deadline = started + settings.grace;
        tracing::info!(grace = ?settings.grace, "shutting down");
        self.app.health.shut_down();
        self.app.publisher.stop_watching();
        stop.send_replace(Phase::Leaving);
        sleep(settings.delay).await;
        // Connections that do not end must not take the time of what they have already posted.
        stop.send_replace(Phase::Stopping(started + settings.for_requests()));
        // Streams have no end of their own, and their clients find another instance by now.
        self.app.live.close();
        let at_close = Tally::of(&self.app);
        let connections_cut = api.await.unwrap_or_default();
        // Notifications are sent all the while; what is reported last needs a moment, too.
        let kept = settings.grace - settings.for_requests();
        let records_left = self.app.publisher.flush(deadline - kept / 3).await;
        let records_flushed = Tally::of(&self.app).since(&at_close).records;
        self.app.publisher.stop(deadline - kept / 6).await;
        self.app.reader.stop(deadline - kept / 8).await;
        self.drain(deadline).await;
        let since = Tally::of(&self.app).since(&at_close);
        End { started, deadline, connections_cut, records_flushed, records_left, since }
    }

    /// Sends the notifications that wait.
    async fn drain(&self, deadline: Instant) {
        let notifier = Arc::clone(&self.notifier);
        let drain = tokio::task::spawn_blocking(move || notifier.drain(deadline));
        // What is left at the deadline is counted after it. A panic is told by its own thread.
        let _ = timeout_at((deadline + COUNTING).into(), drain).await;
    }
}

/// How the shutdown went.
struct End {
    started: Instant,
    deadline: Instant,
    connections_cut: usize,
    records_flushed: u64,
    records_left: usize,
    since: Since,
}

impl End {
    fn tell(&self) {
        tracing::info!(
            connections_cut = self.connections_cut,
            records_flushed = self.records_flushed,
            records_left = self.records_left,
            notifications_drained = self.since.sent,
            notifications_left = self.since.dropped,
            took = ?self.started.elapsed(),
            "stopped"
        );
    }
}

/// Where nobody can follow, and where nothing is announced that could be heard, nobody listens.
fn start_live(
    settings: &Settings,
    announce: &Announce,
    metrics: &Arc<Metrics>,
) -> Result<Hub, String> {
    let may_hear = settings.live.early && settings.live.streams > 0;
    let channels = if may_hear { &settings.notify.channels[..] } else { &[] };
    let names = live::Names::new(channels);
    let is_deaf = names.is_empty();
    let hub = Hub::new(&settings.live, names, metrics);
    if !is_deaf {
        let announcements = match announce {
            Announce::Redis => Announcements::Redis(redis::Subscriber::new(&settings.redis)?),
            Announce::Local(subscribers) => Announcements::Local(subscribers.subscribe()),
        };
        live::listen(&hub, announcements)?;
    }
    Ok(hub)
}

fn start_notifier(
    settings: &Settings,
    announce: Announce,
    metrics: &Arc<Metrics>,
) -> Result<Notifier, String> {
    match announce {
        Announce::Local(subscribers) => {
            let broadcaster = || Broadcaster::Local(subscribers.clone());
            Notifier::start(&settings.notify, broadcaster, metrics)
        }
        Announce::Redis => {
            let pool = redis::Pool::new(&settings.redis, settings.notify.workers)?;
            Notifier::start(&settings.notify, || Broadcaster::Redis(pool.publisher()), metrics)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl Drop for Stuck {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_threads_that_do_not_end() {
        let (release, stuck) = std::sync::mpsc::channel();
        let started = Instant::now();
        let_go(Stuck(stuck), Duration::from_millis(50)).await;
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(release);
    }
}
