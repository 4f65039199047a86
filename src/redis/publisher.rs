//! Publishing: a pool with every timeout set, and pipelines.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisResult, Value};
use deadpool_redis::{PoolConfig, PoolError, Runtime, Timeouts, cluster};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::server::{self, describe, refusal};
use crate::settings;

/// Pipelines under way at once on a cluster: one a channel, because the channels of a pipeline
/// must all live on one shard.
const CLUSTER_CONCURRENCY: usize = 64;

/// Sends notifications over one connection of the pool, which it keeps for as long as it works:
/// the pool pings at each checkout, and that would cost a round trip a pipeline.
pub struct Publisher {
    pool: Pool,
    connection: Option<Connection>,
    response_timeout: Duration,
}

/// Makes publishers that share one pool.
#[derive(Clone)]
pub struct Pool {
    kind: PoolKind,
    response_timeout: Duration,
}

#[derive(Clone)]
enum PoolKind {
    Single(deadpool_redis::Pool),
    Cluster(cluster::Pool),
}

enum Connection {
    Single(deadpool_redis::Connection),
    Cluster(cluster::Connection),
}

impl Pool {
    /// A pool for so many publishers. Nothing is connected yet: a Redis that is not there is no
    /// error here.
    ///
    /// # Errors
    /// `redis.url` cannot be understood.
    pub fn new(redis: &settings::Redis, publishers: usize) -> Result<Self, String> {
        let kind = if redis.cluster {
            PoolKind::Cluster(cluster_pool(redis, publishers)?)
        } else {
            PoolKind::Single(single_pool(redis, publishers)?)
        };
        Ok(Pool { kind, response_timeout: redis.response_timeout })
    }

    /// A publisher with a connection of its own.
    pub fn publisher(&self) -> Publisher {
        Publisher { pool: self.clone(), connection: None, response_timeout: self.response_timeout }
    }

    async fn get(&self) -> Result<Connection, String> {
        match &self.kind {
            PoolKind::Single(pool) => pool.get().await.map(Connection::Single),
            PoolKind::Cluster(pool) => pool.get().await.map(Connection::Cluster),
        }
        .map_err(explain)
    }
}

fn single_pool(redis: &settings::Redis, size: usize) -> Result<deadpool_redis::Pool, String> {
    let info = server::single(redis)?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(redis.connect_timeout))
        .set_response_timeout(Some(redis.response_timeout));
    let manager = deadpool_redis::Manager::new_with_config(info, config)
        .map_err(|error| error.to_string())?;
    let limits = pool_config(redis, size);
    deadpool_redis::Pool::builder(manager)
        .config(limits)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| error.to_string())
}

fn cluster_pool(redis: &settings::Redis, size: usize) -> Result<cluster::Pool, String> {
    let manager =
        cluster::Manager::new(server::nodes(redis), false).map_err(|error| error.to_string())?;
    let limits = pool_config(redis, size);
    cluster::Pool::builder(manager)
        .config(limits)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| error.to_string())
}

fn pool_config(redis: &settings::Redis, size: usize) -> PoolConfig {
    let limit = Some(redis.connect_timeout);
    let timeouts = Timeouts { wait: limit, create: limit, recycle: limit };
    PoolConfig { max_size: size, timeouts, ..PoolConfig::default() }
}

fn explain(error: PoolError) -> String {
    match error {
        PoolError::Timeout(step) => format!("no connection in time ({step:?})"),
        PoolError::Backend(error) => describe(&error),
        other => other.to_string(),
    }
}

