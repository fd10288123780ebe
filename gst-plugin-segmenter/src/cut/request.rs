// SPDX-License-Identifier: MPL-2.0
//! What is asked for.

use super::CutError;
pub use super::kind::Type;
use crate::utc::UtcNs;

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
