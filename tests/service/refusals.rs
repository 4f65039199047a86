//! Wrong input: each has a decided answer, and nothing is written.

use serde_json::json;

use crate::harness::{Answer, TestApp};

fn with_data(data: &str) -> String {
    format!(r#"{{"type":"t","source_type":"s","source_id":"i","data":{data}}}"#)
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.problem())
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start().await;
    let good = with_data("1");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b"".to_vec()),
        ("white space", b" \n".to_vec()),
        ("cut short", good.as_bytes()[..20].to_vec()),
        ("trailing garbage", format!("{good} x").into_bytes()),
        ("two events", format!("{good}{good}").into_bytes()),
        ("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat()),
        ("NaN", with_data("NaN").into_bytes()),
        ("Infinity", with_data("-Infinity").into_bytes()),
        ("a leading zero", with_data("01").into_bytes()),
        ("single quotes", with_data("'x'").into_bytes()),
        ("a trailing comma", with_data("[1,]").into_bytes()),
        ("invalid UTF-8", [b"{\"type\":\"\xff\"".as_slice(), b"}"].concat()),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a control character", b"{\"type\":\"a\nb\"}".to_vec()),
    ];

    for (what, body) in cases {
        let answer = app.client.send(app.client.post("/events", "application/json", body)).await;
        assert_eq!(told(&answer), (400, "malformed-json".into()), "{what}: {}", answer.text());
    }

    assert_eq!(app.records().await, []);
}

#[tokio::test]
async fn what_breaks_a_rule_is_invalid_and_every_fault_is_pointed_at() {
    let app = TestApp::start().await;
    let long = "x".repeat(300);
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let cases: Vec<(String, &[&str])> = vec![
        ("{}".into(), &["/type", "/source_type", "/source_id"]),
        ("[]".into(), &[""]),
        ("42".into(), &[""]),
        (json!({"type": null, "source_type": "s", "source_id": "i"}).to_string(), &["/type"]),
        (json!({"type": long, "source_type": "s", "source_id": "i"}).to_string(), &["/type"]),
        (
            json!({"type": "t", "source_type": "a:b", "source_id": "i"}).to_string(),
            &["/source_type"],
        ),
        (
            json!({"type": "t", "source_type": "s", "source_id": "a\r\nb"}).to_string(),
            &["/source_id"],
        ),
        (json!({"type": "t", "source_type": "s", "source_id": long}).to_string(), &["/source_id"]),
        (json!({"type": "t", "source_type": "s", "source_id": "i", "id": 7}).to_string(), &["/id"]),
        (
            json!({"type": "t", "source_type": "s", "source_id": "i", "id": ""}).to_string(),
            &["/id"],
        ),
        (r#"{"type":"a","type":"b","source_type":"s","source_id":"i"}"#.into(), &["/type"]),
        (r#"{"\u0074ype":"a","type":"b","source_type":"s","source_id":"i"}"#.into(), &["/type"]),
        (with_data(r#""\ud800""#), &[""]),
        (with_data(&deep), &[""]),
    ];

    for (body, pointers) in cases {
        let answer = app.client.event(&body).await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!(told(&answer), (422, "invalid-event".into()), "{shown}: {}", answer.text());
        assert_eq!(answer.pointers(), pointers, "{shown}");
    }

    assert_eq!(app.records().await, []);
}

#[tokio::test]
async fn odd_but_sound_json_passes_byte_for_byte() {
    let app = TestApp::start().await;
    let bodies = [
        with_data("1e999"),
        with_data(&"9".repeat(400)),
        with_data("-0"),
        with_data(r#"{"a":1,"a":2}"#),
        with_data(r#""\u0000\ud83d\ude00""#),
        with_data(&format!("{}{}", "[".repeat(100), "]".repeat(100))),
        r#"{"type":"t","source_type":"s","source_id":"a/b:c d","x":1,"x":2}"#.into(),
    ];

    for body in &bodies {
        let answer = app.client.event(body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let records = app.records().await;
        let record = records.iter().find(|record| record.headers["id"] == id).expect("stored");
        let spliced = format!(r#"{{"id":"{id}",{}"#, &body[1..]);
        assert_eq!(String::from_utf8_lossy(&record.value), spliced);
    }
}

#[tokio::test]
async fn a_wrong_media_type_says_what_is_right() {
    let app = TestApp::start().await;
    let cases = [
        ("/events", "application/x-www-form-urlencoded", "--json"),
        ("/events", "text/plain", "application/json"),
        ("/events", "application/x-ndjson", "/events/batch"),
        ("/events/batch", "text/csv", "application/x-ndjson"),
        ("/events", "application/json; charset=utf-16", "UTF-8"),
    ];

    for (path, media_type, hint) in cases {
        let answer = app.client.send(app.client.post(path, media_type, with_data("1"))).await;
        assert_eq!(told(&answer), (415, "unsupported-media-type".into()));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(hint), "{media_type}: {detail}");
    }
    let zipped = app.client.post("/events", "application/json", "x");
    let answer = app.client.send(zipped.header("Content-Encoding", "gzip")).await;
    assert_eq!(told(&answer), (415, "unsupported-media-type".into()));
}

#[tokio::test]
async fn the_wrong_shape_says_where_to_go() {
    let app = TestApp::start().await;
    let detail =
        |answer: &Answer| answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();

    let array = app.client.event("[]").await;
    let lines = app.client.batch(format!("{0}\n{0}", with_data("1"))).await;
    let empty = app.client.batch("[]").await;
    let nothing = app.client.lines("\n\n").await;

    assert!(detail(&array).contains("/events/batch"), "{}", array.text());
    assert!(detail(&lines).contains("application/x-ndjson"), "{}", lines.text());
    assert_eq!((empty.status, nothing.status), (422, 422));
}

#[tokio::test]
async fn a_flood_of_faults_is_counted_and_not_listed() {
    let app = TestApp::start().await;

    let answer = app.client.batch(json!(vec![json!({}); 200])).await;

    let body = answer.json();
    assert_eq!(body["errors"].as_array().unwrap().len(), 100);
    assert_eq!(body["omitted_errors"], 500);
}
