//! Subscribing: one connection on which Redis pushes what is announced.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::cluster::ClusterClient;
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Value,
};
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::server::{self, describe, refusal};
use crate::settings;

/// Channels in one command.
const AT_ONCE: usize = 500;
/// Commands under way at once, when each channel needs one.
const CONCURRENCY: usize = 64;

/// Connects to be told what is announced. It takes a Redis that pushes (RESP3), so 6.0 or newer.
pub struct Subscriber {
    server: Server,
    connect_timeout: Duration,
    response_timeout: Duration,
}

enum Server {
    Single(Box<Client>),
    Cluster(Vec<String>),
}

/// What comes over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Something was announced.
    Message {
        /// On which channel.
        channel: &'a [u8],
        /// What it is.
        payload: &'a [u8],
    },
    /// Something may have been missed.
    Gap,
}

/// A connection. It ends when it is dropped.
pub struct Subscription {
    connection: Connection,
    gone: Arc<Notify>,
    response_timeout: Duration,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Subscriber {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// `redis.url` cannot be understood.
    pub fn new(redis: &settings::Redis) -> Result<Self, String> {
        let server = if redis.cluster {
            Server::Cluster(server::nodes(redis).into_iter().map(str::to_owned).collect())
        } else {
            let info = server::single(redis)?;
            let pushing = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            let client = Client::open(info.set_redis_settings(pushing));
            Server::Single(Box::new(client.map_err(|error| describe(&error))?))
        };
        let settings::Redis { connect_timeout, response_timeout, .. } = *redis;
        Ok(Subscriber { server, connect_timeout, response_timeout })
    }

    /// Connects. What comes is shown to `hears` as it comes, which must not wait for anything for
    /// long: nothing is read meanwhile.
    ///
    /// # Errors
    /// No connection in time, in Redis's words.
    pub async fn connect(
        &self,
        hears: impl Fn(Heard<'_>) + Send + Sync + 'static,
    ) -> Result<Subscription, String> {
        let gone = Arc::new(Notify::new());
        let goes = Arc::clone(&gone);
        let push = move |info: PushInfo| {
            match heard(&info) {
                Some(Heard::Gap) => {
                    hears(Heard::Gap);
                    goes.notify_one();
                }
                Some(message) => hears(message),
                None => {}
            }
            Ok::<(), ()>(())
        };
        // A login, and on a cluster the look at who has what, beside the connection itself.
        let limit = self.connect_timeout + self.response_timeout;
        let connection = timeout(limit, self.open(push)).await;
        let connection = connection.map_err(|_| "no connection in time".to_owned())?;
        let connection = connection.map_err(|error| describe(&error))?;
        Ok(Subscription { connection, gone, response_timeout: self.response_timeout })
    }

    async fn open(
        &self,
        push: impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static,
    ) -> RedisResult<Connection> {
        match &self.server {
            Server::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(self.connect_timeout))
                    .set_response_timeout(Some(self.response_timeout))
                    .set_push_sender(push);
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Server::Cluster(nodes) => {
                let client = ClusterClient::builder(nodes.iter().map(String::as_str))
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(self.connect_timeout)
                    .response_timeout(self.response_timeout)
                    .push_sender(push)
                    .build()?;
                client.get_async_connection().await.map(Connection::Cluster)
            }
        }
    }
}

/// What is pushed and of interest. Confirmations are answers to commands, too.
fn heard(info: &PushInfo) -> Option<Heard<'_>> {
    match (&info.kind, &info.data[..]) {
        (PushKind::Disconnection, _) => Some(Heard::Gap),
        (
            PushKind::Message | PushKind::SMessage,
            [Value::BulkString(channel), Value::BulkString(payload)],
        ) => Some(Heard::Message { channel, payload }),
        _ => None,
    }
}

