//! One JSON value out of a body, read in one scan.

use serde::de::{Deserialize, IgnoredAny};
use serde_json::Deserializer;

use super::members::Members;
use super::syntax::SyntaxError;

/// A value of the body that may become an event.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// Its JSON text, without surrounding whitespace.
    pub(super) json: &'a str,
    /// Its known members; `None` when it is no object.
    pub(super) members: Option<Members<'a>>,
    /// Where the text read goes on after it.
    pub(super) end: usize,
}

/// `text` after the whitespace that JSON allows between values.
pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// Reads the value that `text` begins with, and nothing after it.
pub(super) fn read_first(text: &str) -> Result<Element<'_>, SyntaxError> {
    let value = trim_start(text);
    let start = text.len() - value.len();
    let (members, length) = read_members(value)
        .map_err(|error| SyntaxError::from_parser(&error, value).after(start))?;
    Ok(Element { json: &value[..length], members, end: start + length })
}

/// Reads the only value of `text`; `more` tells what to do with several.
pub(super) fn read_only<'a>(text: &'a str, more: &str) -> Result<Element<'a>, SyntaxError> {
    let element = read_first(text)?;
    let rest = trim_start(&text[element.end..]);
    if rest.is_empty() {
        return Ok(element);
    }
    Err(SyntaxError::new(
        text.len() - rest.len(),
        format!("there is more after the JSON value; {more}"),
    ))
}

fn read_members(text: &str) -> serde_json::Result<(Option<Members<'_>>, usize)> {
    if text.starts_with('{') {
        let (members, length) = read::<Members<'_>>(text)?;
        return Ok((Some(members), length));
    }
    let (IgnoredAny, length) = read(text)?;
    Ok((None, length))
}

/// The value that `text` begins with, and its length in bytes.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<(T, usize)> {
    let mut parser = Deserializer::from_str(text);
    let value = T::deserialize(&mut parser)?;
    // Only the stream over what is left tells where the parser stands.
    let length = parser.into_iter::<IgnoredAny>().byte_offset();
    Ok((value, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_text_ends() {
        for (text, json, end) in [
            (r#" {"a":[1]} , {}"#, r#"{"a":[1]}"#, 10),
            ("{}{}", "{}", 2),
            ("\n[1,[2]]]", "[1,[2]]", 8),
            (r#""a\"]" ]"#, r#""a\"]""#, 6),
            ("-1e999,2", "-1e999", 6),
            ("true]", "true", 4),
            ("null", "null", 4),
        ] {
            let element = read_first(text).unwrap();
            assert_eq!((element.json, element.end), (json, end), "{text}");
        }
    }

    #[test]
    fn only_objects_have_members() {
        assert!(read_first("{}").unwrap().members.is_some());
        for text in ["[]", "1", r#""{}""#, "true", "null"] {
            assert!(read_first(text).unwrap().members.is_none(), "{text}");
        }
    }

    #[test]
    fn an_error_is_found_behind_whitespace() {
        assert_eq!(read_first(" \n [1,x]").unwrap_err().offset, 6);
    }

    #[test]
    fn what_follows_the_only_value_is_an_error() {
        assert!(read_only(" {} \r\n", "").is_ok());
        let error = read_only(" {} x", "send one").unwrap_err();
        assert_eq!(error.offset, 4);
        assert_eq!(error.message, "there is more after the JSON value; send one");
    }
}
