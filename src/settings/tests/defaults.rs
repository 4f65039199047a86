use std::time::Duration;

use super::given;
use crate::settings::LogFormat;
use crate::settings::layers;
use crate::settings::read;

const DEFAULTS: &str = include_str!("../../../config/default.toml");

#[test]
fn the_defaults_are_what_the_documentation_promises() {
    let settings = given().settings();

    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.http.max_connections, 10_000);
    assert_eq!(settings.http.idle_timeout, Duration::from_secs(75));
    assert_eq!(settings.http.body_timeout, Duration::from_secs(10));
    assert_eq!(settings.http.request_timeout, Duration::from_secs(13));
    assert_eq!(settings.http.max_body, 8 << 20);
    assert!(settings.http.cors_origins.is_empty());
    assert!(settings.http.console);

    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:8081");

    assert_eq!(settings.publisher.max_event, 1000 << 10);
    assert_eq!(settings.publisher.max_batch, 10_000);
    assert_eq!(settings.publisher.max_in_flight_bytes, 32 << 20);
    assert_eq!(settings.publisher.admission_timeout, Duration::from_secs(1));

    assert_eq!(settings.kafka.brokers, "127.0.0.1:9092");
    assert_eq!(settings.kafka.topic, "events");
    assert!(settings.kafka.create_topic);
    assert_eq!(settings.kafka.partitions, 6);
    assert_eq!(settings.kafka.replication, -1);
    assert_eq!(settings.kafka.message_timeout, Duration::from_secs(10));
    assert_eq!(settings.kafka.probe_interval, Duration::from_secs(1));
    assert!(settings.kafka.options.is_empty());

    assert_eq!(settings.redis.url.expose(), "redis://127.0.0.1:6379");
    assert!(!settings.redis.cluster);
    assert_eq!(settings.redis.connect_timeout, Duration::from_secs(1));
    assert_eq!(settings.redis.response_timeout, Duration::from_secs(1));

    let channels: Vec<_> = settings.notify.channels.iter().map(ToString::to_string).collect();
    assert_eq!(channels, ["events:{source_type}:{source_id}"]);
    assert_eq!(settings.notify.queue, 8 << 20);
    assert_eq!(settings.notify.workers, 2);
    assert_eq!(settings.notify.max_pipeline, 512);
    assert_eq!(settings.notify.linger, Duration::from_millis(2));
    assert_eq!(settings.notify.breaker_threshold, 3);
    assert_eq!(settings.notify.breaker_cooldown, Duration::from_secs(1));

    assert_eq!(settings.log.level, "info");
    assert_eq!(settings.log.format, LogFormat::Auto);

    assert_eq!(settings.shutdown.delay, Duration::ZERO);
    assert_eq!(settings.shutdown.grace, Duration::from_secs(29));
}

/// A field reads the setting of its own name, so the fields and the defaults are the same set when
/// there is no default that no field misses, and no field without a default.
#[test]
fn the_fields_of_settings_and_the_defaults_have_the_same_names() {
    let defaults = layers::defaults().unwrap();
    for (key, _) in defaults.iter() {
        let mut without = defaults.clone();
        without.remove(key);
        let mut problems = Vec::new();
        assert!(read::settings(&without, &mut problems).is_none(), "no field reads {key}");
        assert_eq!(problems, [format!("{key}: has no default in config/default.toml")]);
    }
    assert!(read::settings(&defaults, &mut Vec::new()).is_some());
}

#[test]
fn each_default_is_explained_by_a_comment_above_it() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = pair[1].contains(" = ") && !pair[1].starts_with('#');
        assert!(!is_setting || pair[0].starts_with("# "), "nothing explains {}", pair[1]);
    }
}
