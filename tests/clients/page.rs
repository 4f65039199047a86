//! `page.html`, as a page of another origin.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::browser::Browser;
use crate::harness::TestApp;
use crate::programs::example;
use crate::restarts::Restarts;

/// Answers every request with this page.
fn serve(listener: TcpListener, html: String) {
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let _ = connection.read(&mut [0; 8192]);
            let length = html.len();
            let _ = write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{html}"
            );
        }
    });
}

#[tokio::test]
async fn the_page_goes_on_where_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let settings = TestApp::builder().set("http.cors_origins", &origin);
    let mut service = Restarts::start(settings).await;
    let html = std::fs::read_to_string(example("page.html")).unwrap();
    serve(listener, html.replace("http://localhost:8080", &service.url()));

    let browser = Browser::start().await;
    browser.open(&origin).await;
    browser.shows("#state", "live").await;
    service.post("repo", "octocat/hello-world", 3).await;
    browser.has("#events li", 3).await;
    service.kill().await;
    browser.shows("#state", "reconnecting").await;
    service.post("repo", "octocat/hello-world", 3).await;
    service.start_again().await;
    browser.shows("#state", "live").await;
    service.post("repo", "octocat/hello-world", 3).await;
    browser.has("#events li", 9).await;

    let came = browser.each("#events li", "JSON.parse(element.textContent).cursor").await;
    assert_eq!(came, service.posted());
    browser.quit(&["net::ERR_", "favicon.ico"]).await;
}
