//! Answers that go on for as long as their client takes them: each piece has its time, the whole
//! has none. When the service ends, so do they: those that would have had an end are cut, and those
//! that never have one say so. Clients go on elsewhere.

use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use futures_util::future::AbortHandle;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::phase::{Phase, Stop};
use super::{quiet, wire};
use crate::kept::keeping;

/// How long a client has for the last piece of an answer that was ended.
const LAST: Duration = Duration::from_secs(1);

/// How many times in its limit a piece is looked at: one that is not taken is noticed so much late
/// at the most. Looking now and then costs nothing; to be told of each piece would cost as much as
/// the piece.
const LOOKS: u32 = 4;

/// What is to know that an answer is under way.
type Along = (Option<quiet::UnderWay>, Option<wire::UnderWay>);

/// What lives as long as an answer, and the last piece of it that is not taken.
struct Kept {
    /// How often the connection asked for a piece and got one: odd while it is the client's turn to
    /// take one, even while it is ours to read it.
    turns: AtomicU64,
    _along: Along,
    /// Ends the watch when it is dropped.
    _alive: oneshot::Sender<()>,
}

/// Watches an answer, and cuts its connection when a piece is not taken in time.
pub(super) fn watch(
    limit: Duration,
    (connection, ending): (AbortHandle, Ending),
    response: Response,
    along: Along,
) -> Response {
    let (alive, gone) = oneshot::channel();
    let kept = Kept { turns: AtomicU64::new(0), _along: along, _alive: alive };
    let kept = Arc::new(kept);
    let (seen, end) = (Arc::downgrade(&kept), ending.clone());
    tokio::spawn(async move {
        if is_left(&seen, gone, limit, end).await {
            connection.abort();
        }
    });
    response.map(|body| Body::new(Flow { body, ending, kept }))
}

/// Waits until the client leaves a piece for longer than this, or the answer is gone.
async fn is_left(
    kept: &Weak<Kept>,
    mut gone: oneshot::Receiver<()>,
    limit: Duration,
    mut ending: Ending,
) -> bool {
    let (mut last, mut looks) = (0, 0);
    let late = ending.is_late();
    let mut late = pin!(late);
    loop {
        tokio::select! {
            _ = &mut gone => return false,
            () = &mut late => return true,
            () = sleep(limit / LOOKS) => {}
        }
        let Some(turn) = kept.upgrade().map(|kept| kept.turns.load(Ordering::Relaxed)) else {
            return false;
        };
        let is_same = turn == last && turn % 2 == 1;
        looks = if is_same { looks + 1 } else { 0 };
        last = turn;
        // The first look was at some moment after the piece was given.
        if looks == LOOKS {
            return true;
        }
    }
}

/// What becomes of an answer when the service ends.
#[derive(Clone)]
pub(super) enum Ending {
    /// It is cut: whoever took a part for the whole would be wrong.
    Cut(Stop),
    /// It ends by itself, as it is told to in the same way.
    InOrder(watch::Receiver<bool>),
}

impl Ending {
    fn is_cut(&self) -> bool {
        matches!(self, Ending::Cut(stop) if matches!(*stop.borrow(), Phase::Stopping(_)))
    }

    /// Waits until an answer that ends in order was told to, and some time for the client to take
    /// what is left of it.
    async fn is_late(&mut self) {
        let Ending::InOrder(closed) = self else { return pending().await };
        // That the sender is gone says the same.
        let _ = closed.wait_for(|is_closed| *is_closed).await;
        sleep(LAST).await;
    }
}

struct Flow {
    body: Body,
    ending: Ending,
    kept: Arc<Kept>,
}

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ending.is_cut() {
            return Poll::Ready(Some(Err(axum::Error::new("the service ends"))));
        }
        let kept = Arc::clone(&self.kept);
        // The connection asks when it has room: what it got before has been taken.
        kept.turns.fetch_add(kept.turns.load(Ordering::Relaxed) % 2, Ordering::Relaxed);
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // At the end it is the client's turn to take the last one.
        if frame.is_ready() {
            kept.turns.fetch_add(1, Ordering::Relaxed);
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
        answer_until(Ending::Cut(watch::channel(Phase::Serving).1))
    }

    fn answer_until(ending: Ending) -> (Response, AbortHandle) {
        let (cut, _) = AbortHandle::new_pair();
        let pieces = stream::iter(["a", "b", "c"].map(Ok::<_, axum::BoxError>));
        let response = Response::new(Body::from_stream(pieces));
        (super::watch(SOON, (cut.clone(), ending), response, (None, None)), cut)
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
        let (mut response, _) = answer_until(Ending::Cut(stop));
        assert!(response.body_mut().frame().await.unwrap().is_ok());
        tell.send_replace(Phase::Stopping(std::time::Instant::now()));
        assert!(response.body_mut().frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn one_that_ends_in_order_goes_on_but_the_client_has_to_hurry() {
        let (close, closed) = watch::channel(false);
        let (cut, _) = AbortHandle::new_pair();
        let pieces = stream::iter(["a", "b"].map(Ok::<_, axum::BoxError>));
        let response = Response::new(Body::from_stream(pieces));
        let end = (cut.clone(), Ending::InOrder(closed));
        let mut response = super::watch(Duration::from_secs(600), end, response, (None, None));
        close.send_replace(true);
        let first = response.body_mut().frame().await.unwrap();
        let left = response.body_mut().frame().await.unwrap().unwrap();
        drop(first.unwrap());
        is_cut(&cut).await;
        drop(left);
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
