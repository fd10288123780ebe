// SPDX-License-Identifier: MPL-2.0
//! Hours and ranges that the command line names, in the archive; and if one is not there, what is.

use gstsegmenter::archive::{Archive, Span, name};
use gstsegmenter::utc::UtcNs;

use crate::cli::failure::Failure;
use crate::cli::text;

/// Reads an hour, `2026-11-20T10`; a value parser.
pub(super) fn hour(text: &str) -> Result<UtcNs, String> {
    name::parse_hour_folder(text).map_err(|error| error.to_string())
}

/// `hour`, if there is a folder for it.
pub(super) fn existing_hour(
    archive: &Archive,
    stream: &str,
    variant: &str,
    hour: UtcNs,
) -> Result<UtcNs, Failure> {
    let hours = archive.hours(stream, variant)?;
    if hours.contains(&hour) {
        return Ok(hour);
    }
    let distance = |other: &&UtcNs| (**other - hour).unsigned_abs();
    let what_is = match (
        hours.iter().min_by_key(distance),
        hours.first(),
        hours.last(),
    ) {
        (Some(nearest), Some(first), Some(last)) => format!(
            "the nearest is {}; there {} {} from {} to {}",
            name::hour_folder(*nearest),
            if hours.len() == 1 { "is" } else { "are" },
            text::count(hours.len() as u64, "hour"),
            name::hour_folder(*first),
            name::hour_folder(*last)
        ),
        _ => "there is no hour at all".to_owned(),
    };
    Err(Failure::Message(format!(
        "there is no hour {} in {stream}/{variant}; {what_is}",
        name::hour_folder(hour)
    )))
}

/// `bounds`, and where they are open, those of what is recorded of `name`; `None` if nothing is.
pub(super) fn fill(
    (start, end): (Option<UtcNs>, Option<UtcNs>),
    recorded: Option<Span>,
    name: &str,
) -> Result<Option<Span>, Failure> {
    let from = start.or(recorded.map(|recorded| recorded.from));
    let to = end.or(recorded.map(|recorded| recorded.to));
    match (from, to, recorded) {
        (Some(from), Some(to), Some(recorded)) if to <= from => Err(Failure::Message(format!(
            "{name} is recorded from {} to {} only; give both --start and --end to see that there \
             is nothing elsewhere",
            text::moment(recorded.from),
            text::moment(recorded.to)
        ))),
        (Some(from), Some(to), _) => Ok(Some(Span { from, to })),
        _ => Ok(None),
    }
}
