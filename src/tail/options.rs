//! What `dual-stream tail` is asked for.

use crate::event::Source;
use crate::kafka::StartAt;
use crate::position::Position;
use crate::time;

/// The command's options.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Only the events of one source, as in `repo:owner/repo`
    #[arg(long, value_name = "TYPE:ID", value_parser = source)]
    pub source: Option<Source>,
    /// Where to begin: `beginning`, `end`, a time as in `2026-11-01T00:00:00Z`, or behind a position as in `0-12,3-42`. With --group it holds until the group has committed
    #[arg(long, value_name = "PLACE", default_value = "beginning", value_parser = start)]
    pub from: StartAt,
    /// Go on with new events when all that is there has been written
    #[arg(long)]
    pub follow: bool,
    /// Read as a member of this consumer group, and commit what has been taken from the pipe
    #[arg(long, value_name = "NAME", value_parser = group)]
    pub group: Option<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

fn source(text: &str) -> Result<Source, String> {
    let (kind, id) = text.split_once(':').ok_or("write the type, a colon and the id")?;
    Source::new(kind, id).map_err(|error| error.to_string())
}

fn group(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a group has a name".to_owned()) } else { Ok(text.to_owned()) }
}

fn start(text: &str) -> Result<StartAt, String> {
    if text == "end" {
        return Ok(StartAt::End);
    }
    if let Ok(position) = text.parse::<Position>() {
        return Ok(StartAt::After(position));
    }
    time::parse(text.strip_prefix("time:").unwrap_or(text)).map(StartAt::Time).ok_or_else(|| {
        "write `beginning`, `end`, a time with its offset as in 2026-11-01T00:00:00Z, or a \
         position as in 0-12,3-42"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_word_a_time_or_a_position() {
        assert_eq!(start("end"), Ok(StartAt::End));
        assert_eq!(start("beginning"), Ok(StartAt::After(Position::beginning())));
        assert_eq!(start("0-12,3-42"), Ok(StartAt::After("0-12,3-42".parse().unwrap())));
        let noon = Ok(StartAt::Time(1_793_534_400_000));
        assert_eq!(start("2026-11-01T12:00:00Z"), noon);
        assert_eq!(start("time:2026-11-01T14:00:00+02:00"), noon);
        for wrong in ["", "0", "now", "2026-11-01", "time:", "time:end"] {
            assert!(start(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_source_is_a_type_and_an_id() {
        assert_eq!(source("repo:owner/repo:1"), Ok(Source::new("repo", "owner/repo:1").unwrap()));
        for wrong in ["repo", ":id", "repo:", "re po:id"] {
            assert!(source(wrong).is_err(), "{wrong:?}");
        }
    }
}
