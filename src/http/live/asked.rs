//! What a stream is asked for, however it is written: the rules of each part.

use crate::event::{Selection, Source};
use crate::live::{Form, Hub};
use crate::position::Position;
use crate::reader::Reader;
use crate::settings;

/// The most types of events that are named.
const TYPES: usize = 100;
/// How many partitions a position may name that the topic is not known to have. Another instance may
/// have heard of new ones first, so what it has told of them is kept; more are of another topic.
const UNHEARD: usize = 100;

/// What bounds that.
pub(super) struct Limits<'a> {
    pub(super) settings: &'a settings::Live,
    /// How many there are, where that is known.
    pub(super) partitions: Option<i32>,
}

impl<'a> Limits<'a> {
    pub(super) fn of(live: &'a Hub, reader: &Reader) -> Self {
        Limits { settings: live.settings(), partitions: reader.partitions().ok() }
    }
}

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

/// Where to begin. What a position names is kept for as long as the stream is open, and told with
/// each of its positions. Where it is not known how many partitions there are, no stream is begun.
pub(super) fn position(text: &str, limits: &Limits<'_>) -> Result<Position, String> {
    let position: Position = text.parse().map_err(|error| format!("is {error}"))?;
    let unheard = limits.partitions.map_or(0, |partitions| position.beyond(partitions));
    if unheard > UNHEARD {
        return Err(format!(
            "names {unheard} partitions that the topic does not have; give one of this topic"
        ));
    }
    Ok(position)
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
