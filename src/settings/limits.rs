//! What must hold between settings.

use std::time::Duration;

use super::entries::{Entries, Key};
use super::{Settings, Shutdown};

/// How late Kafka's verdict may come: librdkafka looks once a second for records whose time is up.
const LATE_VERDICT: Duration = Duration::from_secs(1);

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
        let fits = http.request_timeout >= total(&parts) + LATE_VERDICT;
        let late = format!(
            ", and {} in which Kafka's client finds that an event's time is up",
            humantime::format_duration(LATE_VERDICT)
        );
        (!fits).then(|| self.too_short("http.request_timeout", "at least", &parts, &late))
    }

    fn grace_outlives_requests(&self) -> Option<String> {
        let (http, shutdown) = (&self.settings.http, &self.settings.shutdown);
        let parts = [
            ("shutdown.delay", shutdown.delay),
            ("http.body_timeout", http.body_timeout),
            ("publisher.admission_timeout", self.settings.publisher.admission_timeout),
            ("http.request_timeout", http.request_timeout),
        ];
        let fits = shutdown.for_requests() > total(&parts);
        (!fits).then(|| {
            self.too_short("shutdown.grace", "longer than", &parts, &Self::kept_of_grace(&parts))
        })
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

    /// What the grace needs beyond its parts, so that they fit what is left for requests.
    fn kept_of_grace(parts: &[(&str, Duration)]) -> String {
        let kept = Shutdown::FOR_FLUSH_AND_DRAIN.min(total(parts) / 3);
        format!(", and {} ms to flush and drain", kept.as_millis())
    }

    fn too_short(&self, name: &str, than: &str, parts: &[(&str, Duration)], more: &str) -> String {
        let names: Vec<_> = parts.iter().map(|(name, _)| self.describe(name)).collect();
        format!(
            "{}: too short; it must be {than} {}, together {}{more}; raise it or lower those",
            self.describe(name),
            names.join(" and "),
            humantime::format_duration(total(parts)),
        )
    }

    fn larger(&self, small: &str, large: &str) -> String {
        let (small, large) = (self.describe(small), self.describe(large));
        format!("{small}: larger than {large}; lower the one or raise the other")
    }

    fn describe(&self, path: &str) -> String {
        self.entries.describe(&Key::from_path(path))
    }
}

fn total(parts: &[(&str, Duration)]) -> Duration {
    parts.iter().map(|(_, part)| *part).sum()
}
