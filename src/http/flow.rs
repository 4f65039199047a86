//! Answers that go on for as long as their client takes them: each piece has its time, the whole
//! has none. When the service ends, so do they, and not in order: clients go on elsewhere.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use futures_util::future::AbortHandle;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;

use super::phase::{Phase, Stop};
use super::quiet::UnderWay;
use crate::kept::keeping;

/// How often the connection asked for a piece and got one: odd while it is the client's turn to
/// take one, even while it is ours to read it.
type Turns = watch::Sender<u64>;

/// Watches an answer, and cuts its connection when a piece is not taken in time.
pub(super) fn watch(
    limit: Duration,
    connection: AbortHandle,
    stop: Stop,
    response: Response,
    under_way: Option<UnderWay>,
) -> Response {
    let (turns, seen) = watch::channel(0);
    tokio::spawn(async move {
        if stalls(seen, limit).await {
            connection.abort();
        }
    });
    let kept = Arc::new((turns, under_way));
    response.map(|body| Body::new(Flow { body, stop, kept }))
}

/// Waits until the client leaves a piece for longer than this, or the answer is gone.
async fn stalls(mut turns: watch::Receiver<u64>, limit: Duration) -> bool {
    loop {
        let Ok(given) = turns.wait_for(|turn| turn % 2 == 1).await.map(|turn| *turn) else {
            return false;
        };
        match timeout(limit, turns.wait_for(|turn| *turn != given)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return false,
            Err(_) => return true,
        }
    }
}

struct Flow {
    body: Body,
    stop: Stop,
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
        if matches!(*self.stop.borrow(), Phase::Stopping(_)) {
            return Poll::Ready(Some(Err(axum::Error::new("the service ends"))));
        }
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
    use tokio::time::{Instant, sleep};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    /// An answer of three pieces, and the connection that it goes over.
    fn answer() -> (Response, AbortHandle) {
        answer_until(watch::channel(Phase::Serving).1)
    }

    fn answer_until(stop: Stop) -> (Response, AbortHandle) {
        let (cut, _) = AbortHandle::new_pair();
        let pieces = stream::iter(["a", "b", "c"].map(Ok::<_, axum::BoxError>));
        let response = Response::new(Body::from_stream(pieces));
        (super::watch(SOON, cut.clone(), stop, response, None), cut)
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
    async fn at_the_end_of_the_service_it_is_cut_and_has_no_end() {
        let (tell, stop) = watch::channel(Phase::Leaving);
        let (mut response, _) = answer_until(stop);
        assert!(response.body_mut().frame().await.unwrap().is_ok());
        tell.send_replace(Phase::Stopping(std::time::Instant::now()));
        assert!(response.body_mut().frame().await.unwrap().is_err());
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
