use proptest::prelude::*;

use super::{Given, file_with, given, path};
use crate::settings::Loaded;

const SECRET: &str = "hunter2";

/// Everything that is ever printed of what an operator gave.
fn printed(given: &Given) -> String {
    match Loaded::load(given.variables.clone()) {
        Ok(loaded) => format!(
            "{loaded:?}\n{:?}\n{:?}\n{}",
            loaded.settings.redis,
            loaded.settings.kafka,
            loaded.render()
        ),
        Err(error) => format!("{error}\n{error:?}"),
    }
}

#[test]
fn secret_properties_are_masked() {
    for name in [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.jaas.config",
    ] {
        let given = given().option(name, SECRET);
        assert_eq!(given.settings().kafka.options[name], SECRET);
        assert!(!printed(&given).contains(SECRET), "{name}");
        let masked = format!("\"{name}\" = \"***\"  # from the variable ");
        assert!(given.loaded().render().contains(&masked), "{name}");
    }
}

#[test]
fn other_properties_are_shown() {
    let given = given().option("sasl.username", "ada");
    assert!(given.loaded().render().contains("\"sasl.username\" = \"ada\""));
    assert!(format!("{:?}", given.settings()).contains("\"sasl.username\": \"ada\""));
}

#[test]
fn only_the_password_of_an_address_is_masked() {
    for (url, shown) in [
        ("redis://:hunter2@a:6379", "redis://:***@a:6379"),
        ("rediss://ada:hunter2@a:6379/2", "rediss://ada:***@a:6379/2"),
        ("redis://hunter2@a:6379", "redis://***@a:6379"),
        ("redis://a:6379", "redis://a:6379"),
    ] {
        let given = given().setting("redis.url", url);
        assert!(given.loaded().render().contains(&format!("url = \"{shown}\"  # from")));
        assert!(format!("{:?}", given.settings().redis).contains(shown));
        assert!(!printed(&given).contains(SECRET));
    }
}

#[test]
fn a_secret_in_a_wrong_place_is_not_printed() {
    let secret_file = file_with(SECRET);
    for given in [
        given().variable("DUAL_STREAM__REDIS__PASSWORD", SECRET),
        given().variable("DUAL_STREAM_REDIS_PASSWORD", SECRET),
        given().variable("DUAL_STREAM__REDIS__PASSWORD_FILE", &path(&secret_file)),
        given().variable("DUAL_STREAM__REDIS__URL_FILE", &path(&secret_file)),
        given().file("[redis]\npassword = \"hunter2\""),
        given().file("[redis]\nurl = [\"redis://:hunter2@a\", 5]"),
        given().file("[redis]\nurl = { password = \"hunter2\" }"),
        given().file("[redis]\nurl = \"redis://:hunter2@a"),
        given().file("[redis]\nurl = redis://:hunter2@a"),
        given().file("[redis]\nurl = \"a\"\nurl = \"hunter2\""),
        given().file("[kafka.options]\n\"sasl.password\" = [\"hunter2\"]"),
        given().file("[kafka.options]\n\"sasl.password\" = { hunter = [\"hunter2\"] }"),
    ] {
        assert!(Loaded::load(given.variables.clone()).is_err());
        assert!(!printed(&given).contains(SECRET), "{}", printed(&given));
    }
}

proptest! {
    /// Whatever delimiters are in it, quoted or not.
    #[test]
    fn a_password_in_an_address_is_never_printed(
        before in "[ -~]{0,3}",
        after in "[ -~]{0,3}",
        template in prop::sample::select(vec![
            "redis://:{}@host:6379",
            "redis://ada:{}@host:6379/1",
            "redis://a:1,redis://:{}@b:2",
            "{}",
            "redis://host:6379?pass={}",
        ]),
    ) {
        let password = format!("{before}{SECRET}{after}");
        let url = template.replace("{}", &password);
        for cluster in ["true", "false"] {
            let given = given().setting("redis.url", &url).setting("redis.cluster", cluster);
            prop_assert!(!printed(&given).contains(SECRET), "{}", printed(&given));
        }
    }
}
