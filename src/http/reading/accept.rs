//! Which of the media types that a route has its client wants (RFC 9110, section 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// A media type of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Format {
    /// A page.
    Json,
    /// A line an event.
    Lines,
    /// A stream.
    Stream,
}

impl Format {
    /// As headers name it.
    pub(in super::super) fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Lines => "application/x-ndjson",
            Format::Stream => "text/event-stream",
        }
    }
}

/// The one of these that the client wants most: the first among equals. None when it takes none.
pub(in super::super) fn choose(headers: &HeaderMap, formats: &[Format]) -> Option<Format> {
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return formats.first().copied();
    }
    let weighed = formats.iter().map(|&format| (weight(&ranges, format), format));
    let wanted = weighed.filter(|&(weight, _)| weight > 0);
    // Of equal ones `max_by_key` would take the last.
    wanted.rev().max_by_key(|&(weight, _)| weight).map(|(_, format)| format)
}

/// One of the ranges that a client takes, and how much it wants it, in thousandths.
struct Range {
    media_type: String,
    weight: u16,
}

fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges.map(str::trim).filter(|range| !range.is_empty()).map(Range::read).collect()
}

impl Range {
    fn read(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Range { media_type, weight: weight.unwrap_or(1000) }
    }
}

/// What is no number is taken as the most: better an answer than none for a slip.
fn thousandths(text: &str) -> u16 {
    let weight: f32 = text.parse().unwrap_or(1.0);
    // Saturates, and makes 0 of what is negative or no number.
    (weight.min(1.0) * 1000.0) as u16
}

/// The weight of the range that names the format most closely; 0 when none does.
fn weight(ranges: &[Range], format: Format) -> u16 {
    let family = if format == Format::Stream { "text/*" } else { "application/*" };
    let names = [format.media_type(), family, "*/*"];
    let named = names.iter().find_map(|name| ranges.iter().find(|range| range.media_type == *name));
    named.map_or(0, |range| range.weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Format; 2] = [Format::Json, Format::Lines];

    fn chosen(accept: &str) -> Option<Format> {
        choose(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]), &BOTH)
    }

    #[test]
    fn who_says_nothing_or_anything_gets_a_page() {
        assert_eq!(choose(&HeaderMap::new(), &BOTH), Some(Format::Json));
        for accept in ["*/*", "", "application/*", "text/html,*/*;q=0.8", "application/json"] {
            assert_eq!(chosen(accept), Some(Format::Json), "{accept}");
        }
    }

    #[test]
    fn the_weight_decides_and_the_closest_name_has_it() {
        for accept in [
            "application/x-ndjson",
            "Application/X-NDJSON; charset=utf-8",
            "application/json;q=0.5, application/x-ndjson",
            "*/*;q=0.1, application/x-ndjson;q=0.2",
            "application/json;q=0, */*",
        ] {
            assert_eq!(chosen(accept), Some(Format::Lines), "{accept}");
        }
        for accept in
            ["application/x-ndjson;q=0.5, application/json;q=0.501", "application/x-ndjson;q=0,*/*"]
        {
            assert_eq!(chosen(accept), Some(Format::Json), "{accept}");
        }
    }

    #[test]
    fn a_stream_is_text() {
        for (accept, takes) in
            [("text/event-stream", true), ("text/*", true), ("*/*", true), ("application/*", false)]
        {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(choose(&headers, &[Format::Stream]).is_some(), takes, "{accept}");
        }
    }

    #[test]
    fn who_takes_neither_gets_none() {
        for accept in ["text/html", "application/json;q=0", "text/*, image/png", "*/*;q=0"] {
            assert_eq!(chosen(accept), None, "{accept}");
        }
    }
}
