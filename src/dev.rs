//! What `dual-stream dev` tells the person in front of it.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::notifier::Announced;
use crate::service::Listeners;
use crate::settings::Settings;

/// Notifications that may wait to be shown; beyond it the oldest are passed over.
pub const SHOWN_AT_ONCE: usize = 32;

/// How long a question for new events waits at the mock cluster, which does not end the wait when
/// there are some.
pub const TAIL_WAIT: Duration = Duration::from_millis(20);

/// What is printed at start: where everything is, and a line to paste.
pub fn greeting(settings: &Settings, listeners: &Listeners) -> String {
    let (api, admin) = (url(&listeners.http), url(&listeners.admin));
    let topic = &settings.kafka.topic;
    format!(
        r#"
dual-stream dev: NOTHING IS KEPT. Kafka is a mock in this process's memory (topic {topic}),
notifications are shown here instead of going to Redis, and all of it ends with the process.

  API      {api}/events
  Console  {api}/
  Docs     {api}/docs
  Health   {admin}/readyz
  Metrics  {admin}/metrics

Paste this into another terminal:

  curl --json '{{"id":"hello-1","type":"push","source_type":"repo","source_id":"owner/repo","data":{{"commits":3}}}}' {api}/events

It answers 201 with the event's place in the log, and the notification appears here:

  {{"id":"hello-1","cursor":"3-0"}}
"#
    )
}

fn url(listener: &TcpListener) -> String {
    listener.local_addr().map(|address| format!("http://{address}")).unwrap_or_default()
}

/// Prints each notification as a gateway would get it from Redis.
pub async fn show(mut announced: Receiver<Announced>) {
    loop {
        match announced.recv().await {
            Ok(Announced { channel, payload }) => {
                let (channel, payload) =
                    (String::from_utf8_lossy(&channel), String::from_utf8_lossy(&payload));
                println!("{channel}  {payload}");
            }
            Err(RecvError::Lagged(passed_over)) => println!("… {passed_over} more"),
            Err(RecvError::Closed) => return,
        }
    }
}
