//! The sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::settings::{self, Settings};

/// The most that the system call takes.
const MOST_BACKLOG: u32 = i32::MAX as u32;

/// The sockets that the service answers on.
pub struct Listeners {
    /// The API.
    pub http: TcpListener,
    /// Metrics and health.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds both.
    ///
    /// # Errors
    /// An address that cannot be bound, with the setting that names it.
    pub fn bind(settings: &Settings) -> Result<Self, String> {
        Ok(Listeners {
            http: bind("http.listen", settings.http.listen, &settings.http)?,
            admin: bind("admin.listen", settings.admin.listen, &settings.http)?,
        })
    }

    /// Says where the service answers, once it does.
    pub(super) fn tell(&self) {
        let address = |listener: &TcpListener| {
            listener.local_addr().map(|address| address.to_string()).unwrap_or_default()
        };
        let (http, admin) = (address(&self.http), address(&self.admin));
        tracing::info!(version = env!("CARGO_PKG_VERSION"), http, admin, "listening");
    }
}

fn bind(setting: &str, address: SocketAddr, http: &settings::Http) -> Result<TcpListener, String> {
    listen(address, http.max_connections).map_err(|error| {
        let variable = format!("DUAL_STREAM__{}", setting.replace('.', "__").to_uppercase());
        let mend = match error.kind() {
            ErrorKind::AddrInUse => "stop what listens there, or choose another address",
            ErrorKind::AddrNotAvailable => "this machine has no such address; choose another",
            ErrorKind::PermissionDenied => "choose a port above 1023",
            _ => "choose another address",
        };
        format!("{setting} = \"{address}\": {error}; {mend} with {variable}")
    })
}

/// Listens with a backlog for as many connections as may be open, or as the system allows: with a
/// short one, when many clients connect at once, some wait for seconds until they try again.
fn listen(address: SocketAddr, backlog: usize) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A port whose last owner has just ended can be taken at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(u32::try_from(backlog).unwrap_or(u32::MAX).min(MOST_BACKLOG))
}
