//! Clients that go without a word leave their places at once, and not at a heartbeat: here there is
//! none as long as any test waits.

use axum::http::Request;
use bytes::Bytes;
use h2::client::SendRequest;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::raw::Raw;
use crate::harness::reading::{after, store};
use crate::harness::{PATIENCE, TestApp, eventually};

const STREAMS: &str = "dual_stream_live_streams";
const CONNECTIONS: &str = "dual_stream_http_connections";
const ENDED: &str = "dual_stream_live_ended_total";

/// As many as may be open.
const OPEN: usize = 20;

const STREAM: &str = "/events/stream?source_type=s&source_id=i";

async fn start() -> TestApp {
    TestApp::builder().set("live.streams", OPEN).set("live.heartbeat", "10m").start().await
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Asks for a stream, and sends this behind it.
async fn open(app: &TestApp, behind: &str) -> Raw {
    let mut raw = Raw::connect(&app.client.address).await;
    raw.send(request(STREAM) + behind).await;
    raw.read_until("event: ready").await;
    raw
}

/// Nothing is left of so many streams, and there is a place for another one.
async fn has_room(app: &TestApp, transport: &str, gone: usize) {
    let what = format!("{gone} have gone");
    let went = async || app.metric(ENDED, &[transport, "client"]).await == gone as f64;
    eventually(&what, async || went().await.then_some(())).await;
    app.metric_is(STREAMS, 0.0).await;
    app.metric_is("dual_stream_live_subscriptions", 0.0).await;
    app.client.stream("").await;
}

#[tokio::test]
async fn a_stream_whose_client_closes_or_resets_its_connection_leaves_its_place() {
    for goes in [drop::<Raw>, Raw::reset] {
        let app = start().await;
        let before = app.metric(CONNECTIONS, &[]).await;
        let mut streams = Vec::new();
        for _ in 0..OPEN {
            streams.push(open(&app, "").await);
        }
        assert_eq!(app.client.get(STREAM).await.status, 503);
        app.metric_reaches("dual_stream_live_channels", &[], 1.0).await;

        streams.into_iter().for_each(goes);

        app.metric_is(CONNECTIONS, before).await;
        has_room(&app, "sse", OPEN).await;
        app.metric_is("dual_stream_live_channels", 0.0).await;
    }
}

#[tokio::test]
async fn whatever_comes_behind_its_request_a_stream_goes_on_until_its_client_goes() {
    let app = start().await;
    let next = request("/livez");
    for (gone, behind) in ["\r\n", "no HTTP\r\n\r\n", &next].into_iter().enumerate() {
        let mut stream = open(&app, behind).await;
        for more in ["", behind, behind] {
            stream.send(more).await;
            let posted = store(&app.client, "i", 1).await;
            stream.read_until(&format!(r#""cursor":"{}""#, posted[0])).await;
        }

        drop(stream);

        let went = async || app.metric(ENDED, &["client"]).await == (gone + 1) as f64;
        eventually("it has gone", async || went().await.then_some(())).await;
    }
}

#[tokio::test]
async fn who_says_that_it_sends_no_more_has_its_replay_and_no_stream() {
    let app = start().await;
    let cursors = store(&app.client, "i", 1000).await;
    let mut replay = Raw::connect(&app.client.address).await;
    let head = format!("GET {} HTTP/1.1\r\nHost: h", after("s", "i", "beginning"));
    replay.send(format!("{head}\r\nAccept: application/x-ndjson\r\n\r\n")).await;
    replay.stream.shutdown().await.unwrap();
    let mut stream = open(&app, "").await;
    stream.stream.shutdown().await.unwrap();

    let lines = replay.read_to_end().await;
    assert!(lines.contains(&cursors[999]) && lines.ends_with("0\r\n\r\n"), "{lines}");
    stream.read_to_end().await;
    has_room(&app, "sse", 1).await;
}

/// Its system answers nothing any more, as behind a network that is gone.
fn vanish(raw: &Raw) {
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let nothing = socket2::SockFilter::new(RETURN, 0, 0, 0);
    socket2::SockRef::from(&raw.stream).attach_filter(&[nothing]).expect("a filter");
}

#[tokio::test]
async fn a_client_whose_network_is_gone_leaves_its_place_when_what_is_sent_stays_unacknowledged() {
    let app = TestApp::builder()
        .set("live.streams", 1)
        .set("live.heartbeat", "200ms")
        .set("http.write_timeout", "500ms")
        .start()
        .await;
    let stream = open(&app, "").await;
    vanish(&stream);

    has_room(&app, "sse", 1).await;
}

async fn open_over_http2(client: &SendRequest<Bytes>) -> h2::RecvStream {
    let mut client = client.clone().ready().await.expect("a stream");
    let request = Request::get(format!("http://h{STREAM}")).body(()).unwrap();
    let (answer, _) = client.send_request(request, true).expect("it is taken");
    let answer = timeout(PATIENCE, answer).await.expect("an answer in time").expect("an answer");
    let mut body = answer.into_body();
    let first = timeout(PATIENCE, body.data()).await.expect("something in time");
    assert!(first.expect("not the end").expect("no reset").starts_with(b"retry: "));
    body
}

#[tokio::test]
async fn over_http2_a_stream_that_is_left_and_one_whose_connection_is_gone_leave_their_places() {
    for goes in [drop::<TcpStream>, |stream: TcpStream| stream.set_zero_linger().unwrap()] {
        let app = start().await;
        let mut tcp = TcpStream::connect(&app.client.address).await.unwrap();
        let (client, connection) = h2::client::handshake(&mut tcp).await.unwrap();
        // It borrows the socket, which is to be closed under it.
        let mut connection = Box::pin(connection);
        let opens = async {
            let mut streams = Vec::new();
            for _ in 0..OPEN {
                streams.push(open_over_http2(&client).await);
            }
            drop(streams.split_off(OPEN / 2));
            app.metric_is(STREAMS, (OPEN / 2) as f64).await;
            streams
        };
        let streams = tokio::select! {
            streams = opens => streams,
            end = &mut connection => panic!("the connection ended: {end:?}"),
        };
        assert_eq!(app.metric(ENDED, &["client"]).await, (OPEN / 2) as f64);

        std::mem::forget((connection, streams));
        goes(tcp);

        has_room(&app, "sse", OPEN).await;
    }
}

#[tokio::test]
async fn a_socket_whose_client_goes_without_a_goodbye_leaves_its_place() {
    for goes in [drop::<TcpStream>, |stream: TcpStream| stream.set_zero_linger().unwrap()] {
        let app = start().await;
        let mut sockets = Vec::new();
        for _ in 0..OPEN {
            let mut socket = app.client.socket().await;
            socket.subscribe("all", json!({})).await;
            sockets.push(socket);
        }
        assert_eq!(app.client.get(STREAM).await.status, 503);

        sockets.into_iter().for_each(|socket| goes(socket.stream.into_inner()));

        has_room(&app, "websocket", OPEN).await;
    }
}
