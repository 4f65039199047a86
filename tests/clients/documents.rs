//! The examples in `docs/clients.md` are the files that are run.

use std::path::Path;

use crate::programs::example;

fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("a document")
}

/// The blocks of code in this language.
fn blocks(path: &str, language: &str) -> Vec<String> {
    let text = document(path);
    let begin = format!("\n```{language}\n");
    let end = |rest: &str| rest.split("\n```").next().expect("an end").to_owned() + "\n";
    text.split(&begin).skip(1).map(end).collect()
}

/// The first of them.
pub fn block(path: &str, language: &str) -> String {
    blocks(path, language).into_iter().next().expect("a block").trim_end().to_owned()
}

#[test]
fn the_text_is_the_file() {
    for (language, files) in [
        ("html", &["page.html"][..]),
        ("python", &["stream.py", "gateway.py"]),
        ("js", &["stream.mjs"]),
    ] {
        let files: Vec<_> =
            files.iter().map(|name| std::fs::read_to_string(example(name)).unwrap()).collect();
        assert_eq!(blocks("docs/clients.md", language), files, "{language}");
    }
}
