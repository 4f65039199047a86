//! A key goes to the partition that the Java client chooses.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::kafka::{create_topic, read_all};
use crate::harness::{TestApp, required, unique};

const KEYS: [&str; 12] = [
    "octocat",
    "owner/repo",
    "a",
    "zürich",
    "日本語",
    "😀",
    "source:with:colons",
    "0",
    "a rather long source id that goes on for quite some time, so that every loop of the hash runs",
    "microsoft",
    "x/y/z",
    "~",
];

#[tokio::test]
async fn the_partition_of_a_key_is_the_one_that_kafkas_own_tool_chooses() {
    let brokers = required("KAFKA_BROKERS");
    let theirs = unique("java");
    create_topic(&brokers, &theirs, 6, &[]).await;
    let app = TestApp::start().await;

    produce_with_the_console_tool(&brokers, &theirs);
    for key in KEYS {
        app.client.event(json!({"type": "t", "source_type": "s", "source_id": key})).await;
    }

    let places = async |topic: &str| -> BTreeMap<String, i32> {
        let records = read_all(&brokers, topic).await;
        records.into_iter().map(|record| (record.key, record.cursor.partition())).collect()
    };
    let expected = places(&theirs).await;
    assert_eq!(expected.len(), KEYS.len());
    assert_eq!(places(&app.topic).await, expected);
}

fn produce_with_the_console_tool(brokers: &str, topic: &str) {
    let mut tool = Command::new("java")
        .args(["-Dfile.encoding=UTF-8", "-cp", &format!("{}/*", required("KAFKA_LIBS"))])
        .arg("org.apache.kafka.tools.ConsoleProducer")
        .args(["--bootstrap-server", brokers, "--topic", topic])
        .args(["--reader-property", "parse.key=true", "--reader-property", "key.separator=\t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("java runs");
    let mut input = tool.stdin.take().expect("piped");
    for key in KEYS {
        writeln!(input, "{key}\tvalue").expect("the tool reads");
    }
    drop(input);
    assert!(tool.wait().expect("a child of ours").success());
}
