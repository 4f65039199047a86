//! `GET /events/stream`: Server-Sent Events; and `GET /events/ws`: the same over WebSockets.

mod asked;
mod frames;
mod query;
mod ws;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;
use futures_util::stream;

use super::App;
use super::problem::{Kind, Problem};
use super::reading::{self, Format};
use super::unread::Flowing;
use crate::live::{Client, End, Form, Item, Refusal, Subscription};
use crate::metrics::{Ended, Transport};
use asked::Limits;
pub use ws::Origins;
pub(super) use ws::socket;

/// When a client should come back that found no place, in seconds.
const RETRY: u32 = 5;

/// A stream of events.
pub(super) async fn stream(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    begin(&app, &uri, &headers).await.unwrap_or_else(Problem::into_response)
}

async fn begin(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response, Problem> {
    let asked = query::read(uri.query(), headers, &Limits::of(&app.live, &app.reader))?;
    if reading::choose(headers, &[Format::Stream]).is_none() {
        let detail = "A stream is text/event-stream: accept that.";
        return Err(Problem::new(Kind::NotAcceptable, detail));
    }
    let (form, retry) = (asked.form, app.live.settings().retry);
    let client = app.live.admit(Transport::Sse).map_err(refused)?;
    let subscription = client.seat().subscribe(&app.reader, asked).await;
    let followed = (client, subscription.map_err(refused)?);
    let mut response = answer(followed, form, retry);
    let flowing = Flowing { closed: Some(app.live.closed()) };
    response.extensions_mut().insert(flowing);
    Ok(response)
}

fn answer(followed: (Client, Subscription), form: Form, retry: Duration) -> Response {
    let frames = stream::unfold(followed, move |(mut client, mut subscription)| async move {
        let item = subscription.next().await?;
        if let Item::End(end) = item {
            client.ends(ended(end));
        }
        let frame: Result<Bytes, std::convert::Infallible> = Ok(frames::of(item, form, retry));
        Some((frame, (client, subscription)))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Format::Stream.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // nginx and those who follow its ways collect an answer before they hand it on, unless told.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn ended(end: End) -> Ended {
    match end {
        End::Slow => Ended::Slow,
        End::Closing => Ended::ShuttingDown,
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooMany => {
            let detail = "As many streams are open as may be (live.streams). Come again, or to \
                          another instance.";
            Problem::new(Kind::TooManyStreams, detail).retry_after(Some(RETRY))
        }
        Refusal::Unread(error) => reading::unread(error),
    }
}
