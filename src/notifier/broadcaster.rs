//! Where notifications go.

use bytes::Bytes;
use tokio::sync::broadcast;

use super::circuit::Failure;
use super::queue::Batch;
use crate::redis::{self, Replies};

/// A notification as a local subscriber gets it.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The channel's name.
    pub channel: Bytes,
    /// The notification, JSON.
    pub payload: Bytes,
}

/// Redis, or the process itself when there is none (`dual-stream dev`).
pub enum Broadcaster {
    /// Redis Pub/Sub.
    Redis(redis::Publisher),
    /// The subscribers in this process.
    Local(broadcast::Sender<Announced>),
}

impl Broadcaster {
    /// Sends the notifications from `range` of the batch. Those that are refused are an error
    /// only when it is all of them.
    pub(super) async fn publish(
        &mut self,
        batch: &Batch,
        range: std::ops::Range<usize>,
    ) -> Result<Replies, Failure> {
        let notifications = range.map(|index| batch.get(index));
        match self {
            Broadcaster::Redis(publisher) => {
                let count = notifications.len();
                let replies =
                    publisher.publish(notifications).await.map_err(Failure::Unreachable)?;
                match replies {
                    Replies { refused, refusal: Some(error) } if refused == count => {
                        Err(Failure::Refused(error))
                    }
                    some => Ok(some),
                }
            }
            Broadcaster::Local(subscribers) => {
                for (channel, payload) in notifications {
                    // No subscriber is no failure.
                    let _ = subscribers.send(Announced {
                        channel: Bytes::copy_from_slice(channel),
                        payload: Bytes::copy_from_slice(payload),
                    });
                }
                Ok(Replies::default())
            }
        }
    }

    /// Whether notifications could be sent now.
    pub(super) async fn probe(&mut self) -> Result<(), String> {
        match self {
            Broadcaster::Redis(publisher) => publisher.probe().await,
            Broadcaster::Local(_) => Ok(()),
        }
    }
}