impl Subscription {
    /// Subscribes to channels, and waits until Redis has confirmed it. Gives those that it refused,
    /// and on a cluster those whose shard does not answer, with the words for one of them.
    ///
    /// # Errors
    /// No answer in time, or no connection any more: what is subscribed is not known.
    pub async fn subscribe<'n>(&mut self, channels: &'n [Arc<str>]) -> Result<Refused<'n>, String> {
        let mut refused = Refused::default();
        for channels in channels.chunks(AT_ONCE) {
            match self.connection.subscribe(channels).await {
                Ok(()) => {}
                Err(error) if self.goes_on_after(&error) => {
                    refused.add(self.subscribe_each(channels).await?);
                }
                Err(error) => return Err(describe(&error)),
            }
        }
        Ok(refused)
    }

    /// One may be refused and another one not: by the rights of the user, or by its shard.
    async fn subscribe_each<'n>(&self, channels: &'n [Arc<str>]) -> Result<Refused<'n>, String> {
        let subscribe = |channel: &'n Arc<str>| {
            let mut connection = self.connection.clone();
            async move { (channel, connection.subscribe(std::slice::from_ref(channel)).await) }
        };
        let mut answers = stream::iter(channels).map(subscribe).buffer_unordered(CONCURRENCY);
        let mut refused = Refused::default();
        while let Some((channel, answer)) = answers.next().await {
            match answer {
                Ok(()) => {}
                Err(error) if self.goes_on_after(&error) => {
                    refused.channels.push(channel);
                    refused.words.get_or_insert_with(|| in_words(&error));
                }
                Err(error) => return Err(describe(&error)),
            }
        }
        Ok(refused)
    }

    fn goes_on_after(&self, error: &RedisError) -> bool {
        is_refusal(error) || matches!(self.connection, Connection::Cluster(_))
    }

    /// Unsubscribes from channels.
    ///
    /// # Errors
    /// As with [`Subscription::subscribe`].
    pub async fn unsubscribe(&mut self, channels: &[Arc<str>]) -> Result<(), String> {
        for channels in channels.chunks(AT_ONCE) {
            self.connection.unsubscribe(channels).await.map_err(|error| describe(&error))?;
        }
        Ok(())
    }

    /// Asks whether Redis is there. On a cluster all of its shards are asked.
    ///
    /// # Errors
    /// No answer in time, or no connection any more.
    pub async fn ping(&mut self) -> Result<(), String> {
        let ping = Cmd::new().arg("PING").to_owned();
        let pong = match &mut self.connection {
            Connection::Single(single) => {
                timeout(self.response_timeout, pings(&ping, single)).await
            }
            Connection::Cluster(shards) => {
                timeout(self.response_timeout, pings(&ping, shards)).await
            }
        };
        match pong {
            Ok(answer) => answer.map_err(|error| describe(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Waits until the connection has ended. That of a cluster mends itself: only what was missed
    /// meanwhile is told.
    pub async fn gone(&self) {
        match self.connection {
            Connection::Single(_) => self.gone.notified().await,
            Connection::Cluster(_) => std::future::pending().await,
        }
    }
}

/// Channels that Redis refused.
#[derive(Debug, Default)]
pub struct Refused<'n> {
    /// Which ones.
    pub channels: Vec<&'n Arc<str>>,
    /// What it said to one of them.
    pub words: Option<String>,
}

impl<'n> Refused<'n> {
    fn add(&mut self, more: Refused<'n>) {
        self.channels.extend(more.channels);
        self.words = self.words.take().or(more.words);
    }
}

impl Connection {
    /// On a cluster, notifications live on the shards of their channels.
    async fn subscribe(&mut self, channels: &[Arc<str>]) -> RedisResult<()> {
        let names = names(channels);
        match self {
            Connection::Single(single) => single.subscribe(names).await,
            Connection::Cluster(shards) => shards.ssubscribe(names).await,
        }
    }

    async fn unsubscribe(&mut self, channels: &[Arc<str>]) -> RedisResult<()> {
        let names = names(channels);
        match self {
            Connection::Single(single) => single.unsubscribe(names).await,
            Connection::Cluster(shards) => shards.sunsubscribe(names).await,
        }
    }
}

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(|channel| &**channel).collect()
}

/// Whatever the answer is: one that is not allowed to ask is answered all the same.
async fn pings(ping: &Cmd, connection: &mut impl ConnectionLike) -> RedisResult<()> {
    match ping.exec_async(connection).await {
        Err(error) if is_refusal(&error) => Ok(()),
        answer => answer,
    }
}

fn in_words(error: &RedisError) -> String {
    match error.code() {
        Some(code) => refusal(code, error.detail()),
        None => describe(error),
    }
}

/// Whether Redis has answered, and will not.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some()
}
