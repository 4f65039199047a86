//! An HTTP client that holds every answer against the API's description.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::openapi;

/// Talks to one listener of the service.
#[derive(Clone)]
pub struct Client {
    pub url: String,
    pub address: String,
    http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Client { url: format!("http://{address}"), address: address.to_owned(), http }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request and checks that the description allows the answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    /// The same, for when there may be no answer.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let answer = Answer { status, headers, body: response.bytes().await?.to_vec() };
        openapi::check(&method, &path, &answer);
        Ok(answer)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub fn post(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, media_type).body(body)
    }

    /// Posts one event.
    pub async fn event(&self, json: impl ToString) -> Answer {
        self.send(self.post("/events", "application/json", json.to_string())).await
    }

    /// Posts an array of events.
    pub async fn batch(&self, json: impl ToString) -> Answer {
        self.send(self.post("/events/batch", "application/json", json.to_string())).await
    }

    /// Posts lines of events.
    pub async fn lines(&self, lines: impl ToString) -> Answer {
        self.send(self.post("/events/batch", "application/x-ndjson", lines.to_string())).await
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub fn media_type(&self) -> Option<&str> {
        self.header("content-type").and_then(|value| value.split(';').next())
    }

    /// The part of a problem's `type` behind the `#`.
    pub fn problem(&self) -> String {
        let body = self.json();
        let uri = body["type"].as_str().unwrap_or_else(|| panic!("no problem: {body}"));
        uri.rsplit('#').next().expect("a slug").to_owned()
    }

    /// The pointers of a problem's errors.
    pub fn pointers(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors: {body}"));
        errors
            .iter()
            .map(|error| error["pointer"].as_str().expect("a pointer").to_owned())
            .collect()
    }
}
