//! Everything that talks to Redis. The only module that imports the Redis client.

mod publisher;
mod server;
mod subscriber;

pub use publisher::{Pool, Publisher, Replies};
pub use subscriber::{Heard, Refused, Subscriber, Subscription};
