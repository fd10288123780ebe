// SPDX-License-Identifier: MPL-2.0
//! Fragmented MP4 (ISO/IEC 14496-12) without decoding: whether every byte belongs to a box, every
//! chunk is whole, and when its frames are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use gstsegmenter::media::{Index, IndexTrack};
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use super::check::{Check, Problem, Structure, TOLERANCE_NS, Times};
use crate::cli::text;

/// Boxes that other muxers write behind the last chunk.
const TRAILING: [&[u8; 4]; 5] = [b"mfra", b"free", b"skip", b"uuid", b"meta"];

/// Looks into a segment.
///
/// # Errors
/// If reading fails.
pub(super) fn inspect(file: &File) -> io::Result<Structure> {
    let index = match Index::read(file) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(wrong(error.to_string()));
        }
        index => index?,
    };
    if index.whole_bytes == 0 {
        let message = "it is not an MP4 with a whole chunk, or tables of samples, in it";
        return Ok(wrong(message.to_owned()));
    }
    let length = file.metadata()?.len();
    let pictures = index.tracks.iter().filter(|track| track.is_video);
    let mut structure = Structure {
        times: times(&index),
        least_pictures: pictures
            .clone()
            .map(|track| track.samples.len() as u64)
            .sum(),
        ..Structure::default()
    };
    let mut wrong = |message| {
        let problem = Problem::new(Check::Structure, message);
        structure.problems.push(problem);
    };
    if !is_trailer(file, index.whole_bytes, length)? {
        let whole = index.whole_bytes;
        wrong(format!(
            "only {whole} of its {length} bytes are whole chunks"
        ));
    }
    let mut first = pictures.clone().filter_map(|track| track.samples.first());
    if first.any(|sample| !sample.sync) {
        wrong("it does not begin with a keyframe".to_owned());
    }
    if index.lost_chunks > 0 {
        let missing = text::duration(pictures.map(missing_ns).sum());
        wrong(format!("{missing} of pictures is missing in its midst"));
    }
    Ok(structure)
}

fn wrong(message: String) -> Structure {
    Structure {
        problems: vec![Problem::new(Check::Structure, message)],
        ..Structure::default()
    }
}

/// Whether there are only whole boxes that hold no media from `at` to `length`.
fn is_trailer(mut file: &File, mut at: u64, length: u64) -> io::Result<bool> {
    while at < length {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 8];
        if let Err(error) = file.read_exact(&mut header) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(false),
                _ => Err(error),
            };
        }
        let [a, b, c, d, kind @ ..] = header;
        let bytes = u64::from(u32::from_be_bytes([a, b, c, d]));
        if bytes < header.len() as u64 || !TRAILING.contains(&&kind) {
            return Ok(false);
        }
        at = at.saturating_add(bytes);
    }
    Ok(at == length)
}

/// When the frames of a track are shown, in nanoseconds of presentation.
struct Extent {
    start_ns: i64,
    end_ns: i64,
    last_ns: i64,
    start: Option<UtcNs>,
}

fn times(index: &Index) -> Option<Times> {
    let extents: Vec<_> = index
        .tracks
        .iter()
        .filter_map(|track| Some((track.is_video, extent(track)?)))
        .collect();
    let pictures = extents.iter().find(|(is_video, _)| *is_video);
    let pictures = pictures.map(|(_, extent)| extent);
    let all = || extents.iter().map(|(_, extent)| extent);
    let start_ns = all().map(|extent| extent.start_ns).min()?;
    let end_ns = all().map(|extent| extent.end_ns).max()?;
    let earliest = all().min_by_key(|extent| extent.start_ns);
    Some(Times {
        pictures_ns: pictures.map(|extent| extent.end_ns - extent.start_ns),
        all_ns: end_ns - start_ns,
        frame_ns: all().map(|extent| extent.last_ns).max().unwrap_or(0),
        start: pictures.or(earliest).and_then(|extent| extent.start),
    })
}

/// How long no picture is decoded because the one before is over: what a lost chunk leaves, or a
/// stream that is slower than it says.
fn missing_ns(track: &IndexTrack) -> i64 {
    let pairs = track.samples.iter().zip(track.samples.iter().skip(1));
    let gaps = pairs.map(|(before, after)| {
        let end = before.dts.saturating_add(before.duration.into());
        ns(after.dts.saturating_sub(end), track.timescale)
    });
    gaps.filter(|gap_ns| *gap_ns > TOLERANCE_NS)
        .fold(0, i64::saturating_add)
}

fn ns(ticks: i64, timescale: u32) -> i64 {
    let ns = i128::from(ticks) * i128::from(SECOND_NS) / i128::from(timescale.max(1));
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// What the edit list hides (§8.6.6) counts only for what shows of it.
fn extent(track: &IndexTrack) -> Option<Extent> {
    let ns = |ticks| ns(ticks, track.timescale);
    let mut found: Option<Extent> = None;
    let mut shown: Vec<i64> = track.samples.iter().map(|sample| sample.pts).collect();
    shown.sort_unstable();
    // The last picture lasts until one that is not here; the others tell how long that may be.
    let steps = shown.array_windows().map(|[one, next]| next - one);
    let longest_ns = match track.is_video {
        true => ns(steps.max().unwrap_or(i64::MAX)),
        false => 0,
    };
    for sample in &track.samples {
        let start_ns = ns(sample.pts.saturating_sub(track.edit_offset));
        let duration_ns = ns(sample.duration.into());
        let end_ns = start_ns.saturating_add(duration_ns);
        if end_ns <= 0 {
            continue;
        }
        // Half of a frame may be hidden: what shows of it starts at zero.
        let hidden_ns = start_ns.min(0);
        let (start_ns, start) = (start_ns - hidden_ns, sample.utc.map(|utc| utc - hidden_ns));
        let extent = found.get_or_insert(Extent {
            start_ns,
            end_ns,
            last_ns: duration_ns,
            start,
        });
        if start_ns < extent.start_ns {
            (extent.start_ns, extent.start) = (start_ns, start);
        }
        if end_ns > extent.end_ns {
            (extent.end_ns, extent.last_ns) = (end_ns, duration_ns);
        }
    }
    if let Some(extent) = &mut found {
        extent.last_ns = extent.last_ns.max(longest_ns);
    }
    found
}
