//! Where Redis is, and what it says.

use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{ConnectionInfo, IntoConnectionInfo, RedisError};

use crate::settings;

/// The one server of the settings.
pub(super) fn single(redis: &settings::Redis) -> Result<ConnectionInfo, String> {
    let info = redis.url.expose().into_connection_info().map_err(|error| error.to_string())?;
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// Some nodes of the cluster of the settings.
pub(super) fn nodes(redis: &settings::Redis) -> Vec<&str> {
    redis.url.expose().split(',').map(str::trim).collect()
}

/// Redis's own words, without the address, which may hold a password.
pub(super) fn describe(error: &RedisError) -> String {
    error.to_string()
}

/// What it refused a command with, without the arguments of the command, which it repeats when it
/// does not know it.
pub(super) fn refusal(code: &str, details: Option<&str>) -> String {
    let details = details.unwrap_or_default().split(", with args").next().unwrap_or_default();
    format!("refused: {code} {details}")
}
