//! Examples as a client would see them.

use yaml_rust2::{Yaml, YamlEmitter};

use super::description::Node;
use super::html::Escaped;
use super::markdown;

/// What fits on a line with its indentation stays on it.
const WIDTH: usize = 76;

/// All the examples of a media type.
pub(super) fn examples(media_type: &str, content: Node<'_>) -> String {
    let examples = content.get("examples").entries();
    examples.map(|(_, example)| figure(media_type, example)).collect()
}

/// An example with its caption.
pub(super) fn figure(media_type: &str, example: Node<'_>) -> String {
    let summary = markdown::inline(example.get("summary").text());
    let value = value(media_type, example.get("value").yaml());
    format!("<figure><figcaption>{summary}</figcaption>{value}</figure>")
}

fn value(media_type: &str, value: &Yaml) -> String {
    let is_json = media_type.ends_with("/json") || media_type.ends_with("+json");
    let text = match value {
        _ if is_json => json(value),
        Yaml::String(text) => Escaped(text.trim_end()).to_string(),
        other => Escaped(&yaml(other)).to_string(),
    };
    format!("<pre><code>{text}</code></pre>")
}

fn yaml(value: &Yaml) -> String {
    let mut text = String::new();
    // Writing to a string does not fail; and if it did, the page would lack one example.
    let _ = YamlEmitter::new(&mut text).dump(value);
    text.trim_start_matches("---\n").to_owned()
}

fn json(value: &Yaml) -> String {
    let mut writer = Writer::default();
    writer.value(value);
    writer.out
}

/// Writes JSON with its names and strings marked for the style.
#[derive(Default)]
struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Yaml) {
        match value {
            Yaml::Hash(members) => {
                let member = |writer: &mut Self, (name, value): (&Yaml, &Yaml)| {
                    writer.marked("name", name);
                    writer.out.push_str(": ");
                    writer.value(value);
                };
                self.list("{}", self.is_short(value), members.iter(), member);
            }
            Yaml::Array(items) => {
                self.list("[]", self.is_short(value), items.iter(), Self::value);
            }
            Yaml::String(_) => self.marked("string", value),
            other => self.marked("literal", other),
        }
    }

    fn list<T>(
        &mut self,
        brackets: &str,
        is_short: bool,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        let (open, close) = brackets.split_at(1);
        self.out.push_str(open);
        self.depth += 1;
        for (index, item) in items.enumerate() {
            let separator = match (index, is_short) {
                (0, _) => "",
                (_, true) => ", ",
                (_, false) => ",",
            };
            self.out.push_str(separator);
            self.new_line(is_short);
            write(self, item);
        }
        self.depth -= 1;
        self.new_line(is_short);
        self.out.push_str(close);
    }

    fn new_line(&mut self, is_short: bool) {
        if !is_short {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn marked(&mut self, class: &str, scalar: &Yaml) {
        let text = plain(scalar);
        self.out.push_str(&format!("<span class=\"{class}\">{}</span>", Escaped(&text)));
    }

    /// The outermost value is always spread over lines: its members are what the reader looks for.
    fn is_short(&self, value: &Yaml) -> bool {
        let is_empty = value.as_hash().is_some_and(|members| members.is_empty());
        is_empty || (self.depth > 0 && 2 * self.depth + plain(value).len() <= WIDTH)
    }
}

/// A value outside of a document, as in a header: a string is just its text.
pub(super) fn scalar(value: &Yaml) -> String {
    value.as_str().map_or_else(|| plain(value), str::to_owned)
}

/// The value as JSON on one line.
pub(super) fn plain(value: &Yaml) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Yaml::Hash(members) => {
            let member = |(name, value)| format!("{}: {}", plain(name), plain(value));
            format!("{{{}}}", joined(members.iter().map(member).collect()))
        }
        Yaml::Array(items) => format!("[{}]", joined(items.iter().map(plain).collect())),
        Yaml::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Real(number) => number.clone(),
        Yaml::Boolean(truth) => truth.to_string(),
        Yaml::Null | Yaml::Alias(_) | Yaml::BadValue => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use yaml_rust2::YamlLoader;

    use super::*;

    fn shown(yaml: &str) -> String {
        let html = json(&YamlLoader::load_from_str(yaml).unwrap()[0]);
        let tags = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        tags.collect::<String>().replace("&quot;", "\"")
    }

    #[test]
    fn short_values_stay_on_their_line() {
        let yaml = "{results: [{id: a, n: 1}], ok: true, none: null}";
        let json =
            "{\n  \"results\": [{\"id\": \"a\", \"n\": 1}],\n  \"ok\": true,\n  \"none\": null\n}";
        assert_eq!(shown(yaml), json);
    }

    #[test]
    fn long_values_are_spread() {
        let long = "x".repeat(WIDTH);
        let json = format!("{{\n  \"a\": [\n    \"{long}\"\n  ]\n}}");
        assert_eq!(shown(&format!("{{a: [{long}]}}")), json);
    }
}
