use super::given;

#[test]
fn an_unknown_variable_is_answered_with_the_nearest_setting() {
    assert_eq!(
        given().variable("DUAL_STREAM__HTTP__LISTN", "0.0.0.0:80").refused(),
        "unknown setting http.listn (from the variable DUAL_STREAM__HTTP__LISTN); \
         did you mean http.listen?"
    );
}

#[test]
fn an_unknown_key_of_the_file_is_answered_with_the_nearest_setting() {
    assert_eq!(
        given().file("[publisher]\nmax_bach = 1").refused(),
        "unknown setting publisher.max_bach (from FILE); did you mean publisher.max_batch?"
    );
}

#[test]
fn a_setting_in_the_wrong_place_is_answered_with_its_section() {
    for (toml, hint) in [
        ("[http]\nmax_batch = 1", "did you mean publisher.max_batch?"),
        ("[server]\nmax_batch = 1", "did you mean publisher.max_batch?"),
        ("[kafka]\ntopic.name = 1", "did you mean kafka.topic?"),
        ("[http.listen]\nip = 1", "did you mean http.listen?"),
        (
            "[kafka]\n\"security.protocol\" = 1",
            "properties of librdkafka belong in [kafka.options]",
        ),
        ("[zzz]\nqqq = 1", "`dual-stream config` lists the known ones"),
    ] {
        let message = given().file(toml).refused();
        assert!(message.ends_with(hint), "{message}");
    }
}

#[test]
fn a_value_in_the_place_of_a_section_is_one_problem() {
    assert_eq!(
        given().file("http = 8080").refused(),
        "http (from FILE) is a section, not a setting; give its settings one by one"
    );
    assert_eq!(
        given().variable("DUAL_STREAM__KAFKA__OPTIONS", "acks=1").refused(),
        "kafka.options (from the variable DUAL_STREAM__KAFKA__OPTIONS) is a section, \
         not a setting; give its settings one by one"
    );
}

#[test]
fn a_single_underscore_is_answered_with_the_right_spelling() {
    for (variable, meant) in [
        ("DUAL_STREAM_HTTP_LISTEN", "DUAL_STREAM__HTTP__LISTEN"),
        ("DUAL_STREAM_HTTP__LISTEN", "DUAL_STREAM__HTTP__LISTEN"),
        ("DUAL_STREAM_KAFKA_MESSAGE_TIMEOUT", "DUAL_STREAM__KAFKA__MESSAGE_TIMEOUT"),
        ("DUAL_STREAM_KAFKA_OPTIONS_ACKS", "DUAL_STREAM__KAFKA__OPTIONS__ACKS"),
    ] {
        assert_eq!(
            given().variable(variable, "x").refused(),
            format!(
                "unknown variable {variable}: two underscores stand before the section and \
                 before the key; did you mean {meant}?"
            )
        );
    }
    let message = given().variable("DUAL_STREAM_ZZZ", "x").refused();
    assert!(message.ends_with("write DUAL_STREAM__SECTION__KEY"), "{message}");
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_left_alone() {
    given()
        .variable("DUAL_STREAM_SERVICE_HOST", "10.0.0.1")
        .variable("DUAL_STREAM_SERVICE_PORT", "80")
        .variable("DUAL_STREAM_SERVICE_PORT_HTTP", "80")
        .variable("DUAL_STREAM_PORT", "tcp://10.0.0.1:80")
        .variable("DUAL_STREAM_PORT_80_TCP_ADDR", "10.0.0.1")
        .variable("DUAL_STREAM_ADMIN_PORT", "tcp://10.0.0.2:80")
        .settings();
    given().variable("DUAL_STREAM_HTTP_PORT", "80").refused();
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    given().variable("PATH", "/bin").variable("DUAL_STREAMS__HTTP__LISTEN", "x").settings();
}

#[test]
fn all_problems_are_reported_at_once_one_a_line() {
    let message = given()
        .file("[http]\nlisten = \"8080\"\nlistn = 1\n[kafka]\ntopic = \"a b\"")
        .setting("http.max_body", "many")
        .setting("redis.host", "r")
        .variable("DUAL_STREAM_LOG_LEVEL", "debug")
        .refused();
    let problems: Vec<&str> = message.lines().collect();
    assert_eq!(problems.len(), 6, "{message}");
    for part in [
        "http.listen = \"8080\" (from FILE): not an address",
        "unknown setting http.listn (from FILE)",
        "kafka.topic = \"a b\" (from FILE): not a topic's name",
        "http.max_body = \"many\" (from the variable DUAL_STREAM__HTTP__MAX_BODY): not a size",
        "unknown setting redis.host",
        "unknown variable DUAL_STREAM_LOG_LEVEL",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(part)), "{part}: {message}");
    }
}