impl Publisher {
    /// Publishes the notifications in one pipeline (on a cluster: one a channel), in order.
    ///
    /// # Errors
    /// No connection, or no answer in time: some of the notifications may have been delivered.
    /// The connection is given up.
    pub async fn publish<'n>(
        &mut self,
        notifications: impl ExactSizeIterator<Item = (&'n [u8], &'n [u8])>,
    ) -> Result<Replies, String> {
        let count = notifications.len();
        let mut connection = self.connection().await?;
        let limit = self.response_timeout;
        let sent = match &mut connection {
            Connection::Single(single) => timeout(limit, pipeline(single, notifications)).await,
            Connection::Cluster(shards) => timeout(limit, shard(shards, notifications)).await,
        };
        let replies = self.keep(connection, sent)?;
        if replies.refused == count {
            // Another server may stand behind the address by now, one that is no replica.
            self.connection.take().into_iter().for_each(Connection::discard);
        }
        Ok(replies)
    }

    /// Asks whether Redis is there, and connects when there is no connection yet.
    ///
    /// # Errors
    /// No connection or no answer in time.
    pub async fn probe(&mut self) -> Result<(), String> {
        let mut connection = self.connection().await?;
        let ping = Cmd::new().arg("PING").to_owned();
        let limit = self.response_timeout;
        let pong = match &mut connection {
            Connection::Single(single) => timeout(limit, ping.exec_async(single)).await,
            Connection::Cluster(shards) => timeout(limit, ping.exec_async(shards)).await,
        };
        self.keep(connection, pong)
    }

    async fn connection(&mut self) -> Result<Connection, String> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.pool.get().await,
        }
    }

    /// Keeps a connection that worked; one that did not is taken out of the pool for good.
    fn keep<T>(
        &mut self,
        connection: Connection,
        result: Result<RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, String> {
        match result {
            Ok(Ok(value)) => {
                self.connection = Some(connection);
                Ok(value)
            }
            Ok(Err(error)) => {
                connection.discard();
                Err(describe(&error))
            }
            Err(_) => {
                connection.discard();
                Err("no answer in time".into())
            }
        }
    }
}

impl Connection {
    fn discard(self) {
        match self {
            Connection::Single(connection) => drop(deadpool_redis::Connection::take(connection)),
            Connection::Cluster(connection) => drop(cluster::Connection::take(connection)),
        }
    }
}

/// What Redis said to a pipeline. A channel without subscribers is no refusal.
#[derive(Debug, Default)]
pub struct Replies {
    /// How many notifications it refused.
    pub refused: usize,
    /// The first refusal, in its words.
    pub refusal: Option<String>,
}

impl Replies {
    fn add(mut self, replies: Vec<Value>) -> Self {
        for reply in replies {
            if let Value::ServerError(error) = reply {
                self.refused += 1;
                self.refusal.get_or_insert_with(|| refusal(error.code(), error.details()));
            }
        }
        self
    }
}

async fn pipeline<'n>(
    connection: &mut impl ConnectionLike,
    notifications: impl Iterator<Item = (&'n [u8], &'n [u8])>,
) -> RedisResult<Replies> {
    let mut pipeline = Pipeline::new();
    pipeline.ignore_errors();
    for (channel, payload) in notifications {
        pipeline.cmd("PUBLISH").arg(channel).arg(payload);
    }
    Ok(Replies::default().add(pipeline.query_async(connection).await?))
}

async fn shard<'n>(
    connection: &cluster::ClusterConnection,
    notifications: impl Iterator<Item = (&'n [u8], &'n [u8])>,
) -> RedisResult<Replies> {
    let mut channels: HashMap<&[u8], Pipeline> = HashMap::new();
    for (channel, payload) in notifications {
        let pipeline = channels.entry(channel).or_default();
        pipeline.ignore_errors().cmd("SPUBLISH").arg(channel).arg(payload);
    }
    stream::iter(channels.into_values())
        .map(|pipeline| {
            let mut connection = connection.clone();
            async move { pipeline.query_async::<Vec<Value>>(&mut connection).await }
        })
        .buffer_unordered(CLUSTER_CONCURRENCY)
        .try_fold(Replies::default(), |replies, more| async { Ok(replies.add(more)) })
        .await
}
