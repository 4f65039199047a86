use super::given;

#[test]
fn a_fault_names_the_setting_the_value_its_origin_and_the_mend() {
    assert_eq!(
        given().file("[http]\nlisten = \"8080\"").refused(),
        "http.listen = \"8080\" (from FILE): not an address; \
         write ip:port, for example 0.0.0.0:8080"
    );
    assert_eq!(
        given().setting("http.idle_timeout", "10").refused(),
        "http.idle_timeout = \"10\" (from the variable DUAL_STREAM__HTTP__IDLE_TIMEOUT): \
         not a duration; write a number and its unit, for example 4s, 250ms or 1m"
    );
    assert_eq!(
        given().file("[notify]\nworkers = 65").refused(),
        "notify.workers = 65 (from FILE): not a whole number from 1 to 64"
    );
}

#[test]
fn values_out_of_range_or_shape_are_refused() {
    for (key, value, fault) in [
        ("http.listen", "localhost:8080", "not an address"),
        ("http.max_connections", "0", "not a whole number from 1 to 1000000"),
        ("http.max_connections", "-1", "not a whole number"),
        ("http.max_connections", "1e9", "not a whole number"),
        ("http.idle_timeout", "0s", "too short; at least 1ms"),
        ("http.body_timeout", "1us", "too short; at least 1ms"),
        ("http.request_timeout", "2days", "too long; at most 24h"),
        ("http.request_timeout", "99999999999999999999y", "not a duration"),
        ("http.max_body", "0", "out of range"),
        ("http.max_body", "4GiB", "out of range; from 1.0 KiB to 3.0 GiB"),
        ("http.max_body", "8 bananas", "not a size"),
        ("http.max_body", "-8MiB", "not a size"),
        ("publisher.max_event", "1023B", "out of range; from 1.0 KiB to 900.0 MiB"),
        ("publisher.max_event", "901MiB", "out of range"),
        ("publisher.max_batch", "0", "not a whole number"),
        ("publisher.admission_timeout", "-1s", "not a duration"),
        ("kafka.create_topic", "yes", "neither true nor false"),
        ("kafka.partitions", "0", "nor -1 for the broker's default"),
        ("kafka.partitions", "-2", "nor -1"),
        ("kafka.replication", "0", "nor -1"),
        ("kafka.replication", "40000", "nor -1"),
        ("kafka.message_timeout", "0s", "too short"),
        ("kafka.probe_interval", "0s", "too short"),
        ("redis.cluster", "1", "neither true nor false"),
        ("redis.connect_timeout", "0s", "too short"),
        ("redis.response_timeout", "", "not a duration"),
        ("notify.channels", "events:{source}", "use {source_type}, {source_id} or {type}"),
        ("notify.channels", "events:{id}", "one channel an event"),
        ("notify.channels", "a,,b", "a channel template is empty"),
        ("notify.queue", "1", "out of range"),
        ("notify.workers", "0", "not a whole number from 1 to 64"),
        ("notify.max_pipeline", "0", "not a whole number"),
        ("notify.linger", "1s", "too long; at most 100ms"),
        ("notify.breaker_threshold", "0", "not a whole number"),
        ("notify.breaker_cooldown", "0s", "too short"),
        ("log.level", "dual_stream=loud", "not a filter"),
        ("log.level", "verbose", "no level; use error, warn, info"),
        ("log.level", "", "no level"),
        ("log.format", "xml", "not a format; use auto, pretty or json"),
        ("shutdown.delay", "soon", "not a duration"),
        ("shutdown.grace", "0s", "too short"),
    ] {
        assert_refused(key, value, fault);
    }
}

#[test]
fn names_and_addresses_of_kafka_are_checked() {
    let long = "x".repeat(250);
    for topic in ["", ".", "..", "a b", "a/b", "événements", &long] {
        assert_refused("kafka.topic", topic, "not a topic's name");
    }
    for brokers in ["kafka", "kafka:", ":9092", "kafka:0", "kafka:70000", "a:1,b", "ssl://a:1"] {
        assert_refused("kafka.brokers", brokers, "is not a broker; write host:port");
    }
    assert_refused("kafka.brokers", "", "no broker");
}

