//! JSON schemas as tables of members.

use super::description::Node;
use super::example;
use super::html::{Escaped, code, table};
use super::markdown;

/// All the named schemas.
pub(super) fn all(schemas: Node<'_>) -> String {
    let section = |(name, schema): (&str, Node<'_>)| {
        let description = markdown::blocks(schema.get("description").text());
        let form = form(schema);
        format!("<section id=\"schema-{name}\"><h3>{name}</h3>{description}{form}</section>")
    };
    schemas.entries().map(section).collect()
}

/// What a value of this schema is: a table of members, or a line.
pub(super) fn form(schema: Node<'_>) -> String {
    let parts: Vec<_> = schema.get("allOf").items().collect();
    if let [base, narrowed] = parts[..] {
        return format!("<p>{}, in which:</p>{}", kind(base), members(narrowed));
    }
    match members(schema) {
        table if table.is_empty() => format!("<p>{}</p>", kind(schema.unnamed())),
        table => table,
    }
}

/// A schema in a few words, with links to the named ones.
pub(super) fn kind(schema: Node<'_>) -> String {
    if let Some(name) = schema.name() {
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if schema.get("const").exists() {
        return code(&example::plain(schema.get("const").yaml()));
    }
    let list = |key, kind: fn(Node<'_>) -> String| -> Vec<String> {
        schema.get(key).items().map(kind).collect()
    };
    let values = list("enum", |value| code(&example::plain(value.yaml())));
    let choices = list("oneOf", kind);
    let parts = list("allOf", kind);
    match (values.as_slice(), choices.as_slice(), parts.as_slice()) {
        ([], [], []) => simple(schema),
        ([], [], [base, ..]) => base.clone(),
        ([], choices, _) => choices.join(" or "),
        (values, ..) => values.join(" or "),
    }
}

fn simple(schema: Node<'_>) -> String {
    let items = schema.get("items");
    let name = match schema.get("type").text() {
        "" => "any JSON".to_owned(),
        "array" if items.exists() => format!("array of {}", kind(items)),
        name => name.to_owned(),
    };
    format!("{name}{}", limits(schema))
}

/// The limits of lengths and numbers, and the pattern.
fn limits(schema: Node<'_>) -> String {
    let range = |least: &str, most: &str, unit: &str| {
        let least = schema.get(least).number();
        let most = schema.get(most).number();
        match (least, most) {
            (None, None) => String::new(),
            (Some(least), None) => format!(", at least {least}{unit}"),
            (None, Some(most)) => format!(", at most {most}{unit}"),
            (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        }
    };
    let pattern = match schema.get("pattern").text() {
        "" => String::new(),
        pattern => format!(", matches {}", code(pattern)),
    };
    let lengths = range("minLength", "maxLength", " characters");
    let counts = range("minItems", "maxItems", "");
    [lengths, counts, range("minimum", "maximum", ""), pattern].concat()
}

fn members(schema: Node<'_>) -> String {
    let required: Vec<_> = schema.get("required").items().map(Node::text).collect();
    let row = |(name, member): (&str, Node<'_>)| {
        let need = if required.contains(&name) { "" } else { " <small>optional</small>" };
        let description = markdown::blocks(member.get("description").text());
        vec![format!("<code>{}</code>{need}", Escaped(name)), kind(member), description]
    };
    table(&["member", "is", "means"], schema.get("properties").entries().map(row))
}
