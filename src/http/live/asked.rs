//! What a stream is asked for, however it is written: the rules of each part.

use crate::event::{Selection, Source};
use crate::live::Form;
use crate::position::Position;

/// The most types of events that are named.
const TYPES: usize = 100;

/// A source, or all sources of a type.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) source_type: String,
    pub(super) source_id: Option<String>,
}

/// What these name together; everything when there are none. None when one of them is no source:
/// `fault` is told which, by its place, and which part of it.
pub(super) fn selection(
    named: &[Named],
    mut fault: impl FnMut(usize, &'static str, String),
) -> Option<Selection> {
    let mut selection = Some(Selection::everything());
    for (index, Named { source_type, source_id }) in named.iter().enumerate() {
        let added = match source_id {
            None => selection.take().map(|selection| selection.and_all_of(source_type)),
            Some(source_id) => {
                let source = Source::new(source_type, source_id);
                selection.take().map(|selection| source.map(|source| selection.and(source)))
            }
        };
        match added {
            Some(Ok(more)) => selection = Some(more),
            Some(Err(invalid)) => fault(index, invalid.member, invalid.to_string()),
            None => {}
        }
    }
    selection
}

/// How many sources a selection names.
pub(super) fn names(selection: &Selection) -> usize {
    selection.sources().len() + selection.source_types().len()
}

/// Types of events.
pub(super) fn types(kinds: Vec<String>) -> Result<Vec<String>, String> {
    if kinds.is_empty() || kinds.iter().any(String::is_empty) || kinds.len() > TYPES {
        return Err(format!("is not 1 to {TYPES} types, each of them named"));
    }
    Ok(kinds)
}

/// How much of each event.
pub(super) fn form(include: &str) -> Result<Form, &'static str> {
    match include {
        "event" => Ok(Form::Event),
        _ => Err("is not event; leave it out for identifiers only"),
    }
}

/// Where to begin.
pub(super) fn position(text: &str) -> Result<Position, String> {
    text.parse().map_err(|error| format!("is {error}"))
}

/// How many recent events; none where that is no number. `has_source` says whether a single source
/// is named.
pub(super) fn recent(count: Option<usize>, most: usize, has_source: bool) -> Result<usize, String> {
    match count.filter(|count| *count <= most) {
        None => Err(format!("is not a number from 0 to {most}")),
        Some(1..) if !has_source => {
            Err("is of single sources; give a source_id, or use after".to_owned())
        }
        Some(count) => Ok(count),
    }
}
