use super::given;

#[test]
fn a_request_outlives_admission_and_kafka() {
    assert_eq!(
        given().setting("http.request_timeout", "11999ms").refused(),
        "http.request_timeout = \"11999ms\" (from the variable DUAL_STREAM__HTTP__REQUEST_TIMEOUT): \
         too short; it must be at least kafka.message_timeout = \"10s\" (default) and \
         publisher.admission_timeout = \"1s\" (default), together 11s, and 1s in which Kafka's \
         client finds that an event's time is up; raise it or lower those"
    );
    given().setting("http.request_timeout", "12s").settings();
}

#[test]
fn the_grace_outlives_a_request_that_has_just_begun() {
    assert_eq!(
        given().setting("shutdown.delay", "2s").refused(),
        "shutdown.grace = \"29s\" (default): too short; it must be longer than \
         shutdown.delay = \"2s\" (from the variable DUAL_STREAM__SHUTDOWN__DELAY) and \
         http.body_timeout = \"10s\" (default) and \
         publisher.admission_timeout = \"1s\" (default) and \
         http.request_timeout = \"13s\" (default), \
         together 26s, and 3000 ms to flush and drain; raise it or lower those"
    );
    given().setting("shutdown.delay", "1999ms").settings();
}

#[test]
fn an_event_fits_a_body_and_a_body_fits_the_memory() {
    assert_eq!(
        given().setting("publisher.max_event", "9MiB").refused(),
        "publisher.max_event = \"9MiB\" (from the variable DUAL_STREAM__PUBLISHER__MAX_EVENT): \
         larger than http.max_body = \"8MiB\" (default); lower the one or raise the other"
    );
    assert_eq!(
        given().file("[publisher]\nmax_in_flight_bytes = 8388607").refused(),
        "http.max_body = \"8MiB\" (default): larger than \
         publisher.max_in_flight_bytes = 8388607 (from FILE); lower the one or raise the other"
    );
    given()
        .setting("publisher.max_event", "8MiB")
        .setting("publisher.max_in_flight_bytes", "8MiB")
        .settings();
}

#[test]
fn several_servers_of_redis_are_a_cluster() {
    let servers = given().setting("redis.url", "redis://:p@a:1, redis://b:2");
    assert_eq!(
        servers.refused(),
        "redis.url = \"redis://:***@a:1,redis://b:2\" (from the variable \
         DUAL_STREAM__REDIS__URL): several servers; name one, or set redis.cluster to true"
    );
    let settings = servers.setting("redis.cluster", "true").settings();
    assert_eq!(settings.redis.url.expose(), "redis://:p@a:1,redis://b:2");
}

#[test]
fn waiting_may_be_turned_off() {
    given().setting("publisher.admission_timeout", "0s").setting("shutdown.delay", "0s").settings();
}
