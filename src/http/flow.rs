//! Answers that go on for as long as their client takes them: each piece has its time, the whole
//! has none.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use futures_util::future::AbortHandle;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::quiet::UnderWay;
use super::unread::keeping;

/// How long a client has for the last piece of an answer that was ended.
const LAST: Duration = Duration::from_secs(1);

/// How often the connection asked for a piece and got one: odd while it is the client's turn to
/// take one, even while it is ours to read it.
type Turns = watch::Sender<u64>;

/// Watches an answer, and cuts its connection when a piece is not taken in time.
pub(super) fn watch(
    limit: Duration,
    (connection, closed): (AbortHandle, Option<watch::Receiver<bool>>),
    response: Response,
    under_way: Option<UnderWay>,
) -> Response {
    let (turns, seen) = watch::channel(0);
    tokio::spawn(async move {
        if stalls(seen, limit, closed).await {
            connection.abort();
        }
    });
    let kept = Arc::new((turns, under_way));
    response.map(|body| Body::new(Flow { body, kept }))
}

/// Waits until the client leaves a piece for longer than this, or the answer is gone.
async fn stalls(
    mut turns: watch::Receiver<u64>,
    limit: Duration,
    mut closed: Option<watch::Receiver<bool>>,
) -> bool {
    loop {
        let Ok(given) = turns.wait_for(|turn| turn % 2 == 1).await.map(|turn| *turn) else {
            return false;
        };
        let taken = timeout(limit, turns.wait_for(|turn| *turn != given));
        tokio::select! {
            taken = taken => match taken {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return false,
                Err(_) => return true,
            },
            () = is_late(&mut closed) => return true,
        }
    }
}

/// Waits until the answer has ended on our side, and some time for the client to take what is left.
async fn is_late(closed: &mut Option<watch::Receiver<bool>>) {
    match closed {
        Some(closed) => {
            // That the sender is gone says the same.
            let _ = closed.wait_for(|is_closed| *is_closed).await;
            sleep(LAST).await;
        }
        None => pending().await,
    }
}

struct Flow {
    body: Body,
    /// For as long as the last piece is not taken, too.
    kept: Arc<(Turns, Option<UnderWay>)>,
}

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let kept = Arc::clone(&self.kept);
        // The connection asks when it has room: what it got before has been taken.
        kept.0.send_if_modified(|turn| {
            let is_clients = *turn % 2 == 1;
            *turn += u64::from(is_clients);
            is_clients
        });
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // At the end it is the client's turn to take the last one.
        if frame.is_ready() {
            kept.0.send_modify(|turn| *turn += 1);
        }
        frame.map_ok(|frame| frame.map_data(|bytes| keeping(bytes, kept)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;
    use tokio::task::yield_now;
    use tokio::time::Instant;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    /// An answer of three pieces, and the connection that it goes over.
    fn answer() -> (Response, AbortHandle) {
        let (cut, _) = AbortHandle::new_pair();
        let pieces = stream::iter(["a", "b", "c"].map(Ok::<_, axum::BoxError>));
        let response = Response::new(Body::from_stream(pieces));
        (watch(SOON, (cut.clone(), None), response, None), cut)
    }

    async fn is_cut(connection: &AbortHandle) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !connection.is_aborted() {
            assert!(Instant::now() < deadline, "it is never cut");
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_piece_that_is_not_taken_ends_the_connection() {
        let (mut response, connection) = answer();
        response.body_mut().frame().await.unwrap().unwrap();
        is_cut(&connection).await;
    }

    #[tokio::test]
    async fn once_the_answer_is_ended_the_client_has_to_hurry() {
        let (cut, _) = AbortHandle::new_pair();
        let (close, closed) = watch::channel(false);
        let pieces = stream::iter(["a", "b"].map(Ok::<_, axum::BoxError>));
        let response = Response::new(Body::from_stream(pieces));
        let end = (cut.clone(), Some(closed));
        let mut response = watch(Duration::from_secs(600), end, response, None);
        response.body_mut().frame().await.unwrap().unwrap();
        sleep(SOON).await;
        assert!(!cut.is_aborted());
        close.send_replace(true);
        is_cut(&cut).await;
    }

    #[tokio::test]
    async fn the_last_piece_is_to_be_taken_too() {
        let (mut response, connection) = answer();
        let mut last = None;
        while let Some(frame) = response.body_mut().frame().await {
            last = Some(frame.unwrap());
        }
        drop(response);
        is_cut(&connection).await;
        drop(last);
    }

    #[tokio::test]
    async fn what_is_taken_in_time_may_go_on() {
        let (mut response, connection) = answer();
        while let Some(frame) = response.body_mut().frame().await {
            drop(frame.unwrap());
            sleep(SOON / 4).await;
        }
        drop(response);
        let (_slow, other) = answer();
        drop(_slow);
        sleep(SOON * 2).await;
        assert!(!connection.is_aborted());
        assert!(!other.is_aborted());
    }
}
