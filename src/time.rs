//! Times as RFC 3339 and HTTP write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::{Rfc3339Timestamp, format_rfc3339_millis, parse_rfc3339};

/// The last millisecond of the year 9999, the last that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999;

/// Milliseconds since 1970, in UTC. A record without a time has -1, which is shown as 1970.
pub fn shown(millis: i64) -> Rfc3339Timestamp {
    format_rfc3339_millis(at(millis))
}

/// The same as a header has it, without the milliseconds. Never later than now, which RFC 9110
/// forbids: producers' clocks differ.
pub fn http_date(millis: i64) -> String {
    httpdate::fmt_http_date(at(millis).min(SystemTime::now()))
}

fn at(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.clamp(0, LAST).unsigned_abs())
}

/// Reads a time with whatever offset from UTC, as milliseconds since 1970. One that its offset puts
/// before 1970 is 1970: nothing is older, and Kafka means something else by what is negative.
pub fn parse(text: &str) -> Option<i64> {
    let (local, offset) = split_offset(text)?;
    // humantime takes some of what may stand at the end twice.
    let is_plain = local.bytes().all(|byte| byte.is_ascii_digit() || b"-:T.".contains(&byte));
    if !is_plain || local.ends_with('.') {
        return None;
    }
    let local = parse_rfc3339(&format!("{local}Z")).ok()?;
    let millis = local.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(i64::try_from(millis).ok()?.checked_sub(offset * 60_000)?.max(0))
}

/// A time's part without its offset, and the offset in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, digits) = match offset.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, offset.strip_prefix('-')?),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let (hours, minutes) = (two_digits(hours, 23)?, two_digits(minutes, 59)?);
    Some((local, sign * (hours * 60 + minutes)))
}

fn two_digits(text: &str, most: i64) -> Option<i64> {
    let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| is_plain && number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_offset() {
        let noon = parse("2026-11-01T12:00:00Z");
        assert_eq!(noon, Some(1_793_534_400_000));
        for same in [
            "2026-11-01T12:00:00.000Z",
            "2026-11-01T14:00:00+02:00",
            "2026-11-01T06:30:00-05:30",
            "2026-11-01T12:00:00-00:00",
        ] {
            assert_eq!(parse(same), noon, "{same}");
        }
        assert_eq!(parse("2026-11-01T12:00:00.123456Z"), noon.map(|noon| noon + 123));
        assert_eq!(parse("1970-01-01T00:30:00+01:00"), Some(0));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "Z",
            "2026-11-01",
            "2026-11-01T12:00:00",
            "2026-11-01 12:00:00Z",
            "2026-11-01T12:00:00 02:00",
            "2026-11-01T12:00:00+2:00",
            "2026-11-01T12:00:00+24:00",
            "2026-11-01T12:00:00ZZ",
            "2026-11-01T12:00:00Z+00:00",
            "2026-11-01T12:00:00.Z",
            "2026-13-01T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "now",
            "1793534400000",
            "ä€😀ä€😀",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn whatever_time_a_record_has_is_shown() {
        let text = |millis| shown(millis).to_string();
        assert_eq!(text(1_793_534_400_007), "2026-11-01T12:00:00.007Z");
        assert_eq!(text(-1), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(http_date(1_000), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert!(httpdate::parse_http_date(&http_date(i64::MAX)).unwrap() <= SystemTime::now());
    }
}
