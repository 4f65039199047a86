//! Answers that the client has not taken yet: large ones count as bytes in flight, and none is
//! kept for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use axum::response::Response;
use futures_util::future::AbortHandle;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::flow::{self, Ending};
use super::phase::Stop;
use super::quiet::UnderWay;
use super::wire::Endless;
use crate::kept::keeping;
use crate::publisher::{Admission, Permit};

/// How many times `http.write_timeout` the client has for the whole of an answer: a client that
/// takes a little now and then starts that time anew at each piece.
pub(super) const WHOLE: u32 = 3;
/// Up to here an HTTP/1 answer is its connection's buffer's matter: it is given to the system in
/// one go, or the write timeout ends it.
const SMALL: u64 = 64 * 1024;

/// Marks an answer that goes on for as long as its client takes it.
#[derive(Clone)]
pub(super) struct Flowing {
    /// Says when one that has no end of its own ends: then it does so in order.
    pub(super) closed: Option<watch::Receiver<bool>>,
}

/// The bytes of an answer, in flight until the client has taken them.
pub(super) fn in_flight(admission: &Admission, bytes: Vec<u8>) -> Bytes {
    let mut permit: Permit = admission.permit();
    permit.charge(bytes.len());
    keeping(bytes, permit)
}

/// Cuts a connection whose client does not take an answer whole.
#[derive(Clone)]
pub(super) struct Unread {
    limit: Duration,
    connection: AbortHandle,
    endless: Endless,
    stop: Stop,
}

impl Unread {
    pub(super) fn new(
        write_timeout: Duration,
        (connection, endless): (AbortHandle, Endless),
        stop: Stop,
    ) -> Self {
        Unread { limit: write_timeout * WHOLE, connection, endless, stop }
    }

    /// How long the client has for an answer, or for a piece of one that goes on.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Cuts the connection.
    pub(super) fn cut(&self) {
        self.connection.abort();
    }

    /// Watches an answer. Over HTTP/2 it is each of them: a stream whose client opens no window
    /// writes nothing, so no write can time out.
    pub(super) fn watch(
        self,
        version: Version,
        response: Response,
        under_way: Option<UnderWay>,
    ) -> Response {
        if let Some(Flowing { closed }) = response.extensions().get().cloned() {
            // Over HTTP/2 a client that leaves a stream says so.
            let is_endless = closed.is_some() && version != Version::HTTP_2;
            let along = (under_way, is_endless.then(|| self.endless.begin()));
            let ending = closed.map_or(Ending::Cut(self.stop), Ending::InOrder);
            return flow::watch(self.limit, (self.connection, ending), response, along);
        }
        let body = response.body();
        let is_large = body.size_hint().lower() > SMALL;
        if body.is_end_stream() || !(is_large || version == Version::HTTP_2) {
            return response;
        }
        let (taken, is_taken) = oneshot::channel();
        tokio::spawn(async move {
            // That the sender is gone says that the answer is.
            if timeout(self.limit, is_taken).await.is_err() {
                self.connection.abort();
            }
        });
        let kept = Arc::new((taken, under_way));
        response.map(|body| Body::new(Watched { body, kept }))
    }
}

/// A body each of whose pieces is known to be gone.
struct Watched {
    body: Body,
    kept: Arc<(oneshot::Sender<()>, Option<UnderWay>)>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let kept = Arc::clone(&self.kept);
        let frame = Pin::new(&mut self.body).poll_frame(context);
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
    use http_body_util::BodyExt;
    use tokio::task::yield_now;
    use tokio::time::{Instant, sleep};

    use super::*;

    const LARGE: usize = SMALL as usize + 1;
    const SOON: Duration = Duration::from_millis(5);

    /// An answer of so many bytes, and the connection that it goes over.
    fn answer(version: Version, bytes: usize) -> (Response, AbortHandle) {
        let (cut, _) = AbortHandle::new_pair();
        let response = Response::new(Body::from(vec![b'x'; bytes]));
        let stop = tokio::sync::watch::channel(crate::http::Phase::Serving).1;
        let unread = Unread::new(SOON, (cut.clone(), Endless::default()), stop);
        (unread.watch(version, response, None), cut)
    }

    async fn is_cut(connection: &AbortHandle) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !connection.is_aborted() {
            assert!(Instant::now() < deadline, "it is never cut");
            yield_now().await;
        }
    }

    /// However often some of it was taken: what is left keeps the whole.
    #[tokio::test]
    async fn an_answer_of_which_a_part_stays_ends_its_connection() {
        for (version, bytes) in [(Version::HTTP_11, LARGE), (Version::HTTP_2, 1)] {
            let (mut response, connection) = answer(version, bytes);
            let mut left = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
            drop(response);
            let _ = left.split_to(bytes / 2);
            is_cut(&connection).await;
        }
    }

    #[tokio::test]
    async fn one_that_was_taken_ends_nothing_and_a_small_one_is_not_watched() {
        let (response, taken) = answer(Version::HTTP_2, LARGE);
        drop(response.into_body().collect().await.unwrap());
        let (_unread, small) = answer(Version::HTTP_11, 1);
        let (_never_taken, cut) = answer(Version::HTTP_2, 1);
        is_cut(&cut).await;
        // Both are older than the one that was cut.
        sleep(SOON).await;
        assert!(!taken.is_aborted());
        assert!(!small.is_aborted());
    }
}
