use std::time::Duration;

use super::{file_with, given, path};

#[test]
fn a_file_lies_over_the_defaults_and_a_variable_over_the_file() {
    let settings = given()
        .file("[http]\nlisten = \"0.0.0.0:80\"\nmax_body = \"16MiB\"\n[kafka]\npartitions = 12")
        .variable("DUAL_STREAM__HTTP__LISTEN", "[::]:8080")
        .settings();

    assert_eq!(settings.http.listen.to_string(), "[::]:8080");
    assert_eq!(settings.http.max_body, 16 << 20);
    assert_eq!(settings.kafka.partitions, 12);
    assert_eq!(settings.kafka.topic, "events");
}

#[test]
fn a_valid_variable_mends_a_wrong_value_in_the_file() {
    let settings =
        given().file("[http]\nlisten = \"8080\"").setting("http.listen", "0.0.0.0:80").settings();
    assert_eq!(settings.http.listen.port(), 80);
}

#[test]
fn durations_and_sizes_have_units() {
    let settings = given()
        .setting("kafka.message_timeout", "250ms")
        .setting("kafka.probe_interval", "1m")
        .setting("publisher.max_event", "2048")
        .setting("publisher.max_in_flight_bytes", "1GiB")
        .file("[notify]\nqueue = 65536")
        .settings();

    assert_eq!(settings.kafka.message_timeout, Duration::from_millis(250));
    assert_eq!(settings.kafka.probe_interval, Duration::from_secs(60));
    assert_eq!(settings.publisher.max_event, 2048);
    assert_eq!(settings.publisher.max_in_flight_bytes, 1 << 30);
    assert_eq!(settings.notify.queue, 65_536);
}

#[test]
fn a_list_in_a_variable_is_separated_by_commas() {
    let settings = given()
        .setting("notify.channels", "events:{source_type}:{source_id}, events:{source_type}")
        .setting("http.cors_origins", "https://a.example,http://localhost:5173")
        .setting("kafka.brokers", "kafka-1:9092, [::1]:9093")
        .settings();

    assert_eq!(settings.notify.channels.len(), 2);
    assert_eq!(settings.http.cors_origins, ["https://a.example", "http://localhost:5173"]);
    assert_eq!(settings.kafka.brokers, "kafka-1:9092,[::1]:9093");
}

#[test]
fn an_empty_list_turns_notifications_off() {
    assert!(given().setting("notify.channels", "").settings().notify.channels.is_empty());
    assert!(given().file("[notify]\nchannels = []").settings().notify.channels.is_empty());
}

#[test]
fn properties_of_librdkafka_come_from_quoted_keys_and_from_variables() {
    let settings = given()
        .file("[kafka.options]\n\"sasl.username\" = \"ada\"\n\"linger.ms\" = 5\nclient.id = \"x\"")
        .option("sasl.password", "s3cret ")
        .option("socket.keepalive.enable", "true")
        .option("linger.ms", "2.5")
        .settings();

    let options: Vec<_> =
        settings.kafka.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        options,
        [
            ("client.id", "x"),
            ("linger.ms", "2.5"),
            ("sasl.password", "s3cret "),
            ("sasl.username", "ada"),
            ("socket.keepalive.enable", "true"),
        ]
    );
}

#[test]
fn a_property_may_be_the_beginning_of_another() {
    let file = "[kafka.options]\n\"max.in.flight\" = 1\n\
                \"max.in.flight.requests.per.connection\" = 5\nenable.random.seed = true";
    let options = given().file(file).settings().kafka.options;
    assert_eq!(options["max.in.flight"], "1");
    assert_eq!(options["max.in.flight.requests.per.connection"], "5");
    assert_eq!(options["enable.random.seed"], "true");
}

