// SPDX-License-Identifier: MPL-2.0
//! The types of cut.

use std::fmt;
use std::str::FromStr;

/// No such type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a type of cut; smart, copy, rough and full are")]
pub struct UnknownType(pub String);

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
    type Err = UnknownType;

    /// `fast` is wubloader's word for `smart`, `mpegts` for `full`.
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        Ok(match text {
            "smart" | "fast" => Self::Smart,
            "copy" => Self::Copy,
            "rough" => Self::Rough,
            "full" | "mpegts" => Self::Full,
            _ => return Err(UnknownType(text.to_owned())),
        })
    }
}
