//! One operation: how to call it, and every answer it can give.

use super::description::{Node, Operation};
use super::example;
use super::html::{Escaped, code, status, table, under};
use super::markdown;
use super::schema;

/// Where parameters may be, and how the page calls it.
const PLACES: [(&str, &str); 3] =
    [("path", "Path"), ("query", "Query"), ("header", "Request headers")];

/// The section of an operation.
pub(super) fn section(operation: &Operation<'_>) -> String {
    let node = operation.node;
    let id = node.get("operationId").text();
    let title = title(operation);
    let description = markdown::blocks(node.get("description").text());
    let calls = calls(node);
    let parameters: String =
        PLACES.iter().map(|(place, heading)| under(heading, parameters(node, place))).collect();
    let body = under("Request body", body(node.get("requestBody")));
    let messages: String = node.get("x-messages").entries().map(messages).collect();
    let messages = under("Messages", messages);
    let answers = under("Answers", answers(id, node.get("responses")));
    format!(
        "<section id=\"{id}\" class=\"operation\">{title}{description}{calls}\
         {parameters}{body}{messages}{answers}</section>"
    )
}

fn title(operation: &Operation<'_>) -> String {
    let Operation { method, path, node } = operation;
    let summary = Escaped(node.get("summary").text());
    format!(
        "<h3><b class=\"{method}\">{method}</b> <code>{path}</code> <span>{summary}</span></h3>"
    )
}

/// The lines to paste into a shell.
fn calls(operation: Node<'_>) -> String {
    let call = |sample: Node<'_>| {
        let label = Escaped(sample.get("label").text());
        let source = Escaped(sample.get("source").text().trim_end());
        format!(
            "<figure class=\"call\"><figcaption>{label}</figcaption>\
             <pre tabindex=\"0\"><code>{source}</code></pre></figure>"
        )
    };
    operation.get("x-codeSamples").items().map(call).collect()
}

/// The parameters of one place.
fn parameters(operation: Node<'_>, place: &str) -> String {
    let row = |parameter: Node<'_>| {
        let need =
            if parameter.get("required").is_true() { " <small>required</small>" } else { "" };
        let name = format!("{}{need}", code(parameter.get("name").text()));
        let example = code(&example::scalar(parameter.get("example").yaml()));
        vec![name, markdown::blocks(parameter.get("description").text()), example]
    };
    let all = operation.get("parameters").items();
    let here = all.filter(|parameter| parameter.get("in").text() == place);
    table(&["name", "means", "example"], here.map(row))
}

fn body(body: Node<'_>) -> String {
    let content: String = body.get("content").entries().map(content).collect();
    markdown::blocks(body.get("description").text()) + &content
}

/// What a body of one media type looks like: its schema, and examples.
fn content((media_type, content): (&str, Node<'_>)) -> String {
    let schema = content.get("schema");
    let kind = schema::kind(schema);
    let note = match schema.name() {
        // Named schemas are described in their own section.
        Some(_) => String::new(),
        None => markdown::blocks(schema.get("description").text()),
    };
    let examples = example::examples(media_type, content);
    format!("<p class=\"content\">{}: {kind}</p>{note}{examples}", code(media_type))
}

/// What one side says when the connection is open.
fn messages((side, messages): (&str, Node<'_>)) -> String {
    let kind = schema::kind(messages.get("schema"));
    let examples = example::examples("application/json", messages);
    format!("<p class=\"content\">of the {side}: {kind}</p>{examples}")
}

fn answers(operation: &str, responses: Node<'_>) -> String {
    responses.entries().map(|(code, answer)| self::answer(operation, code, answer)).collect()
}

fn answer(operation: &str, code: &str, answer: Node<'_>) -> String {
    let status = status(code);
    let description = markdown::blocks(answer.get("description").text());
    let headers = headers(answer.get("headers"));
    let content: String = answer.get("content").entries().map(content).collect();
    // What is wanted is shown, what may go wrong is a click away.
    let open = if code.starts_with('2') { " open" } else { "" };
    format!(
        "<details id=\"{operation}-{code}\" class=\"answer\"{open}>\
         <summary>{status}{description}</summary><div>{headers}{content}</div></details>"
    )
}

fn headers(headers: Node<'_>) -> String {
    let row = |(name, header): (&str, Node<'_>)| {
        let need = if header.get("required").is_true() { "" } else { " <small>optional</small>" };
        let example = example::scalar(header.get("example").yaml());
        let description = markdown::blocks(header.get("description").text());
        vec![format!("{}{need}", code(name)), description, code(&example)]
    };
    table(&["header", "means", "example"], headers.entries().map(row))
}
