// SPDX-License-Identifier: MPL-2.0
//! What there is of a variant, what is still growing included.

use std::fs;

use gstsegmenter::archive::{Archive, Container, Kind, MAX_REACH_NS, Segment, Span};
use gstsegmenter::media;
use gstsegmenter::utc::UtcNs;

use super::failure::Failure;
use super::moment;

/// From the first frame recorded to the end of the last; `None` if nothing is.
pub(super) fn recorded(
    archive: &Archive,
    stream: &str,
    variant: &str,
) -> Result<Option<Span>, Failure> {
    let hours = archive.hours(stream, variant)?;
    let mut from = None;
    for hour in &hours {
        let segments = archive.segments(stream, variant, *hour)?;
        from = segments.first().map(|segment| segment.name.start);
        if from.is_some() {
            break;
        }
    }
    let Some(from) = from else { return Ok(None) };
    let mut to = from;
    let mut last_hour = None;
    for hour in hours.iter().rev() {
        // Something longer than all that started later.
        if last_hour.is_some_and(|last: UtcNs| last - *hour > MAX_REACH_NS) {
            break;
        }
        for segment in archive.segments(stream, variant, *hour)? {
            last_hour.get_or_insert(*hour);
            let end = match segment.name.kind {
                Kind::Temp => segment.name.start + growing_ns(&segment, moment::now()),
                _ => segment.end(),
            };
            to = to.max(end);
        }
    }
    Ok(Some(Span { from, to }))
}

/// How long what is in a growing file lasts: what recovery would make of it now.
pub(super) fn growing_ns(segment: &Segment, now: UtcNs) -> i64 {
    let name = &segment.name;
    let path = segment.path();
    let is_file = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
    let measured = is_file
        .then(|| fs::File::open(&path).ok())
        .flatten()
        .and_then(|file| media::measure(&file, name.container == Container::Ts).ok());
    match measured {
        Some(measured) => measured.duration_ns,
        // Closed, and so renamed, since its folder was read.
        None => name.duration_ns.min(now - name.start).max(0),
    }
}