#[test]
fn a_value_may_come_from_a_file_of_its_own() {
    let url = file_with("redis://:s3cret@redis:6379\r\n");
    let password = file_with("p4ss\n");
    let settings = given()
        .variable("DUAL_STREAM__REDIS__URL_FILE", &path(&url))
        .variable("DUAL_STREAM__KAFKA__OPTIONS__SASL_PASSWORD_FILE", &path(&password))
        .settings();

    assert_eq!(settings.redis.url.expose(), "redis://:s3cret@redis:6379");
    assert_eq!(settings.kafka.options["sasl.password"], "p4ss");
}

#[test]
fn a_value_given_directly_and_by_a_file_is_refused() {
    let url = file_with("redis://redis:6379");
    let given = given()
        .setting("redis.url", "redis://other:6379")
        .variable("DUAL_STREAM__REDIS__URL_FILE", &path(&url));
    assert_eq!(
        given.refused().replace(&path(&url), "SECRET"),
        "redis.url is given twice, from the variable DUAL_STREAM__REDIS__URL and from SECRET, \
         named by the variable DUAL_STREAM__REDIS__URL_FILE; remove one"
    );
}

#[test]
fn a_property_without_quotes_is_the_same_property() {
    let file = "[kafka.options]\nsasl.username = \"ada\"\n";
    let options = given().file(file).option("sasl.username", "grace").settings().kafka.options;
    assert_eq!(options["sasl.username"], "grace");

    let message = given().file(&format!("{file}\"sasl.username\" = \"grace\"")).refused();
    assert_eq!(
        message,
        "FILE: kafka.options.sasl.username is given twice, from FILE and from FILE; remove one"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_variable() {
    let message = given().variable("DUAL_STREAM__REDIS__URL_FILE", "/no/such/file").refused();
    assert!(
        message.starts_with("DUAL_STREAM__REDIS__URL_FILE: cannot read /no/such/file: "),
        "{message}"
    );

    let message = given().variable("DUAL_STREAM_CONFIG", "/no/such.toml").refused();
    assert!(message.starts_with("DUAL_STREAM_CONFIG: cannot read /no/such.toml: "), "{message}");
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_line() {
    let message = given().file("[http]\nlisten = 0.0.0.0:80").refused();
    assert!(message.starts_with("FILE: TOML parse error at line 2, column 1"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn an_empty_name_of_the_file_is_no_file() {
    given().variable("DUAL_STREAM_CONFIG", "").settings();
}

#[test]
fn what_is_rendered_loads_again_to_the_same_settings() {
    let first = given()
        .file("[http]\ncors_origins = [\"https://a.example\"]\nmax_connections = 7")
        .setting("notify.channels", "events:{source_type},all\\\"{type}")
        .option("client.id", "tab\there")
        .loaded();
    let second = given().file(&first.render()).loaded();

    assert_eq!(format!("{:?}", second.settings), format!("{:?}", first.settings));
}

#[test]
fn what_is_rendered_says_where_each_value_came_from() {
    let secret = file_with("redis://:s3cret@redis:6379");
    let given = given()
        .file("[http]\nmax_connections = 7\n[kafka.options]\n\"client.id\" = \"x\"")
        .setting("http.listen", "0.0.0.0:80")
        .variable("DUAL_STREAM__REDIS__URL_FILE", &path(&secret));
    let config = path(given.file.as_ref().unwrap());
    let text = given.loaded().render().replace(&config, "FILE").replace(&path(&secret), "SECRET");

    for line in [
        "max_connections = 7  # from FILE",
        "listen = \"0.0.0.0:80\"  # from the variable DUAL_STREAM__HTTP__LISTEN",
        "max_body = \"8MiB\"  # default",
        "create_topic = true  # default",
        "channels = [\"events:{source_type}:{source_id}\"]  # default",
        "[kafka.options]\n\"client.id\" = \"x\"  # from FILE",
        "url = \"redis://:***@redis:6379\"  \
         # from SECRET, named by the variable DUAL_STREAM__REDIS__URL_FILE",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is not in\n{text}");
    }
}
