//! One WebSocket, from its first message to its end.

use hyper::upgrade::Upgraded;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::super::upgrade::Handover;
use super::super::refused;
use super::close::{Close, Over};
use super::follows::{Follows, News};
use super::messages::{self, Outgoing};
use super::requests::{self, Command, Refused};
use super::socket::Socket;
use crate::live::{Client, End, Hub, Item};
use crate::reader::Reader;

/// So many messages in a row that are wrong are no oversight.
const FAULTS: usize = 10;
/// So many pings without an answer say that nobody is there.
const PINGS: usize = 2;
/// The most items that are written before the client is listened to again.
const AT_ONCE: usize = 64;

/// Serves a WebSocket until one of both ends it.
pub(super) async fn serve(
    (live, reader): (Hub, Reader),
    mut client: Client,
    (upgraded, handover): (Upgraded, Handover),
) {
    let socket = Socket::new(upgraded, handover.limit(), live.closed()).await;
    let period = live.settings().heartbeat;
    let mut beat = interval_at(Instant::now() + period, period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closed = live.closed();
    let follows = Follows::new(client.seat().clone(), reader, live);
    let mut session = Session { socket, follows, closed, beat, unanswered: 0, faults: 0 };
    let over = session.run().await;
    client.ends(over.ended());
    let Session { socket, follows, .. } = session;
    // What waits is not sent any more.
    drop(follows);
    socket.end(over).await;
    if over == Over::Stuck {
        handover.cut();
    }
}

struct Session {
    socket: Socket,
    follows: Follows,
    closed: watch::Receiver<bool>,
    beat: Interval,
    /// Pings since something came, or something but heartbeats went through.
    unanswered: usize,
    /// Wrong messages in a row.
    faults: usize,
}

impl Session {
    async fn run(&mut self) -> Over {
        loop {
            if let Err(over) = self.step().await {
                return over;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Over> {
        tokio::select! {
            biased;
            () = closes(&mut self.closed) => Err(Over::Close(Close::ShuttingDown)),
            said = self.socket.next() => self.hear(said?).await,
            _ = self.beat.tick() => self.ping().await,
            Some(news) = self.follows.next() => self.tell(news).await,
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Over> {
        self.unanswered = 0;
        match message {
            Message::Text(text) => self.answer(text.as_str()).await,
            Message::Binary(_) => Err(Over::Close(Close::Binary)),
            Message::Close(_) => Err(Over::Goodbye),
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn answer(&mut self, text: &str) -> Result<(), Over> {
        let read = requests::read(text, &self.follows.limits());
        self.faults = if read.is_ok() { 0 } else { self.faults + 1 };
        let answer = read.and_then(|command| self.obey(command));
        let answer = answer.unwrap_or_else(|Refused { name, problem }| {
            Some(messages::error(name.as_deref(), &problem))
        });
        if let Some(answer) = answer {
            self.socket.feed(answer).await?;
            self.socket.flush().await?;
        }
        if self.faults == FAULTS { Err(Over::Close(Close::Faulty)) } else { Ok(()) }
    }

    fn obey(&mut self, command: Command) -> Result<Option<Outgoing>, Refused> {
        match command {
            // It is answered by what it brings first.
            Command::Subscribe(name, asked) => self.follows.add(name, asked).map(|()| None),
            Command::Unsubscribe(name) => {
                let name = self.follows.remove(name)?;
                Ok(Some(messages::unsubscribed(&name)))
            }
            Command::Ping(data) => Ok(Some(messages::pong(data.as_deref()))),
        }
    }

    async fn ping(&mut self) -> Result<(), Over> {
        if self.unanswered == PINGS {
            return Err(Over::Close(Close::Silent));
        }
        self.unanswered += 1;
        self.socket.ping().await?;
        self.socket.flush().await
    }

    /// Writes what has come, and what has come beside it, in one go.
    async fn tell(&mut self, news: News) -> Result<(), Over> {
        let mut news = Some(news);
        for _ in 0..AT_ONCE {
            let Some(next) = news.take().or_else(|| self.follows.more()) else { break };
            self.write(next).await?;
        }
        self.socket.flush().await
    }

    async fn write(&mut self, News { name, form, item }: News) -> Result<(), Over> {
        let is_event = matches!(item, Ok(Item::Live(_) | Item::Early(_) | Item::Read(..)));
        let message = match item {
            Ok(Item::End(End::Slow)) => return Err(Over::Close(Close::Slow)),
            Ok(Item::End(End::Closing)) => return Err(Over::Close(Close::ShuttingDown)),
            Ok(item) => messages::of(&name, item, form),
            Err(refusal) => Some(messages::error(Some(&name), &refused(refusal))),
        };
        if let Some(message) = message {
            self.socket.feed(message).await?;
        }
        if is_event {
            self.unanswered = 0;
        }
        Ok(())
    }
}

/// Waits until the hub is closed.
async fn closes(closed: &mut watch::Receiver<bool>) {
    // That the sender is gone says the same.
    let _ = closed.wait_for(|is_closed| *is_closed).await;
}
