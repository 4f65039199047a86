//! HTTP as its users expect it.

use reqwest::Method;
use serde_json::json;

use crate::harness::TestApp;

fn event() -> serde_json::Value {
    json!({"type": "t", "source_type": "s", "source_id": "i"})
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let app = TestApp::start().await;
    for path in [
        "/event",
        "/console",
        "/console/none.js",
        "/events/",
        "/events/batch/more",
        "/events/3-42/",
        "/metrics",
    ] {
        let answer = app.client.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn the_console_can_be_turned_off() {
    let app = TestApp::builder().set("http.console", false).start().await;
    for path in ["/", "/console/main.js"] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = app.client.send(app.client.request(method, path)).await;
            assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        (Method::PATCH, "/events", "GET, HEAD, POST, OPTIONS"),
        (Method::GET, "/events/batch", "POST, OPTIONS"),
        (Method::GET, "/events/fetch", "POST, OPTIONS"),
        (Method::DELETE, "/events/3-42", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/events/batch", "POST, OPTIONS"),
        (Method::DELETE, "/livez", "GET, HEAD, OPTIONS"),
        (Method::POST, "/docs", "GET, HEAD, OPTIONS"),
    ] {
        let answer = app.client.send(app.client.request(method, path)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (405, "method-not-allowed"));
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn options_says_what_a_path_takes() {
    let app = TestApp::start().await;
    for (path, allow) in [
        ("/events", "GET, HEAD, POST, OPTIONS"),
        ("/events/fetch", "POST, OPTIONS"),
        ("/events/3-42", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ] {
        let options = app.client.send(app.client.request(Method::OPTIONS, path)).await;
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)), "{path}");
    }
    let nowhere = app.client.send(app.client.request(Method::OPTIONS, "/nowhere")).await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::start().await;
    for path in ["/", "/livez", "/readyz", "/openapi.yaml", "/docs", "/docs/problems"] {
        let get = app.client.get(path).await;
        let head = app.client.send(app.client.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_sane_one_is_kept() {
    let app = TestApp::start().await;
    let with_id = |id: &str| {
        let request = app.client.post("/events", "application/json", event().to_string());
        app.client.send(request.header("X-Request-Id", id))
    };

    let kept = with_id("order-7/retry:2").await;
    let replaced = with_id("no spaces, please").await;
    let problem = app.client.get("/nowhere").await;

    assert_eq!(kept.header("x-request-id"), Some("order-7/retry:2"));
    assert_eq!(replaced.header("x-request-id").unwrap().len(), 36);
    assert_eq!(problem.json()["request_id"], problem.header("x-request-id").unwrap());
}

#[tokio::test]
async fn pages_of_other_origins_get_nothing_unless_the_settings_name_them() {
    let preflight = async |app: &TestApp, origin: &str| {
        let request = app.client.request(Method::OPTIONS, "/events");
        let request = request
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type");
        let answer = app.client.send(request).await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };

    let closed = TestApp::start().await;
    assert_eq!(preflight(&closed, "https://app.example.com").await, None);

    let open = TestApp::builder().set("http.cors_origins", "https://app.example.com").start().await;
    assert_eq!(
        preflight(&open, "https://app.example.com").await.as_deref(),
        Some("https://app.example.com")
    );
    assert_eq!(preflight(&open, "https://evil.example.com").await, None);
    let post = open.client.post("/events", "application/json", event().to_string());
    let answer = open.client.send(post.header("Origin", "https://app.example.com")).await;
    assert_eq!(answer.status, 201);
    assert!(answer.header("access-control-expose-headers").unwrap().contains("location"));
}

#[tokio::test]
async fn http_2_without_tls_is_served_on_the_same_port() {
    let app = TestApp::start().await;
    let http = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let request = http
        .post(format!("{}/events", app.client.url))
        .header("content-type", "application/json")
        .body(event().to_string());
    let response = request.send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (reqwest::Version::HTTP_2, 201));
}
