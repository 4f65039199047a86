//! Questions of a reader, encoded once and asked again and again.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

/// The questions of one connection.
#[derive(Clone)]
pub struct Questions {
    all: Arc<Vec<Vec<u8>>>,
    at: usize,
}

impl Questions {
    /// Reads a file of lines: an address to get, or one to post to, a blank, and what.
    pub fn read(file: &Path, host: &str) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let all: Vec<_> = text.lines().map(|line| encode(line, host)).collect();
        ensure!(!all.is_empty(), "{} has no questions", file.display());
        Ok(Questions { all: Arc::new(all), at: 0 })
    }

    /// The same, beginning elsewhere, so that connections are not in step.
    pub fn of_connection(&self, number: usize) -> Self {
        Questions { all: Arc::clone(&self.all), at: number * 7919 }
    }

    /// The next one.
    pub fn next(&mut self) -> &[u8] {
        self.at += 1;
        &self.all[self.at % self.all.len()]
    }
}

fn encode(line: &str, host: &str) -> Vec<u8> {
    match line.split_once(' ') {
        None => get(line, host, "*/*"),
        Some((path, body)) => format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    }
}

/// A request for what is at an address.
pub fn get(path: &str, host: &str, accept: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_request() {
        let text = |line| String::from_utf8(encode(line, "h")).unwrap();
        assert!(text("/events/0-1").starts_with("GET /events/0-1 HTTP/1.1\r\n"));
        let post = text(r#"/events/fetch {"cursors":[]}"#);
        assert!(post.starts_with("POST /events/fetch HTTP/1.1\r\n"));
        assert!(post.ends_with("content-length: 14\r\n\r\n{\"cursors\":[]}"));
    }
}
