// SPDX-License-Identifier: MPL-2.0
//! Checking one segment.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstsegmenter::archive::{Container, Id, Segment, SegmentName, Stray};
use gstsegmenter::utc::UtcNs;
use rustix::fs::FlockOperation;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::selection::Item;
use super::{decode, mp4, transport};
use crate::cli::text;

/// Names may be off by this much, or by a frame.
pub(super) const TOLERANCE_NS: i64 = 50_000_000;
/// The time limit of decoding: this, and ten times how long it lasts.
const LIMIT: Duration = Duration::from_secs(30);
const HASH_BUFFER_BYTES: usize = 256 * 1024;

/// How thoroughly to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// Everything.
    All,
    /// Hash, structure, times.
    NoDecode,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Checked {
    /// A segment, its size, and what is wrong with it.
    Segment {
        segment: Segment,
        bytes: u64,
        problems: Vec<Problem>,
    },
    /// A segment whose file is gone: deleted by retention meanwhile.
    Gone,
    /// A segment that somebody is writing.
    Growing,
    /// A file that a crash left.
    Abandoned(PathBuf),
    /// A file that is no segment.
    Stray(Stray),
    /// A folder that could not be read.
    Unreadable(io::Error),
}

/// Which check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// The file could not be read.
    Readable,
    /// SHA-256.
    Hash,
    /// The container.
    Structure,
    /// Decoding.
    Decode,
    /// Nothing here decodes it, so nobody knows.
    Decoder,
    /// When it starts.
    Start,
    /// How long it lasts.
    Duration,
}

/// What is wrong with a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The check that found it.
    pub(super) check: Check,
    /// In words.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(check: Check, message: impl fmt::Display) -> Self {
        Self {
            check,
            message: text::clean(&message.to_string()),
        }
    }
}

/// What the times of a segment turned out to be, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// How long the pictures last, if there are any.
    pub(super) pictures_ns: Option<i64>,
    /// How long everything lasts.
    pub(super) all_ns: i64,
    /// How long the longest of the tracks' last frames lasts.
    pub(super) frame_ns: i64,
    /// When it starts, if the media says.
    pub(super) start: Option<UtcNs>,
}

impl Times {
    /// Whether two times are one to within the tolerance.
    fn is_near(&self, ns: i64, claimed_ns: i64) -> bool {
        let tolerance_ns = TOLERANCE_NS.max(self.frame_ns).unsigned_abs();
        ns.saturating_sub(claimed_ns).unsigned_abs() <= tolerance_ns
    }
}

/// Checks what was selected.
pub(super) fn check(item: Item, checks: Checks) -> Checked {
    match item {
        Item::Stray(stray) => Checked::Stray(stray),
        Item::Unreadable(error) => Checked::Unreadable(error),
        Item::Temp(segment) => temp(&segment),
        Item::Segment(segment) => {
            let path = segment.path();
            match check_file(&segment.name, &path, checks) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Checked::Gone,
                Err(error) => Checked::Segment {
                    segment,
                    bytes: 0,
                    problems: vec![Problem::new(Check::Readable, error)],
                },
                // Errors of a file that was deleted in the midst are nobody's fault.
                Ok((_, problems)) if !problems.is_empty() && !path.exists() => Checked::Gone,
                Ok((bytes, problems)) => Checked::Segment {
                    segment,
                    bytes,
                    problems,
                },
            }
        }
    }
}

