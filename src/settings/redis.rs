//! The addresses of Redis.

use std::fmt;

use url::Url;

use super::entries::Raw;
use super::secret::MASK;

/// One `redis://` or `rediss://` URL, or those of several nodes of a cluster, separated by commas.
/// Its `Debug` masks the passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URLs with their passwords: for connecting, never for printing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How many servers are named.
    pub(super) fn servers(&self) -> usize {
        self.0.split(',').count()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&masked(&self.0), f)
    }
}

/// Checks `redis.url`.
pub(super) fn url(raw: &Raw) -> Result<RedisUrl, String> {
    let text = raw.joined();
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    for part in &parts {
        server(part).map_err(|fault| {
            format!(
                "{fault}; write redis://user:password@host:port, \
                 with %2C, %2F and %40 for , / and @ in the password"
            )
        })?;
    }
    Ok(RedisUrl(parts.join(",")))
}

/// The same addresses without passwords; nothing at all of text that is no address, because then
/// nobody knows where the password begins.
pub(super) fn masked(text: &str) -> String {
    let parts: Option<Vec<String>> = text.split(',').map(masked_server).collect();
    parts.map_or_else(|| MASK.to_owned(), |parts| parts.join(","))
}

fn masked_server(part: &str) -> Option<String> {
    let mut url = server(part).ok()?;
    if url.password().is_some() {
        url.set_password(Some(MASK)).ok()?;
    } else if !url.username().is_empty() {
        // A password written without the colon before it is a common slip.
        url.set_username(MASK).ok()?;
    }
    Some(url.into())
}

/// Accepts what the `redis` crate does over TCP, and no more: what is not understood could be a
/// part of a password with an unescaped delimiter in it.
fn server(part: &str) -> Result<Url, String> {
    let url = Url::parse(part.trim()).map_err(|error| format!("not a URL ({error})"))?;
    if !matches!(url.scheme(), "redis" | "rediss") {
        return Err("the scheme is neither redis:// nor rediss://".to_owned());
    }
    if url.host_str().unwrap_or_default().is_empty() {
        return Err("there is no host".to_owned());
    }
    let database = url.path().trim_start_matches('/');
    if !database.chars().all(|c| c.is_ascii_digit()) {
        return Err("the path is not the number of a database".to_owned());
    }
    if url.query().is_some_and(|query| !query.starts_with("protocol=")) {
        return Err("the only parameter is protocol".to_owned());
    }
    if url.fragment().is_some_and(|fragment| fragment != "insecure") {
        return Err("the only fragment is #insecure".to_owned());
    }
    Ok(url)
}
