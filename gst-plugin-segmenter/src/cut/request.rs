// SPDX-License-Identifier: MPL-2.0
//! What is asked for.

use std::fmt;
use std::str::FromStr;

use super::CutError;
use crate::utc::UtcNs;

/// How a cut is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Type {
    /// Exactly the frames of the range: whole GOPs copied, only the edges encoded anew.
    #[default]
    Smart,
    /// Exactly the frames of the range when played: copied from the keyframe before on, and an
    /// edit list hides what is not wanted.
    Copy,
    /// The whole segments that cover the range.
    Rough,
    /// Exactly the frames of the range, all pictures encoded anew.
    Full,
}

impl Type {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smart => "smart",
            Self::Copy => "copy",
            Self::Rough => "rough",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Type {
    type Err = CutError;

    /// `fast` is wubloader's word for `smart`, `mpegts` for `full`.
    fn from_str(text: &str) -> Result<Self, CutError> {
        Ok(match text {
            "smart" | "fast" => Self::Smart,
            "copy" => Self::Copy,
            "rough" => Self::Rough,
            "full" | "mpegts" => Self::Full,
            _ => return Err(CutError::UnknownType(text.to_owned())),
        })
    }
}

/// What becomes of the time that is missing in a hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gaps {
    /// What follows is moved up.
    #[default]
    Close,
    /// It stays: the last picture stands until the next one's time.
    Keep,
}

/// A cut that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the stream.
    pub stream: String,
    /// Name of the variant.
    pub variant: String,
    /// The ranges `[start, end)`, which are joined in this order.
    pub ranges: Vec<(UtcNs, UtcNs)>,
    /// How.
    pub kind: Type,
    /// Whether it may lack something.
    pub allow_holes: bool,
    /// What becomes of the time that is missing.
    pub gaps: Gaps,
}

impl Request {
    /// Refuses what cannot be asked for.
    ///
    /// # Errors
    /// If there is no range, or one that does not end after its start.
    pub fn check(&self) -> Result<(), CutError> {
        if self.ranges.is_empty() {
            return Err(CutError::NoRange);
        }
        match self.ranges.iter().find(|(start, end)| end <= start) {
            Some((start, end)) => Err(CutError::EndBeforeStart {
                start: *start,
                end: *end,
            }),
            None => Ok(()),
        }
    }
}
