//! From the written value to its type. Each fault says what is wrong and how to mend it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::LogFormat;
use super::entries::Raw;
use crate::channel::ChannelTemplate;

/// Longest duration; far below where adding one to the present time overflows.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// librdkafka counts in milliseconds, and takes 0 for no limit.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest that something is gathered.
const LONGEST_LINGER: Duration = Duration::from_millis(100);

/// Smallest size: below it no buffer does anything useful.
pub(super) const KIB: u64 = 1 << 10;
/// Largest size: admission counts bytes in `u32`.
pub(super) const LARGEST: u64 = 3 << 30;

pub(super) fn text(raw: &Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) | Raw::Bare(text) => Ok(text.trim().to_owned()),
        Raw::List(_) => Err("a list; write one value".to_owned()),
    }
}

/// A list, or text with commas, as variables have.
pub(super) fn list(raw: &Raw) -> Result<Vec<String>, String> {
    let items: Vec<&str> = match raw {
        Raw::Text(text) | Raw::Bare(text) if text.trim().is_empty() => Vec::new(),
        Raw::Text(text) | Raw::Bare(text) => text.split(',').collect(),
        Raw::List(items) => items.iter().map(String::as_str).collect(),
    };
    Ok(items.into_iter().map(|item| item.trim().to_owned()).collect())
}

pub(super) fn address(raw: &Raw) -> Result<SocketAddr, String> {
    text(raw)?
        .parse()
        .map_err(|_| "not an address; write ip:port, for example 0.0.0.0:8080".to_owned())
}

/// A duration that may be zero.
pub(super) fn delay(raw: &Raw) -> Result<Duration, String> {
    let duration = humantime::parse_duration(&text(raw)?).map_err(|_| {
        "not a duration; write a number and its unit, for example 4s, 250ms or 1m".to_owned()
    })?;
    if duration > LONGEST {
        return Err(format!("too long; at most {}h", LONGEST.as_secs() / 3600));
    }
    Ok(duration)
}

/// A duration of at least a millisecond.
pub(super) fn timeout(raw: &Raw) -> Result<Duration, String> {
    let duration = delay(raw)?;
    if duration < SHORTEST {
        return Err("too short; at least 1ms".to_owned());
    }
    Ok(duration)
}

/// How long something gathers: no longer than its buffer, and the end of the service, can take.
pub(super) fn linger(raw: &Raw) -> Result<Duration, String> {
    let duration = delay(raw)?;
    if duration > LONGEST_LINGER {
        return Err("too long; at most 100ms".to_owned());
    }
    Ok(duration)
}

/// A size in bytes, within `range`.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&Raw) -> Result<usize, String> {
    move |raw| {
        let ByteSize(bytes) = text(raw)?.parse().map_err(|_| {
            "not a size; write bytes or a number and its unit, for example 512B or 64MiB".to_owned()
        })?;
        let in_range = range.contains(&bytes).then_some(bytes);
        in_range.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| {
            let (least, most) = (ByteSize(*range.start()), ByteSize(*range.end()));
            format!("out of range; from {least} to {most}")
        })
    }
}

/// A whole number within `range`.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Raw) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |raw| {
        let number = text(raw)?.parse().ok().filter(|number| range.contains(number));
        number
            .ok_or_else(|| format!("not a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A whole number of at least 1, or -1 for the broker's default.
pub(super) fn number_or_default(most: i32) -> impl Fn(&Raw) -> Result<i32, String> {
    move |raw| match text(raw)?.parse() {
        Ok(number) if number == -1 || (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("not a whole number from 1 to {most}, nor -1 for the broker's default")),
    }
}

pub(super) fn switch(raw: &Raw) -> Result<bool, String> {
    text(raw)?.parse().map_err(|_| "neither true nor false".to_owned())
}

pub(super) fn channels(raw: &Raw) -> Result<Vec<ChannelTemplate>, String> {
    let items = list(raw)?;
    let templates: Result<_, _> = items.iter().map(|item| item.parse()).collect();
    templates.map_err(|error: crate::channel::TemplateError| error.to_string())
}

pub(super) fn origins(raw: &Raw) -> Result<Vec<String>, String> {
    let origins = list(raw)?;
    if origins == ["*"] {
        return Ok(origins);
    }
    match origins.iter().find(|origin| !is_origin(origin)) {
        None => Ok(origins),
        Some(star) if star == "*" => Err("\"*\" stands alone; remove the others".to_owned()),
        Some(origin) => Err(format!(
            "{origin:?} is not an origin; write it as browsers send it, in lower case and without \
             a path, for example https://app.example.com"
        )),
    }
}

fn is_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let scheme_like = |c: char| lower(c) || matches!(c, '+' | '-' | '.');
    let host_like = |c: char| lower(c) || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(scheme_like)
        && host.chars().all(host_like)
        && url::Url::parse(origin).is_ok_and(|url| url.has_host())
}

pub(super) fn log_level(raw: &Raw) -> Result<String, String> {
    let text = text(raw)?;
    EnvFilter::try_new(&text).map_err(|error| {
        format!("not a filter ({error}); write for example info or info,dual_stream=debug")
    })?;
    // A filter takes a bare unknown word for the name of a module, and then logs nothing else.
    let says_a_level = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    if text.is_empty() || !text.split(',').any(|part| says_a_level(part.trim())) {
        return Err("no level; use error, warn, info, debug, trace or off".to_owned());
    }
    Ok(text)
}

pub(super) fn log_format(raw: &Raw) -> Result<LogFormat, String> {
    match text(raw)?.as_str() {
        "auto" => Ok(LogFormat::Auto),
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err("not a format; use auto, pretty or json".to_owned()),
    }
}