#[test]
fn addresses_of_redis_are_checked() {
    for (url, fault) in [
        ("localhost:6379", "neither redis:// nor rediss://"),
        ("127.0.0.1:6379", "not a URL"),
        ("http://localhost", "neither redis:// nor rediss://"),
        ("redis://", "there is no host"),
        ("redis://:p@", "not a URL"),
        ("redis://a:6379/x", "not the number of a database"),
        ("redis://a:6379?pass=p", "the only parameter is protocol"),
        ("redis://a:6379#x", "the only fragment is #insecure"),
        ("redis://:a,b@c:6379", "write redis://user:password@host:port, with %2C"),
    ] {
        assert_refused("redis.url", url, fault);
    }
    for url in ["redis://a", "rediss://ada:p%2Cq@a:6380/2", "rediss://a#insecure", "redis://[::1]"]
    {
        given().setting("redis.url", url).settings();
    }
}

#[test]
fn origins_are_exact_or_a_single_star() {
    for origin in ["app.example.com", "https://", "https://a/", "https://A.example", "https://u@a"]
    {
        assert_refused("http.cors_origins", origin, "is not an origin");
    }
    assert_refused("http.cors_origins", "https://a.example,*", "\"*\" stands alone");
    assert_eq!(given().setting("http.cors_origins", "*").settings().http.cors_origins, ["*"]);
}

#[test]
fn properties_that_the_promises_rest_on_are_refused() {
    for (name, value, hint) in [
        ("acks", "1", "every in-sync replica"),
        ("request.required.acks", "1", "every in-sync replica"),
        ("enable.idempotence", "false", "repeat and reorder"),
        ("message.timeout.ms", "1", "use kafka.message_timeout"),
        ("delivery.timeout.ms", "1", "use kafka.message_timeout"),
        ("socket.timeout.ms", "1", "half of kafka.message_timeout"),
        ("request.timeout.ms", "1", "a third of kafka.message_timeout"),
        ("bootstrap.servers", "a:1", "use kafka.brokers"),
        ("metadata.broker.list", "a:1", "use kafka.brokers"),
        ("partitioner", "random", "as Java's clients place them"),
        ("message.max.bytes", "1000", "use publisher.max_event"),
        ("queue.buffering.max.kbytes", "1", "use publisher.max_in_flight_bytes"),
        ("queue.buffering.max.messages", "1", "use publisher.max_in_flight_bytes"),
        ("queue.buffering.backpressure.threshold", "9", "use publisher.max_in_flight_bytes"),
        ("transactional.id", "x", "not written in transactions"),
        ("enable.gapless.guarantee", "true", "must not fail all that follow"),
        ("delivery.report.only.error", "true", "is its answer"),
        ("test.mock.num.brokers", "1", "use dual-stream dev"),
        ("max.in.flight", "6", "at most 5"),
        ("max.in.flight.requests.per.connection", "6", "at most 5"),
    ] {
        let message = given().option(name, value).refused();
        let value = format!("kafka.options.{name} = \"{value}\" (from the variable ");
        assert!(message.starts_with(&value), "{message}");
        assert!(message.contains(hint), "{hint:?} is not in {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_list_is_no_property_and_no_single_value() {
    let message = given().file("[kafka.options]\n\"client.id\" = [\"a\"]").refused();
    assert!(message.ends_with("a list; write one text, with commas"), "{message}");
    let message = given().file("[http]\nmax_body = [1]").refused();
    assert!(message.ends_with("a list; write one value"), "{message}");
}

fn assert_refused(key: &str, value: &str, fault: &str) {
    let message = given().setting(key, value).refused();
    assert!(message.starts_with(key), "{message}");
    assert!(message.contains(fault), "{fault:?} is not in {message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}
