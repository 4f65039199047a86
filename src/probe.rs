//! `dual-stream health`: asks the service on this machine how it is, so that a
//! container image needs neither a shell nor curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);
/// The answer is a few hundred bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// What the service said.
pub struct Answer {
    /// Whether the status was 200.
    pub is_good: bool,
    /// The body: JSON.
    pub body: String,
}

/// Asks for a path on the admin listener.
///
/// # Errors
/// Nobody answers there.
pub fn ask(admin: SocketAddr, path: &str) -> Result<Answer, String> {
    let address = reachable(admin);
    get(address, path).map_err(|error| format!("no answer from http://{address}{path}: {error}"))
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_good = head.split_ascii_whitespace().nth(1) == Some("200");
    Ok(Answer { is_good, body: body.to_owned() })
}

/// A listener on every interface is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
