//! What a reader hears by: a stream of Server-Sent Events, or a WebSocket. What comes is the same.

use reqwest::Method;

use super::socket::Socket;
use super::subscription::Start;
use super::wanted::Wanted;
use crate::harness::Client;
use crate::harness::stream::{Events, Message, Refused};

pub enum Line {
    Stream(Events),
    Socket(Socket),
}

/// What came.
pub enum Came {
    /// Of one subscription, by its number.
    Of(usize, Message),
    /// The connection ends, and says why.
    Closed(Message),
}

impl Line {
    /// Opens a stream of what is wanted, with little room for what is not read yet if it is narrow.
    pub async fn stream(
        client: &Client,
        wanted: &Wanted,
        start: &Start,
        is_narrow: bool,
    ) -> Result<Self, Refused> {
        let (more, last_id) = match start {
            Start::Now { recent } => (format!("recent={recent}"), ""),
            Start::Beginning => ("after=beginning".to_owned(), ""),
            Start::After(id) => (String::new(), id.as_str()),
        };
        let path = format!("{}{more}", wanted.path());
        let opened = if is_narrow {
            client.try_open_narrow(&path, last_id).await
        } else {
            let request = client.request(Method::GET, &path);
            Client::try_open(request.header("last-event-id", last_id)).await
        };
        opened.map(Line::Stream)
    }

    /// Opens a WebSocket, on which nothing is followed yet.
    pub async fn socket(client: &Client, is_narrow: bool) -> Result<Self, Refused> {
        Socket::open(client, is_narrow).await.map(Line::Socket)
    }

    /// What comes next; waits as long as that takes. None at the end. Whoever stops waiting has lost
    /// nothing.
    pub async fn next(&mut self) -> Option<Came> {
        match self {
            Line::Stream(events) => events.next_block().await.map(|block| Came::Of(0, block)),
            Line::Socket(socket) => socket.next().await,
        }
    }
}
