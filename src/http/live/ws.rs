//! `GET /events/ws`: many subscriptions on one connection.
//!
//! A client sends [`requests`], and each of its subscriptions is one of `live`. What they bring goes
//! out as [`messages`], one after the other, by the [`session`] that the connection is handed to.

mod close;
mod follows;
mod handshake;
mod messages;
mod origin;
mod requests;
mod session;
mod socket;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;

use super::super::App;
use super::super::problem::{Kind, Problem};
use super::super::reading::Faults;
use super::super::upgrade::Handover;
use crate::metrics::Transport;
pub use origin::Origins;

/// Opens a WebSocket.
pub(in super::super) async fn socket(
    State(app): State<Arc<App>>,
    mut request: Request,
) -> Response {
    match begin(&app, &mut request) {
        Ok(response) => response,
        Err(problem) => refuse(problem, request.version()),
    }
}

fn begin(app: &Arc<App>, request: &mut Request) -> Result<Response, Problem> {
    nothing_is_asked(request.uri().query())?;
    let response = handshake::accept(request)?;
    app.origins.check(request)?;
    let extensions = request.extensions_mut();
    let (upgrade, handover) = (extensions.remove::<OnUpgrade>(), extensions.remove::<Handover>());
    let (Some(upgrade), Some(handover)) = (upgrade, handover) else {
        return Err(handshake::required());
    };
    let client = app.live.admit(Transport::WebSocket).map_err(super::refused)?;
    let (live, reader) = (app.live.clone(), app.reader.clone());
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => session::serve((live, reader), client, (upgraded, handover)).await,
            Err(error) => tracing::debug!("no WebSocket: {error}"),
        }
    });
    Ok(response)
}

/// What is followed is said in messages.
fn nothing_is_asked(query: Option<&str>) -> Result<(), Problem> {
    let mut faults = Faults::default();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        faults.add(name, "is not taken here; send {\"op\":\"subscribe\",…} when it is open");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.problem()) }
}

/// A refusal says what would be taken.
fn refuse(problem: Problem, version: Version) -> Response {
    let is_for_others = problem.kind == Kind::UpgradeRequired;
    let mut response = problem.into_response();
    if is_for_others {
        offer(response.headers_mut(), version);
    }
    response
}

fn offer(headers: &mut HeaderMap, version: Version) {
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(handshake::VERSION));
    // Over HTTP/2 nothing is upgraded: there it is `CONNECT` with `:protocol`.
    if version <= Version::HTTP_11 {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}
