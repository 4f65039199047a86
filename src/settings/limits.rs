//! What must hold between settings.

use std::time::Duration;

use super::Settings;
use super::entries::{Entries, Key};

/// Reports each pair of settings that contradict each other.
pub(super) fn check(settings: &Settings, entries: &Entries, problems: &mut Vec<String>) {
    let limits = Limits { settings, entries };
    let faults = [
        limits.request_outlives_kafka(),
        limits.grace_outlives_requests(),
        limits.event_fits_body(),
        limits.body_fits_memory(),
        limits.one_server_without_cluster(),
    ];
    problems.extend(faults.into_iter().flatten());
}

struct Limits<'a> {
    settings: &'a Settings,
    entries: &'a Entries,
}

impl Limits<'_> {
    fn request_outlives_kafka(&self) -> Option<String> {
        let (http, kafka) = (&self.settings.http, &self.settings.kafka);
        let admission = self.settings.publisher.admission_timeout;
        let parts = [
            ("kafka.message_timeout", kafka.message_timeout),
            ("publisher.admission_timeout", admission),
        ];
        self.longer("http.request_timeout", http.request_timeout, &parts)
    }

    fn grace_outlives_requests(&self) -> Option<String> {
        let (http, shutdown) = (&self.settings.http, &self.settings.shutdown);
        let parts = [
            ("shutdown.delay", shutdown.delay),
            ("http.body_timeout", http.body_timeout),
            ("http.request_timeout", http.request_timeout),
        ];
        self.longer("shutdown.grace", shutdown.grace, &parts)
    }

    fn event_fits_body(&self) -> Option<String> {
        let fits = self.settings.publisher.max_event <= self.settings.http.max_body;
        (!fits).then(|| self.larger("publisher.max_event", "http.max_body"))
    }

    fn body_fits_memory(&self) -> Option<String> {
        let fits = self.settings.http.max_body <= self.settings.publisher.max_in_flight_bytes;
        (!fits).then(|| self.larger("http.max_body", "publisher.max_in_flight_bytes"))
    }

    fn one_server_without_cluster(&self) -> Option<String> {
        let redis = &self.settings.redis;
        let fits = redis.cluster || redis.url.servers() == 1;
        (!fits).then(|| {
            let url = self.describe("redis.url");
            format!("{url}: several servers; name one, or set redis.cluster to true")
        })
    }

    fn longer(&self, name: &str, total: Duration, parts: &[(&str, Duration)]) -> Option<String> {
        let sum = parts.iter().map(|(_, part)| *part).sum();
        (total <= sum).then(|| {
            let parts: Vec<_> = parts.iter().map(|(name, _)| self.describe(name)).collect();
            format!(
                "{}: too short; it must be longer than {}, together {}; raise it or lower those",
                self.describe(name),
                parts.join(" and "),
                humantime::format_duration(sum),
            )
        })
    }

    fn larger(&self, small: &str, large: &str) -> String {
        let (small, large) = (self.describe(small), self.describe(large));
        format!("{small}: larger than {large}; lower the one or raise the other")
    }

    fn describe(&self, path: &str) -> String {
        self.entries.describe(&Key::from_path(path))
    }
}
