//! The page `/docs/problems`: what each kind of problem means, and what to do about it. The
//! `type` of a problem points here.

use super::description::{Description, Node};
use super::html::{Escaped, code, status, status_code};
use super::page::{Page, links};
use super::{example, markdown};

const INTRODUCTION: &str = "<header><h1>Problems</h1><p class=\"lead\">What each kind of problem \
     means, and what to do about it.</p></header><p>An answer that is a refusal or a failure is \
     <code>application/problem+json</code> (<a href=\"https://www.rfc-editor.org/rfc/rfc9457\">RFC \
     9457</a>). Its <code>type</code> is one of the addresses below and does not change, so a \
     program can go by it. Its <code>detail</code> says what happened this time.</p>";

const MEDIA_TYPE: &str = "application/problem+json";

/// The page.
pub(super) fn page(description: &Description) -> String {
    let problems = description.root().get("x-problems");
    let sections: String = problems.items().map(|problem| section(description, problem)).collect();
    let main = format!("{INTRODUCTION}{sections}");
    Page { root: "../", title: "dual-stream problems", navigation: navigation(problems), main }
        .render()
}

fn navigation(problems: Node<'_>) -> String {
    let link = |problem: Node<'_>| {
        let slug = problem.get("slug").text();
        (format!("#{slug}"), format!("{} {slug}", status_code(&problem_status(problem))))
    };
    let more = [("../docs".to_owned(), "All of the API".to_owned())];
    links("Problems", problems.items().map(link)) + &links("More", more.into_iter())
}

fn section(description: &Description, problem: Node<'_>) -> String {
    let slug = problem.get("slug").text();
    let title = Escaped(problem.get("title").text());
    let status = status(&problem_status(problem));
    let address = code(&address(slug));
    let meaning = markdown::blocks(problem.get("meaning").text());
    let action = markdown::blocks(problem.get("action").text());
    let examples = examples(description, slug);
    format!(
        "<section id=\"{slug}\" class=\"problem\"><h2>{title}</h2><p class=\"type\">{status} {address}</p>\
         <h4>What it means</h4>{meaning}<h4>What to do</h4>{action}<h4>Examples</h4>{examples}</section>"
    )
}

fn problem_status(problem: Node<'_>) -> String {
    problem.get("status").number().unwrap_or_default().to_string()
}

fn address(slug: &str) -> String {
    format!("/docs/problems#{slug}")
}

/// All the examples of this kind of problem in the description's answers.
fn examples(description: &Description, slug: &str) -> String {
    let address = address(slug);
    let answers = description.root().at(&["components", "responses"]).entries();
    let all =
        answers.flat_map(|(_, answer)| answer.at(&["content", MEDIA_TYPE, "examples"]).entries());
    all.filter(|(_, example)| example.at(&["value", "type"]).text() == address)
        .map(|(_, example)| example::figure(MEDIA_TYPE, example))
        .collect()
}
