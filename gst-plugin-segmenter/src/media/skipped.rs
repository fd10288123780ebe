// SPDX-License-Identifier: MPL-2.0
//! Tracks that are left out, and why.

use std::fmt;

/// A track that is left out of what is read, cut or played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which one: `PID 257`, `track 3`.
    pub track: String,
    /// What it holds: `DTS (stream type 0x82)`.
    pub codec: String,
    /// Why it is left out.
    pub reason: String,
}

/// One sentence.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            track,
            codec,
            reason,
        } = self;
        write!(f, "{codec} on {track} is left out: {reason}")
    }
}
