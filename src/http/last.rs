//! The last connections of a listener.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long connections that have begun may take until they are established.
const HANDSHAKE: Duration = Duration::from_millis(20);

/// Closes the listener to new connections, and gives those that the system has established: their
/// clients may have sent a request already, which would have no answer.
pub(super) async fn connections(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    // Whatever is established between the last look and the end of the listener is reset, so that
    // nothing should be.
    match begin_no_more(&listener) {
        Ok(()) => sleep(HANDSHAKE).await,
        Err(error) => tracing::debug!("connections may begin until the end: {error}"),
    }
    // The runtime learns of connections only when it next asks the system, so that the system
    // itself is asked.
    let listener = listener.into_std().ok();
    std::iter::from_fn(move || accept(listener.as_ref()?).ok()).filter_map(|stream| {
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    })
}

/// The next one whose client is still there. An error: there is none.
fn accept(listener: &std::net::TcpListener) -> io::Result<std::net::TcpStream> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Leaves the first packets of connections without an answer. Clients send them again a second
/// later, and are then refused or reach another instance.
#[cfg(target_os = "linux")]
fn begin_no_more(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // Classic BPF, as linux/filter.h names it; a socket's filter sees its packets from the TCP
    // header on.
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const JUMP_IF_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn begin_no_more(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn those_that_are_established_are_given_and_no_other_begins() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let early = TcpStream::connect(address).await.unwrap();

        let last = connections(listener).await;
        let late = timeout(Duration::from_millis(300), TcpStream::connect(address)).await;
        #[cfg(target_os = "linux")]
        assert!(late.is_err(), "it waits for an answer: {late:?}");
        let peers: Vec<_> = last.map(|stream| stream.peer_addr().unwrap()).collect();

        assert_eq!(peers, [early.local_addr().unwrap()]);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
