//! Everything at once: faults drawn by chance, as long as one likes.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::hasty;
use crate::harness::broker::Settings;
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::{Broker, RedisServer, unique};
use crate::report::Row;
use crate::run::{Place, Run};
use crate::traffic::Plan;

/// What can happen.
#[derive(Clone, Copy, Debug)]
enum Fault {
    BrokerKilled,
    BrokerFrozen,
    BrokerRestarted,
    ConnectionsReset,
    BlackHole,
    AnswersLost,
    Delay,
    RedisKilled,
    RedisFrozen,
    ServiceTerminated,
    ServiceKilled,
}

const FAULTS: [Fault; 11] = [
    Fault::BrokerKilled,
    Fault::BrokerFrozen,
    Fault::BrokerRestarted,
    Fault::ConnectionsReset,
    Fault::BlackHole,
    Fault::AnswersLost,
    Fault::Delay,
    Fault::RedisKilled,
    Fault::RedisFrozen,
    Fault::ServiceTerminated,
    Fault::ServiceKilled,
];

struct World {
    broker: Broker,
    proxy: Proxy,
    redis: RedisServer,
    run: Run,
}

/// Breaks something, mends it, sees that events pass, and again, until the time is over.
pub async fn soak(name: &'static str, time: Duration, seed: u64) -> Row {
    eprintln!("    {name}: SEED={seed} repeats this run");
    let mut rng = Rng::with_seed(seed);
    let mut world = World::start(name, seed).await;
    let ends = Instant::now() + time;
    let mut round = 0;
    while Instant::now() < ends {
        round += 1;
        let fault = FAULTS[rng.usize(..FAULTS.len())];
        let lasts = Duration::from_millis(rng.u64(100..6000));
        eprintln!("    {name}: fault {round}: {fault:?} for {lasts:?}");
        world.suffer(fault, lasts).await;
        world.run.recovers().await;
        world.run.flows().await;
    }
    let (row, findings) = world.run.finish().await;
    let bit = findings.not_stored + findings.unknown + findings.connection_lost + findings.unheard;
    assert!(bit > 0, "{round} faults left no trace");
    row
}

impl World {
    async fn start(name: &'static str, seed: u64) -> Self {
        let mut proxy = Proxy::bind().await;
        let mut broker = Broker::with(&Settings::plain().advertised(proxy.port()));
        broker.start().await;
        proxy.serve(broker.address());
        let mut redis = RedisServer::new();
        redis.start().await;
        let place =
            Place { source_type: unique("f"), brokers: proxy.address(), redis: redis.url() };
        let builder = hasty().brokers(&proxy.address()).set("redis.url", redis.url());
        // Less than it could: everything is read back at the end.
        let plan = Plan { singles: 8, batches: 2, batch_size: 20, seed, ..crate::plan() };
        let run = Run::at(place, name, builder, &plan).await;
        World { broker, proxy, redis, run }
    }

    async fn suffer(&mut self, fault: Fault, lasts: Duration) {
        match fault {
            Fault::BrokerKilled => {
                self.broker.kill().await;
                sleep(lasts).await;
                self.broker.start().await;
            }
            Fault::BrokerFrozen => {
                self.broker.freeze();
                sleep(lasts).await;
                self.broker.thaw();
            }
            Fault::BrokerRestarted => {
                self.broker.stop().await;
                self.broker.start().await;
            }
            Fault::ConnectionsReset => {
                for _ in 0..10 {
                    self.proxy.reset();
                    sleep(lasts / 10).await;
                }
            }
            Fault::BlackHole => self.network_is(Mode::Hold, lasts).await,
            Fault::AnswersLost => self.network_is(Mode::LoseAnswers, lasts).await,
            Fault::Delay => self.network_is(Mode::Delay(Duration::from_millis(100)), lasts).await,
            Fault::RedisKilled => {
                self.redis.kill().await;
                sleep(lasts).await;
                self.redis.start().await;
            }
            Fault::RedisFrozen => {
                self.redis.freeze();
                sleep(lasts).await;
                self.redis.thaw();
            }
            Fault::ServiceTerminated => {
                self.run.terminate().await;
                self.run.restart().await;
            }
            Fault::ServiceKilled => {
                self.run.kill().await;
                self.run.restart().await;
            }
        }
    }

    async fn network_is(&self, mode: Mode, lasts: Duration) {
        self.proxy.set(mode);
        sleep(lasts).await;
        self.proxy.set(Mode::Pass);
    }
}
