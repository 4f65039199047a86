//! The page `/docs`: the whole description.

use super::description::{Description, Node, Operation};
use super::html::Escaped;
use super::page::{Page, links};
use super::{markdown, operation, schema};

/// The page.
pub(super) fn page(description: &Description) -> String {
    let info = description.root().get("info");
    let title = format!("{} {}", info.get("title").text(), info.get("version").text());
    let main = [introduction(info), tags(description), schemas(description)].concat();
    let navigation = navigation(description);
    Page { root: "", title: &title, navigation, main }.render()
}

fn introduction(info: Node<'_>) -> String {
    let [title, version, summary] = ["title", "version", "summary"].map(|key| info.get(key).text());
    let text = markdown::blocks(info.get("description").text());
    format!(
        "<header><h1>{} <small>{}</small></h1><p class=\"lead\">{}</p></header>{text}",
        Escaped(title),
        Escaped(version),
        Escaped(summary)
    )
}

fn tags(description: &Description) -> String {
    let section = |tag: Node<'_>| {
        let name = tag.get("name").text();
        let text = markdown::blocks(tag.get("description").text());
        let operations: String =
            tagged(description, name).map(|it| operation::section(&it)).collect();
        format!("<h2 id=\"tag-{name}\">{name}</h2>{text}{operations}")
    };
    description.root().get("tags").items().map(section).collect()
}

fn schemas(description: &Description) -> String {
    let schemas = schema::all(description.root().at(&["components", "schemas"]));
    format!("<h2 id=\"schemas\">Schemas</h2>{schemas}")
}

fn tagged<'a>(description: &'a Description, tag: &'a str) -> impl Iterator<Item = Operation<'a>> {
    let has = move |operation: &Operation<'_>| {
        operation.node.get("tags").items().any(|name| name.text() == tag)
    };
    description.operations().filter(has)
}

fn navigation(description: &Description) -> String {
    let text = description.root().at(&["info", "description"]).text();
    let anchor =
        |(slug, title): (String, String)| (format!("#{slug}"), Escaped(&title).to_string());
    let introduction = links("Introduction", markdown::headings(text).into_iter().map(anchor));
    let operations: String = description
        .root()
        .get("tags")
        .items()
        .map(|tag| {
            links(tag.get("name").text(), tagged(description, tag.get("name").text()).map(link))
        })
        .collect();
    let more =
        [("#schemas", "Schemas"), ("docs/problems", "Problems"), ("openapi.yaml", "openapi.yaml")];
    let more = more.map(|(address, name)| (address.to_owned(), name.to_owned()));
    introduction + &operations + &links("More", more.into_iter())
}

fn link(operation: Operation<'_>) -> (String, String) {
    let Operation { method, path, node } = operation;
    let id = node.get("operationId").text();
    (format!("#{id}"), format!("<b class=\"{method}\">{method}</b> {path}"))
}
