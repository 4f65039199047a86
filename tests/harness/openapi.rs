//! The API's description, and whether an answer is what it says.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::Answer;

/// `openapi.yaml` as it is in the repository.
pub static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_norway::from_str(include_str!("../../openapi.yaml")).expect("openapi.yaml is YAML")
});

/// The methods that paths of the description may have.
const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// Fails unless the description has this answer: status, media type, headers, schema.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let is_below_a_page = ["/docs/", "/console/"].iter().any(|page| path.starts_with(page));
    let is_part_of_a_page = is_below_a_page && path.contains('.');
    if method == Method::OPTIONS || path == "/metrics" || is_part_of_a_page {
        return;
    }
    let what = format!("{method} {path} → {}", answer.status);
    assert!(answer.header("x-request-id").is_some(), "{what}: no X-Request-Id");
    let key =
        if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let operation = &DESCRIPTION["paths"][described(path)][&key];
    if operation.is_null() {
        assert!(matches!(answer.status, 404 | 405), "{what}: not described");
        return validate(&what, &json!({"$ref": "#/components/schemas/Problem"}), &answer.json());
    }
    let described = resolve(&operation["responses"][answer.status.to_string()]);
    assert!(described.is_object(), "{what}: a status that is not described: {}", answer.text());
    check_headers(&what, described, answer);
    if method != Method::HEAD {
        check_body(&what, described, answer);
    }
}

/// The path of the description that takes this one.
fn described(path: &str) -> &str {
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    if paths.contains_key(path) {
        return path;
    }
    let takes = |template: &str| {
        let before = template.split_once('{').map(|(before, _)| before);
        let part = before.and_then(|before| path.strip_prefix(before));
        part.is_some_and(|part| !part.is_empty() && !part.contains('/'))
    };
    paths.keys().map(String::as_str).find(|template| takes(template)).unwrap_or(path)
}

fn check_headers(what: &str, described: &Value, answer: &Answer) {
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let header = resolve(header);
        match answer.header(name) {
            Some(value) => {
                let is_number = header["schema"]["type"] == "integer";
                let number = value.parse::<i64>().ok().filter(|_| is_number);
                let value = number.map_or_else(|| json!(value), |number| json!(number));
                validate(&format!("{what}, header {name}"), &header["schema"], &value);
            }
            None => assert_ne!(header["required"], true, "{what}: no header {name}"),
        }
    }
}

fn check_body(what: &str, described: &Value, answer: &Answer) {
    let Some(content) = described["content"].as_object() else {
        assert!(answer.body.is_empty(), "{what}: a body that is not described");
        return;
    };
    let media_type = answer.media_type().unwrap_or_default();
    let described = content.get(media_type);
    let described = described.unwrap_or_else(|| panic!("{what}: {media_type:?} is not described"));
    match media_type {
        "application/json" | "application/problem+json" => {
            validate(what, &described["schema"], &answer.json());
        }
        "application/yaml" => {
            let body: Value = serde_norway::from_slice(&answer.body).expect("YAML");
            validate(what, &described["schema"], &body);
        }
        "application/x-ndjson" => {
            for line in answer.text().lines() {
                let line = serde_json::from_str(line).expect("a line of JSON");
                validate(what, &described["x-itemSchema"], &line);
            }
        }
        _ => {}
    }
}

/// Fails unless the value is as the schema says.
pub fn validate(what: &str, schema: &Value, value: &Value) {
    let errors: Vec<_> = validator(schema)
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {value} is not as described: {errors:#?}");
}

/// A validator whose references find the description's components. Each is built once.
pub fn validator(schema: &Value) -> Arc<Validator> {
    static BUILT: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().expect("no panic while building");
    Arc::clone(built.entry(schema.to_string()).or_insert_with(|| Arc::new(build(schema))))
}

fn build(schema: &Value) -> Validator {
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": DESCRIPTION["components"],
        "allOf": [schema],
    });
    jsonschema::validator_for(&document).expect("a schema")
}

/// Follows a reference within the description.
pub fn resolve(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            DESCRIPTION.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
        None => value,
    }
}

/// Every operation: path, method in upper case, and its description.
pub fn operations() -> Vec<(String, String, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(|method| {
                let operation = item.get(*method)?;
                Some((path.clone(), method.to_uppercase(), operation))
            })
        })
        .collect()
}
