// SPDX-License-Identifier: MPL-2.0
//! Why a cut cannot be made, and what would be right.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::encode::EncodeError;
use crate::media::MediaError;
use crate::utc::UtcNs;

/// Why a cut cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CutError {
    /// Nothing was asked for.
    #[error("there is no range to cut; one has a start and an end")]
    NoRange,
    /// A range that holds nothing.
    #[error("the end {end} is not after the start {start}")]
    EndBeforeStart {
        /// As given.
        start: UtcNs,
        /// As given.
        end: UtcNs,
    },
    /// Something is missing, and that was not allowed.
    #[error(
        "the range has {}: {}; allow holes to have what there is", count(.0), Holes(.0)
    )]
    Holes(Vec<Hole>),
    /// Nothing is there at all.
    #[error("nothing is recorded of {stream}/{variant} from {start} to {end}")]
    Nothing {
        /// Name of the stream.
        stream: String,
        /// Name of the variant.
        variant: String,
        /// Start of the first range.
        start: UtcNs,
        /// End of the last range.
        end: UtcNs,
    },
    /// Less than a frame.
    #[error("no frame begins from {start} to {end}; {}", nearest(.before, .after))]
    NoFrame {
        /// Start of the range.
        start: UtcNs,
        /// End of the range.
        end: UtcNs,
        /// The last frame before it.
        before: Option<UtcNs>,
        /// The first frame after it.
        after: Option<UtcNs>,
    },
    /// More than is held in memory.
    #[error(
        "the ranges hold more than {most} frames of pictures and sound; cut them in parts of some hours"
    )]
    TooLong {
        /// The limit.
        most: usize,
    },
    /// Something changes within the range that the file cannot express.
    #[error("{what} changes at {at}, from {from} to {to}; {remedy}")]
    Changes {
        /// What it is: the pictures' codec, the sound's format.
        what: &'static str,
        /// When.
        at: UtcNs,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
        /// What would work.
        remedy: &'static str,
    },
    /// This type of cut is not for what is recorded.
    #[error("{what}; {remedy}")]
    Unfit {
        /// What does not fit.
        what: String,
        /// What would work.
        remedy: String,
    },
    /// A segment that cannot be understood.
    #[error("segment {} cannot be used: {reason}", .path.display())]
    Segment {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What the file system says.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Pictures at the edges could not be encoded.
    #[error("the pictures at the edges cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// What cannot be written.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first moment that is missing.
    pub from: UtcNs,
    /// The first moment that is not.
    pub to: UtcNs,
    /// Why, where it is more than that nothing was recorded.
    pub reason: Option<String>,
}

/// More than these are counted only.
const MOST_LISTED: usize = 8;

struct Holes<'a>(&'a [Hole]);

impl fmt::Display for Holes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, hole) in self.0.iter().take(MOST_LISTED).enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{} to {}", hole.from, hole.to)?;
            if let Some(reason) = &hole.reason {
                write!(f, " ({reason})")?;
            }
        }
        match self.0.len().saturating_sub(MOST_LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

fn count(holes: &[Hole]) -> String {
    match holes.len() {
        1 => "a hole".to_owned(),
        count => format!("{count} holes"),
    }
}

fn nearest(before: &Option<UtcNs>, after: &Option<UtcNs>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("the nearest are at {before} and {after}"),
        (Some(one), None) | (None, Some(one)) => format!("the nearest is at {one}"),
        (None, None) => "there is none near".to_owned(),
    }
}
