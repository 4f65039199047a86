//! Clients that say what is not to be said.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{ended, of};
use crate::harness::TestApp;
use crate::harness::raw::Raw;
use crate::harness::reading::store;
use crate::harness::socket::Socket;

async fn error(socket: &mut Socket, text: &str) -> Value {
    socket.send_raw(Message::text(text)).await;
    let error = socket.next().await;
    assert_eq!(error["op"], "error", "{text}: {error}");
    error
}

#[tokio::test]
async fn each_fault_of_a_message_is_named_and_the_connection_stays() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    socket.subscribe("feed", of("i")).await;
    let source = r#"{"op":"subscribe","subscription":"a""#;
    for (text, pointers) in [
        ("[]", &[""][..]),
        ("7", &[""]),
        ("{}", &["/op", "/subscription"]),
        (r#"{"op":"publish","subscription":"a"}"#, &["/op"]),
        (r#"{"op":7,"subscription":"a"}"#, &["/op"]),
        (r#"{"op":"subscribe"}"#, &["/subscription"]),
        (r#"{"op":"subscribe","subscription":""}"#, &["/subscription"]),
        (r#"{"op":"unsubscribe","subscription":"none"}"#, &["/subscription"]),
        (r#"{"op":"unsubscribe","subscription":"feed","x":1}"#, &["/x"]),
        (r#"{"op":"ping","date":1}"#, &["/date"]),
        (&format!(r#"{source},"sources":[]}}"#), &["/sources"]),
        (&format!(r#"{source},"sources":"s"}}"#), &["/sources"]),
        (&format!(r#"{source},"sources":[{{"source_id":"i"}}]}}"#), &["/sources/0/source_type"]),
        (
            &format!(r#"{source},"sources":[{{"source_type":"a:b"}}]}}"#),
            &["/sources/0/source_type"],
        ),
        (
            &format!(
                r#"{source},"sources":[{{"source_type":"s"}},{{"source_type":"s","id":1}}]}}"#
            ),
            &["/sources/1/id"],
        ),
        (
            &format!(r#"{source},"types":[],"include":"all","after":"x"}}"#),
            &["/types", "/include", "/after"],
        ),
        (&format!(r#"{source},"recent":5}}"#), &["/recent"]),
        (&format!(r#"{source},"recent":-1}}"#), &["/recent"]),
        (&format!(r#"{source},"after":null}}"#), &["/after"]),
        (&format!(r#"{source},"source_type":"s"}}"#), &["/source_type"]),
    ] {
        let error = error(&mut socket, text).await;
        let errors = error["problem"]["errors"].as_array().unwrap();
        let named: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, pointers, "{text}");
        assert_eq!(error["problem"]["type"], "/docs/problems#invalid-request", "{text}");
        // A good one in between: it is no flood of faults.
        socket.send(json!({"op": "ping"})).await;
        assert_eq!(socket.next().await["op"], "pong");
    }
    let posted = store(&app.client, "i", 3).await;
    assert_eq!(socket.cursors("feed", 3).await, posted);
}

#[tokio::test]
async fn a_flood_of_what_is_no_json_ends_the_connection() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    let deep = format!("{}{}", r#"{"op":"#, "[".repeat(30_000));
    for text in ["", "{", "hello", r#"{"op":"ping",}"#, &deep, "\u{0}", "{\"op\":\"\u{1}\"}"] {
        let error = error(&mut socket, text).await;
        assert_eq!(error["problem"]["type"], "/docs/problems#malformed-json", "{error}");
    }
    error(&mut socket, "[").await;
    error(&mut socket, "[").await;
    socket.send_raw(Message::text("[")).await;
    assert_eq!(socket.closed().await.1, Some((1008, "too_many_faults".to_owned())));
    ended(&app, "faulty", 1).await;
}

#[tokio::test]
async fn deep_data_comes_back_as_it_is() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    let data = format!("{}{}", "[".repeat(100), "]".repeat(100));
    socket.send_raw(Message::text(format!(r#"{{"op":"ping","data":{data}}}"#))).await;
    assert_eq!(socket.next().await["data"].to_string(), data);
}

#[tokio::test]
async fn a_message_in_pieces_is_one() {
    let app = TestApp::start().await;
    let mut socket = app.client.socket().await;
    let text = br#"{"op":"ping","data":"in pieces"}"#;
    for (index, byte) in text.iter().enumerate() {
        let of = if index == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![*byte], OpCode::Data(of), index + 1 == text.len());
        socket.send_raw(Message::Frame(frame)).await;
    }
    assert_eq!(socket.next().await, json!({"op": "pong", "data": "in pieces"}));
}

/// Sends one frame or more, and gives the code of the end.
async fn ends_with(app: &TestApp, frames: Vec<Frame>) -> (u16, String) {
    let mut socket = app.client.socket().await;
    for frame in frames {
        socket.send_raw(Message::Frame(frame)).await;
    }
    socket.closed().await.1.expect("a code")
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_with_the_reason() {
    let app = TestApp::start().await;
    let frame = |bytes: Vec<u8>, of, is_last| Frame::message(bytes, OpCode::Data(of), is_last);
    let large = || vec![b' '; 40_000];
    for (frames, code, reason) in [
        (vec![frame(b"{}".to_vec(), Data::Binary, true)], 1003, "binary_message"),
        (vec![frame(vec![0xff, 0xfe], Data::Text, true)], 1007, "invalid_utf8"),
        (vec![frame(vec![b' '; 70_000], Data::Text, true)], 1009, "message_too_large"),
        (
            vec![frame(large(), Data::Text, false), frame(large(), Data::Continue, true)],
            1009,
            "message_too_large",
        ),
        (vec![frame(b"{}".to_vec(), Data::Continue, true)], 1002, "protocol_error"),
        (
            vec![frame(b"{}".to_vec(), Data::Text, false), frame(vec![], Data::Text, true)],
            1002,
            "protocol_error",
        ),
    ] {
        assert_eq!(ends_with(&app, frames).await, (code, reason.to_owned()));
    }
    ended(&app, "faulty", 6).await;
    app.metric_is("dual_stream_live_streams", 0.0).await;
}

#[tokio::test]
async fn frames_that_announce_too_much_or_have_no_mask_are_refused() {
    let app = TestApp::start().await;
    for (bytes, code) in [
        // A text of 2^62 bytes, and one without a mask.
        (&[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], 1009_u16),
        (&[0x81, 0x02, b'{', b'}'], 1002),
        // A reserved bit, as of a compression that nobody agreed on.
        (&[0xc1, 0x80, 0, 0, 0, 0], 1002),
    ] {
        let mut raw = Raw::connect(&app.client.address).await;
        raw.send(
            "GET /events/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        )
        .await;
        let head = raw.read_until("\r\n\r\n").await;
        assert!(!head.to_lowercase().contains("sec-websocket-extensions"), "{head}");
        raw.send(bytes).await;
        let mut end = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut end).await.unwrap();
        assert_eq!((end[0], u16::from_be_bytes([end[2], end[3]])), (0x88, code), "{bytes:x?}");
    }
}

#[tokio::test]
async fn without_kafka_a_subscription_is_refused_and_the_connection_stays() {
    let app = TestApp::builder().brokers("127.0.0.1:1").start_unready().await;
    let mut socket = app.client.socket().await;
    for _ in 0..2 {
        socket.ask("feed", of("i")).await;
        let error = socket.next().await;
        assert_eq!(error["problem"]["type"], "/docs/problems#read-unavailable", "{error}");
        assert_eq!(error["subscription"], "feed");
        assert!(error["problem"]["retry_after"].is_number());
    }
}
