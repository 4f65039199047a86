//! Something on Redis's port that is not what it should be.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Bytes that mean nothing.
    Garbage,
    /// It has no memory left for any notification.
    OutOfMemory,
}

/// Starts it, and gives its address as a URL.
pub async fn start(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manner));
        }
    });
    format!("redis://{address}")
}

async fn serve(stream: TcpStream, manner: Manner) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = read_command(&mut stream).await {
        let answer: &[u8] = match (manner, command.as_slice()) {
            (Manner::Garbage, _) => b"\x00\xff%$nonsense\r\n\r\n:x",
            (Manner::OutOfMemory, b"PUBLISH") => {
                b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
            }
            (Manner::OutOfMemory, b"PING") => b"+PONG\r\n",
            (Manner::OutOfMemory, _) => b"+OK\r\n",
        };
        if stream.get_mut().write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The name of the next command: an array of bulk strings.
async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let words = read_number(stream, '*').await?;
    let mut name = Vec::new();
    for word in 0..words {
        let length = read_number(stream, '$').await?;
        let mut bytes = vec![0; length + 2];
        stream.read_exact(&mut bytes).await.ok()?;
        if word == 0 {
            bytes.truncate(length);
            name = bytes;
        }
    }
    Some(name)
}

async fn read_number(stream: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}
