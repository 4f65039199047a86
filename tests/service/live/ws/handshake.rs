//! What opens a WebSocket, and what does not.

use bytes::Bytes;
use h2::ext::Protocol;
use reqwest::Method;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Answer, PATIENCE, TestApp};

/// Asks for a WebSocket with these headers changed; those without a value are left out.
async fn ask(app: &TestApp, path: &str, changed: &[(&str, &str)]) -> Answer {
    let mut headers = vec![
        (CONNECTION.as_str(), "keep-alive, Upgrade"),
        (UPGRADE.as_str(), "WebSocket"),
        (SEC_WEBSOCKET_VERSION.as_str(), "13"),
        (SEC_WEBSOCKET_KEY.as_str(), "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for &(name, value) in changed {
        headers.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let mut request = app.client.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    app.client.send(request).await
}

#[tokio::test]
async fn what_asks_for_no_websocket_is_told_how_to() {
    let app = TestApp::start().await;
    for changed in [
        &[("upgrade", ""), ("connection", "")][..],
        &[("upgrade", "h2c")],
        &[("connection", "close")],
        &[("sec-websocket-version", "8")],
        &[("sec-websocket-version", "")],
    ] {
        let refused = ask(&app, "/events/ws", changed).await;
        let told =
            (refused.status, refused.header("upgrade"), refused.header("sec-websocket-version"));
        assert_eq!(told, (426, Some("websocket"), Some("13")), "{changed:?}");
        assert_eq!(refused.problem(), "upgrade-required");
    }
    let no_key = ask(&app, "/events/ws", &[("sec-websocket-key", "")]).await;
    assert_eq!((no_key.status, no_key.problem().as_str()), (400, "invalid-parameter"));
    for changed in [&[][..], &[("upgrade", ""), ("connection", "")]] {
        let query = ask(&app, "/events/ws?source_type=s", changed).await;
        assert_eq!((query.status, query.problem().as_str()), (400, "invalid-parameter"));
        assert_eq!(query.json()["errors"][0]["parameter"], "source_type");
    }
    assert_eq!(app.metric("dual_stream_live_streams", &[]).await, 0.0);

    let opened = ask(&app, "/events/ws", &[]).await;
    // The key and its answer are those of RFC 6455.
    let accept = opened.header("sec-websocket-accept");
    assert_eq!((opened.status, accept), (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let app = TestApp::builder().set("http.cors_origins", "https://app.example").start().await;
    let own = format!("http://{}", app.client.address);
    for origin in [own.as_str(), "https://app.example"] {
        assert!(app.client.try_socket("origin", origin).await.is_ok(), "{origin}");
    }
    for origin in ["https://evil.example", "http://app.example", "null"] {
        let refused = ask(&app, "/events/ws", &[("origin", origin)]).await;
        let told = (refused.status, refused.problem());
        assert_eq!(told, (403, "origin-not-allowed".to_owned()), "{origin}");
    }
}

#[tokio::test]
async fn sockets_count_as_streams_and_as_connections() {
    let app = TestApp::builder().set("live.streams", "2").start().await;
    let before = app.metric("dual_stream_http_connections", &[]).await;
    let one = app.client.socket().await;
    let _stream = app.client.stream("").await;
    let refused = ask(&app, "/events/ws", &[]).await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "too-many-streams"));
    assert!(refused.header("retry-after").is_some());
    assert!(app.metric("dual_stream_http_connections", &[]).await >= before + 2.0);
    drop(one);
    app.metric_is("dual_stream_live_streams", 1.0).await;
    app.client.socket().await;
}

#[tokio::test]
async fn a_socket_keeps_its_connections_place() {
    let app = TestApp::builder().set("http.max_connections", "4").start().await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = app.client.socket().await;
        socket.send(json!({"op": "ping"})).await;
        socket.next().await;
        sockets.push(socket);
    }
    // The place that is left is that of the client that asks for readiness.
    app.ready().await;
    let waits = TcpStream::connect(&app.client.address).await.unwrap();
    let waiting = app.client.socket_on(waits, "x-of", "tests");
    tokio::pin!(waiting);
    let soon = std::time::Duration::from_millis(300);
    assert!(timeout(soon, &mut waiting).await.is_err(), "a fifth connection is served");
    drop(sockets.pop());
    assert!(timeout(PATIENCE, waiting).await.expect("it is served in time").is_ok());
}

#[tokio::test]
async fn over_http2_it_is_a_stream_of_the_connection() {
    let app = TestApp::start().await;
    let stream = TcpStream::connect(&app.client.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let kept = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    // The service says with its settings that it takes this.
    while !client.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let request = axum::http::Request::builder()
        .method("CONNECT")
        .uri(format!("http://{}/events/ws", app.client.address))
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"));
    let (answer, mut sender) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);

    sender.send_data(Bytes::from(text_frame(r#"{"op":"ping","data":"h2"}"#)), false).unwrap();
    let mut body = answer.into_body();
    let frame = timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap();
    assert_eq!(&frame[2..], br#"{"op":"pong","data":"h2"}"#);
    assert_eq!(app.metric("dual_stream_live_streams", &["websocket"]).await, 1.0);
    drop((sender, body, client));
    app.metric_is("dual_stream_live_streams", 0.0).await;
    kept.abort();
}

/// A short text as a client sends it, with a mask that changes nothing.
fn text_frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}
