//! What has to be said before a connection speaks WebSocket: RFC 6455, section 4.2, and over HTTP/2
//! RFC 8441.

use axum::extract::Request;
use axum::http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{Method, StatusCode, Version};
use axum::response::Response;
use hyper::ext::Protocol;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::super::problem::{Kind, ParameterFault, Problem};

/// The protocol's only version.
pub(super) const VERSION: &str = "13";
/// A key is 16 bytes in Base64.
const KEY: usize = 24;

/// The answer to a request for a WebSocket.
pub(super) fn accept(request: &Request) -> Result<Response, Problem> {
    let headers = request.headers();
    let is_asked = match request.version() {
        Version::HTTP_2 => is_connect(request),
        Version::HTTP_11 => is_upgrade(request),
        _ => false,
    };
    if !is_asked || headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(required());
    }
    let mut response = Response::default();
    if request.version() == Version::HTTP_11 {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY);
        let accept = derive_accept_key(key.ok_or_else(no_key)?.as_bytes());
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
    }
    Ok(response)
}

/// It is no request for a WebSocket.
pub(super) fn required() -> Problem {
    let detail = "This is for WebSockets, of version 13: use a WebSocket client, or \
                  GET /events/stream for Server-Sent Events.";
    Problem::new(Kind::UpgradeRequired, detail)
}

fn is_connect(request: &Request) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

fn is_upgrade(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && names(headers, &UPGRADE, "websocket")
        && names(headers, &CONNECTION, "upgrade")
}

/// Whether a header that is a list has this in it.
fn names(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut tokens = values.flat_map(|value| value.split(','));
    tokens.any(|known| known.trim().eq_ignore_ascii_case(token))
}

fn no_key() -> Problem {
    let parameter = "Sec-WebSocket-Key".to_owned();
    let detail = "is not 16 bytes in Base64; WebSocket clients make it".to_owned();
    Problem::new(Kind::InvalidParameter, "The handshake is not complete; see errors.")
        .parameters(vec![ParameterFault { parameter, detail }])
}
