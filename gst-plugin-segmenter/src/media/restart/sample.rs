// SPDX-License-Identifier: MPL-2.0
//! A sample of MP4 of which only the beginning may have been read, and recipes for it.

use std::ops::Range;

use super::{Part, RestartError, Unsupported};

/// As much of a sample as has been read.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The bytes from its start on.
    pub read: &'a [u8],
    /// How many it has in all.
    pub bytes: usize,
    /// Bytes of each NAL unit's length (ISO/IEC 14496-15 §4.3.2).
    pub length_bytes: usize,
}

/// A NAL unit of a sample.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// Where it is, its length included.
    pub whole: Range<usize>,
    /// Where it is without its length.
    pub place: Range<usize>,
    /// As much of it as has been read: at least one byte, at most all of it.
    pub read: &'a [u8],
}

impl Unit<'_> {
    /// All of it has been read.
    pub fn is_whole(&self) -> bool {
        self.read.len() == self.place.len()
    }

    /// What to say if not enough of it has been read.
    pub fn short(&self, wanted: usize) -> RestartError {
        let wanted = wanted.max(self.read.len().saturating_mul(2));
        let needs = self.place.start.saturating_add(wanted).min(self.place.end);
        RestartError::Short { needs }
    }
}

impl<'a> Sample<'a> {
    /// Its NAL units; those without a byte are passed over. Ends after an error.
    pub fn units(self) -> impl Iterator<Item = Result<Unit<'a>, RestartError>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                if at >= self.bytes {
                    return None;
                }
                let unit = self.unit(at);
                at = unit.as_ref().map_or(self.bytes, |unit| unit.whole.end);
                if unit.as_ref().is_ok_and(|unit| unit.place.is_empty()) {
                    continue;
                }
                return Some(unit);
            }
        })
    }

    fn unit(&self, at: usize) -> Result<Unit<'a>, RestartError> {
        let leads_out = Unsupported::Damaged("a length leads out of it");
        if self.length_bytes == 0 || self.read.len() > self.bytes {
            return Err(Unsupported::Damaged("its lengths have no bytes").into());
        }
        let start = at.checked_add(self.length_bytes).ok_or(leads_out)?;
        if start > self.bytes {
            return Err(leads_out.into());
        }
        let short = |needs: usize| RestartError::Short {
            needs: needs.min(self.bytes),
        };
        let length = self.read.get(at..start).ok_or(short(start + HEAD_BYTES))?;
        let length = length
            .iter()
            .try_fold(0_usize, |sum, byte| {
                Some(sum.checked_mul(256)? | usize::from(*byte))
            })
            .and_then(|length| start.checked_add(length));
        let end = length.filter(|end| *end <= self.bytes).ok_or(leads_out)?;
        let read = self.read.get(start..end.min(self.read.len()));
        let read = read.filter(|read| !read.is_empty() || start == end);
        Ok(Unit {
            whole: at..end,
            place: start..end,
            read: read.ok_or(short(start + HEAD_BYTES))?,
        })
    }
}

/// How much of a NAL unit is asked for at first: slice headers are far shorter, most of the time.
const HEAD_BYTES: usize = 256;

/// A recipe being put together.
#[derive(Debug, Default)]
pub struct Recipe {
    parts: Vec<Part>,
}

impl Recipe {
    /// Goes on with bytes of the sample.
    pub fn source(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Source(last)) if last.end == range.start => last.end = range.end,
            _ => self.parts.push(Part::Source(range)),
        }
    }

    /// Goes on with new bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Part::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.parts.push(Part::Bytes(bytes.to_vec())),
        }
    }

    /// Goes on with a NAL unit of new bytes and a rest from the sample; `None` if its length
    /// does not fit.
    pub fn unit(&mut self, length_bytes: usize, head: &[u8], rest: Range<usize>) -> Option<()> {
        let length = head.len().checked_add(rest.len())? as u64;
        let length = length.to_be_bytes();
        let (high, low) = length.split_at(length.len().checked_sub(length_bytes)?);
        if high.iter().any(|byte| *byte != 0) {
            return None;
        }
        self.bytes(low);
        self.bytes(head);
        self.source(rest);
        Some(())
    }

    /// The recipe.
    pub fn parts(self) -> Vec<Part> {
        self.parts
    }
}
