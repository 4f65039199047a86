//! The program as its operators meet it.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::harness::process::Process;
use crate::harness::{Client, TestApp, eventually, free_port};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dual-stream"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn help_and_version_are_as_people_expect() {
    let help = run(&["--help"], &[]);
    assert!(help.status.success());
    for command in ["serve", "dev", "tail", "config", "health"] {
        assert!(text(&help.stdout).contains(command), "{command}");
    }
    let version = run(&["--version"], &[]);
    assert_eq!(text(&version.stdout), format!("dual-stream {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["sevre"], &[]).status.code(), Some(2));
    assert_eq!(run(&[], &[]).status.code(), Some(2));
}

#[test]
fn config_prints_what_is_in_force_with_secrets_masked() {
    let output = run(
        &["config"],
        &[
            ("DUAL_STREAM__KAFKA__TOPIC", "orders"),
            ("DUAL_STREAM__REDIS__URL", "redis://user:s3cret@cache:6379"),
            ("DUAL_STREAM__KAFKA__OPTIONS__SASL_PASSWORD", "h1dden"),
        ],
    );
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        printed.contains("orders") && printed.contains("DUAL_STREAM__KAFKA__TOPIC"),
        "{printed}"
    );
    assert!(!printed.contains("s3cret") && !printed.contains("h1dden"), "{printed}");
}

#[test]
fn a_wrong_setting_is_named_with_its_origin_and_the_mend() {
    for (variable, value, expected) in [
        ("DUAL_STREAM__HTTP__LISTN", "0.0.0.0:1", "http.listen"),
        ("DUAL_STREAM__HTTP__LISTEN", "8080", "DUAL_STREAM__HTTP__LISTEN"),
        ("DUAL_STREAM__HTTP__REQUEST_TIMEOUT", "1s", "kafka.message_timeout"),
        ("DUAL_STREAM__KAFKA__OPTIONS__ACKS", "0", "acks"),
    ] {
        let output = run(&["serve"], &[(variable, value)]);
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{variable}: {error}");
    }
}

#[test]
fn a_kafka_option_that_librdkafka_does_not_know_is_named() {
    let listen = ("DUAL_STREAM__HTTP__LISTEN", "127.0.0.1:0");
    let admin = ("DUAL_STREAM__ADMIN__LISTEN", "127.0.0.1:0");
    let option = ("DUAL_STREAM__KAFKA__OPTIONS__SASL_PASWORD", "s3cret");
    let output = run(&["serve"], &[listen, admin, option]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("sasl.pasword") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_setting() {
    let app = TestApp::start().await;
    let output = run(
        &["serve"],
        &[
            ("DUAL_STREAM__HTTP__LISTEN", &app.client.address),
            ("DUAL_STREAM__ADMIN__LISTEN", "127.0.0.1:0"),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("http.listen") && error.contains(&app.client.address), "{error}");
}

#[tokio::test]
async fn health_says_whether_the_service_is_ready() {
    let app = TestApp::start().await;
    let ready = run(&["health"], &[("DUAL_STREAM__ADMIN__LISTEN", &app.admin.address)]);
    assert!(ready.status.success());
    assert!(text(&ready.stdout).contains(r#""status":"ready""#));

    let live = run(&["health", "--live"], &[("DUAL_STREAM__ADMIN__LISTEN", &app.admin.address)]);
    assert!(live.status.success() && text(&live.stdout).contains("live"));

    let nobody = format!("127.0.0.1:{}", free_port());
    let silent = run(&["health"], &[("DUAL_STREAM__ADMIN__LISTEN", &nobody)]);
    assert_eq!(silent.status.code(), Some(1));
    assert!(text(&silent.stderr).contains(&nobody));
}

#[tokio::test]
async fn dev_needs_no_services_and_shows_notifications() {
    let port = free_port();
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut dev = Process::spawn(
        Command::new(env!("CARGO_BIN_EXE_dual-stream"))
            .arg("dev")
            .env_clear()
            .env("DUAL_STREAM__HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .env("DUAL_STREAM__ADMIN__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(output.reopen().unwrap())
            .stderr(Stdio::null()),
    );
    let shown = || std::fs::read_to_string(output.path()).unwrap();
    let client = Client::new(&format!("127.0.0.1:{port}"));
    eventually("it is ready", async || {
        let request = client.request(reqwest::Method::GET, "/readyz");
        client.try_send(request).await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    assert!(shown().contains("NOTHING IS KEPT"), "{}", shown());

    let pasted = pasted_event(&shown());
    let answer = client.event(pasted).await;

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(shown().contains(&answer.text()), "the greeting shows this answer: {}", answer.text());
    eventually("the notification is shown", async || {
        shown().contains("events:repo:owner/repo").then_some(())
    })
    .await;
    let batch = json!([{"type": "t", "source_type": "s", "source_id": "i"}]);
    assert_eq!(client.batch(batch).await.status, 201);
    dev.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(dev.wait(Duration::from_secs(20)).await.code(), Some(0));
}

/// The event in the curl line of the greeting.
fn pasted_event(greeting: &str) -> String {
    let start = greeting.find("curl --json '").expect("a curl line") + "curl --json '".len();
    let end = start + greeting[start..].find('\'').expect("its end");
    greeting[start..end].to_owned()
}
