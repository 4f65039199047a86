//! Everything that talks to Redis. The only module that imports the Redis client.

mod publisher;

pub use publisher::{Pool, Publisher, Replies};
