//! Probes and metrics.

use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_ready_service_names_its_dependencies_on_both_listeners() {
    let app = TestApp::start().await;

    for client in [&app.client, &app.admin] {
        assert_eq!(client.get("/livez").await.json(), json!({"status": "live"}));
        let ready = client.get("/readyz").await;
        assert_eq!(
            ready.json(),
            json!({
                "status": "ready",
                "kafka": {"state": "up", "topic": app.topic, "partitions": 6},
                "redis": {"state": "up", "circuit": "closed"},
                "shutting_down": false,
            })
        );
    }
}

#[tokio::test]
async fn requests_and_events_are_counted() {
    let app = TestApp::start().await;
    let event = json!({"type": "t", "source_type": "s", "source_id": "i"});

    app.client.event(&event).await;
    app.client.batch(json!([event, event])).await;
    app.client.event("{}").await;
    app.client.get("/no/such/path").await;

    let requests = "dual_stream_http_requests_total";
    assert_eq!(app.metric(requests, &[r#"route="/events""#, r#"status="201""#]).await, 1.0);
    assert_eq!(app.metric(requests, &[r#"route="/events""#, r#"status="422""#]).await, 1.0);
    assert_eq!(app.metric(requests, &[r#"route="other""#, r#"status="404""#]).await, 1.0);
    assert_eq!(app.metric("dual_stream_events_total", &[r#"outcome="stored""#]).await, 3.0);
    assert_eq!(app.metric("dual_stream_produce_duration_seconds_count", &[]).await, 3.0);
    app.metric_is("dual_stream_in_flight_bytes", 0.0).await;
    assert_eq!(app.metric("dual_stream_ready", &[]).await, 1.0);
}

/// `docs/metrics.md` has a row for every metric, and no row for anything else.
#[tokio::test]
async fn the_page_of_metrics_lists_what_the_service_has() {
    let app = TestApp::start().await;
    let page = include_str!("../../docs/metrics.md");

    let exposed = app.admin.get("/metrics").await.text();

    let mut served: Vec<_> = exposed
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.replacen(' ', " | ", 1))
        .collect();
    let mut listed: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let (name, rest) = row.split_once("` | ")?;
            Some(format!("{name} | {}", rest.split(" |").next()?))
        })
        .collect();
    served.sort();
    listed.sort();
    assert_eq!(listed, served);
}

#[tokio::test]
async fn nothing_is_logged_for_an_event_or_a_refusal() {
    let app = TestApp::start().await;
    let before = app.log().len();

    for _ in 0..20 {
        app.client.event(json!({"type": "t", "source_type": "s", "source_id": "i"})).await;
        app.client.event("{}").await;
    }

    assert_eq!(app.log()[before..], [] as [String; 0]);
}