fn check_file(name: &SegmentName, path: &Path, checks: Checks) -> io::Result<(u64, Vec<Problem>)> {
    // Opening a pipe would wait for somebody to write into it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut file = File::open(path)?;
    if metadata.len() == 0 {
        return Ok((0, vec![Problem::new(Check::Structure, "the file is empty")]));
    }
    let mut problems = Vec::new();
    let (bytes, hash) = hash(&mut file)?;
    if name.id != hash {
        let message = format!("its bytes have the hash {hash}, not the one in its name");
        problems.push(Problem::new(Check::Hash, message));
    }
    file.rewind()?;
    let structure = match name.container {
        Container::Mp4 => mp4::inspect(&file)?,
        Container::Ts => {
            let structure = transport::inspect(&file)?;
            file.rewind()?;
            Structure {
                pictures: transport::pictures(&file, name.start),
                ..structure
            }
        }
    };
    problems.extend(structure.problems);
    let mut known = vec![structure.times];
    // Without a frame there is nothing to decode, and decodebin would wait for one.
    if let Some(times) = structure.times.filter(|_| checks == Checks::All) {
        let decoded = decode::decode(path, limit(&times), structure.pictures);
        if decoded.problems.is_empty() && decoded.pictures < structure.least_pictures {
            let (some, all) = (decoded.pictures, structure.least_pictures);
            let message = format!("only {some} of {all} pictures reached the decoder");
            problems.push(Problem::new(Check::Decode, message));
        }
        problems.extend(decoded.problems);
        known.push(decoded.times);
    }
    let known: Vec<Times> = known.into_iter().flatten().collect();
    problems.extend(compare_start(name, &known));
    problems.extend(compare_duration(name, &known));
    Ok((bytes, problems))
}

fn limit(times: &Times) -> Duration {
    let lasts = Duration::from_nanos(u64::try_from(times.all_ns).unwrap_or(0));
    LIMIT.saturating_add(lasts.saturating_mul(10))
}

fn hash(file: &mut File) -> io::Result<(u64, Id)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((bytes, Id::Hash(hash.finalize().into()))),
            Ok(read) => {
                hash.update(buffer.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Holds the start that the name says against what the media says.
fn compare_start(name: &SegmentName, known: &[Times]) -> Option<Problem> {
    let (times, start) = known.iter().find_map(|times| Some((times, times.start?)))?;
    if times.is_near(start.0, name.start.0) {
        return None;
    }
    let start = text::moment(start);
    let message = format!("its media starts at {start}, not when its name says");
    Some(Problem::new(Check::Start, message))
}

/// Holds the duration that the name says against what the media says. GStreamer's demuxers shift
/// what follows a gap, so it is enough if either the container or the decoder agrees.
fn compare_duration(name: &SegmentName, known: &[Times]) -> Option<Problem> {
    let claimed_ns = name.duration_ns;
    let fits = |times: &Times| {
        let pictures_fit = times
            .pictures_ns
            .is_some_and(|ns| times.is_near(ns, claimed_ns));
        pictures_fit || times.is_near(times.all_ns, claimed_ns)
    };
    let times = known.first()?;
    if known.iter().any(fits) {
        return None;
    }
    let lasts = text::duration(times.pictures_ns.unwrap_or(times.all_ns));
    let claimed = text::duration(claimed_ns);
    let message = format!("it lasts {lasts}, its name says {claimed}");
    Some(Problem::new(Check::Duration, message))
}

/// Whether somebody writes a file is told by the lock that its writer holds.
fn temp(segment: &Segment) -> Checked {
    let path = segment.path();
    let opened = fs::metadata(&path).and_then(|metadata| match metadata.is_file() {
        // A writer may be about to lock what it has just made, and must not be kept from it.
        true if metadata.len() > 0 => File::open(&path).map(Some),
        _ => Ok(None),
    });
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Checked::Gone,
        Err(error) => Checked::Unreadable(error),
        Ok(None) => Checked::Growing,
        Ok(Some(file)) => match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Checked::Abandoned(path),
            Err(_) => Checked::Growing,
        },
    }
}

/// What looking into a container without decoding told.
#[derive(Debug, Default)]
pub(super) struct Structure {
    pub(super) problems: Vec<Problem>,
    /// `None` if there is nothing to tell them by.
    pub(super) times: Option<Times>,
    /// How many pictures are in it, where access units would count fields.
    pub(super) pictures: Option<u64>,
    /// At least so many access units of video are in it.
    pub(super) least_pictures: u64,
}
