// SPDX-License-Identifier: MPL-2.0
//! Moments and ranges on the command line.

use std::sync::OnceLock;

use gstsegmenter::utc::UtcNs;

use super::failure::Failure;
use super::text;

/// Now, the same for the whole command: `--start -1h --end now` is an hour.
pub(super) fn now() -> UtcNs {
    static NOW: OnceLock<UtcNs> = OnceLock::new();
    *NOW.get_or_init(UtcNs::now)
}

/// A moment as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    at: UtcNs,
    /// Given relative to now.
    is_relative: bool,
}

/// Reads RFC 3339, `now`, or a duration before now (`-90s`, `-1h 30m`).
pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    parse_moment_at(text, now())
}

fn parse_moment_at(text: &str, now: UtcNs) -> Result<Moment, String> {
    let relative = |at| Moment {
        at,
        is_relative: true,
    };
    if text == "now" {
        return Ok(relative(now));
    }
    if let Some(before) = text.strip_prefix('-') {
        let before = humantime::parse_duration(before)
            .map_err(|why| format!("{why}; a time before now looks like -90s or -1h"))?;
        let before_ns = i64::try_from(before.as_nanos()).unwrap_or(i64::MAX);
        return Ok(relative(now - before_ns));
    }
    let at =
        UtcNs::parse(text).map_err(|error| format!("{error}; also -1h (before now) and now"))?;
    Ok(Moment {
        at,
        is_relative: false,
    })
}

/// Reads a range, `START,END`: two moments; a value parser.
pub(super) fn parse_range(range: &str) -> Result<(UtcNs, UtcNs), String> {
    let Some((start, end)) = range.split_once(',') else {
        return Err("a range is a start and an end with a comma between".to_owned());
    };
    let (start, end) = (parse_moment(start.trim())?.at, parse_moment(end.trim())?.at);
    match start < end {
        true => Ok((start, end)),
        false => Err(format!(
            "the end {} is not after the start {}",
            text::moment(end),
            text::moment(start)
        )),
    }
}

/// A range, either end of which may be left open.
#[derive(clap::Args)]
pub(super) struct Range {
    /// First moment: RFC 3339 (UTC unless it has an offset), or before now: `-1h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    start: Option<Moment>,
    /// Moment after the last, likewise, or `now`
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    end: Option<Moment>,
}

impl Range {
    /// The bounds as given. A start relative to now alone means up to now.
    pub(super) fn bounds(&self) -> Result<(Option<UtcNs>, Option<UtcNs>), Failure> {
        let start = self.start.map(|moment| moment.at);
        let end = match (self.start, self.end) {
            (Some(start), None) if start.is_relative => Some(now()),
            (_, end) => end.map(|moment| moment.at),
        };
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            return Err(Failure::Usage(format!(
                "--end {} is not after --start {}",
                text::moment(end),
                text::moment(start)
            )));
        }
        Ok((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstsegmenter::utc::{HOUR_NS, SECOND_NS};

    #[test]
    fn moments_are_absolute_or_before_now() {
        let now = UtcNs(1_795_170_666 * SECOND_NS);
        let at = |text| parse_moment_at(text, now).map(|moment| moment.at);
        assert_eq!(at("2026-11-20T10:31:06"), Ok(now));
        assert_eq!(at("2026-11-20T11:31:06+01:00"), Ok(now));
        assert_eq!(at("now"), Ok(now));
        assert_eq!(at("-1h"), Ok(now - HOUR_NS));
        assert_eq!(at("-1h 30s"), Ok(now - HOUR_NS - 30 * SECOND_NS));
        assert_eq!(at("-1000y"), Ok(UtcNs(now.0.saturating_sub(i64::MAX))));
        for wrong in ["-1", "yesterday", "", "-", "1h"] {
            let said = at(wrong).expect_err(wrong);
            assert!(said.contains("-1h"), "{wrong}: {said}");
        }
    }
}
