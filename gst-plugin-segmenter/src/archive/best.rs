// SPDX-License-Identifier: MPL-2.0
//! The best segment for every moment of a range, and the holes between.
//!
//! The rules are wubloader's (`get_best_segments`): full before suspect before partial, the longer
//! before the shorter, and what fits within 10 ms joins without a hole. Where that one's greedy walk
//! goes wrong, this does right:
//!
//! - There, a segment that overlaps the one before it is dropped, so that 0-2, 1-3, 3-5 has a hole
//!   from 2 to 3. Here 1-3 is used from 2 on: there is a hole only where there is nothing.
//! - There, a partial segment hides a full one that starts within its nominal duration. Here each
//!   moment gets the best kind there is.
//! - There, the first segment after the end of the range is returned if none reaches the end.
//! - There, gaps of up to 10 ms may follow one another for ever. Here they use up a credit
//!   ([`TOLERANCE_NS`]) that comes back slowly ([`DRIFT_PER_SECOND_NS`]): enough for rounded
//!   durations and slewed clocks, not for something lost in every segment.
//! - There, a range that begins or ends between two segments that join, has a hole at that edge.
//! - There, suspect segments count as incomplete. Here only partial ones do
//!   ([`Best::is_complete`]), as their names may promise what was to come.
//! - What follows a segment is one that starts where it ends, if there is one, before one that is in
//!   its midst by then, so that two writers' segments are not mixed without need.

use std::cmp::{Ordering, Reverse};
use std::io;
use std::iter::Peekable;

use super::listing::Segment;
use super::name::Kind;
use super::read::{Archive, Candidate};
use crate::utc::{SECOND_NS, UtcNs};

/// How far the end of a segment and the start of the next may be apart, either way, to join.
pub const TOLERANCE_NS: i64 = 10_000_000;
/// How much joining segments may be apart in the long run: 0.1 % of the time.
pub const DRIFT_PER_SECOND_NS: i64 = 1_000_000;

/// What is to be used for a part of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// `segment` is the best there is in `[from, to)`.
    Segment {
        /// The segment.
        segment: Segment,
        /// The first moment for which to use it.
        from: UtcNs,
        /// The moment from which on something else is used.
        to: UtcNs,
        /// Whether it carries on where the piece before ended, both being whole at that end.
        joins: bool,
    },
    /// There is nothing in `[from, to)`.
    Hole {
        /// The first moment that is missing.
        from: UtcNs,
        /// The first moment that is not.
        to: UtcNs,
    },
}

/// The pieces of a range, which together are the range, without gaps or overlaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Best {
    /// In order.
    pub pieces: Vec<Piece>,
}

impl Best {
    /// Whether something is missing.
    pub fn has_holes(&self) -> bool {
        self.holes().next().is_some()
    }

    /// Whether nothing is missing for sure: no hole, and no partial segment.
    pub fn is_complete(&self) -> bool {
        let mut kinds = self.segments().map(|segment| segment.name.kind);
        !self.has_holes() && kinds.all(|kind| kind != Kind::Partial)
    }

    /// What is missing, as `(from, to)`.
    pub fn holes(&self) -> impl Iterator<Item = (UtcNs, UtcNs)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Hole { from, to } => Some((*from, *to)),
            Piece::Segment { .. } => None,
        })
    }

    /// The segments, in the order in which they are used.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Segment { segment, .. } => Some(segment),
            Piece::Hole { .. } => None,
        })
    }
}

impl Archive {
    /// The best segments for `[from, to)`; what is still growing is not among them.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a name cannot be one,
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such variant; what the file system says
    /// if a folder that matters cannot be read.
    pub fn best(&self, stream: &str, variant: &str, from: UtcNs, to: UtcNs) -> io::Result<Best> {
        let around_ns = TOLERANCE_NS + 1;
        let (first, last) = (from - around_ns, to + around_ns);
        let source = self.candidates(stream, variant, first, last, None)?;
        let pieces = Sweep::new(source, from, to)
            .map(|step| step?.into_piece())
            .collect::<io::Result<_>>()?;
        Ok(Best { pieces })
    }
}

/// A [`Piece`] without names.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Use {
        candidate: Candidate,
        from: UtcNs,
        to: UtcNs,
        joins: bool,
    },
    Hole {
        from: UtcNs,
        to: UtcNs,
    },
}

impl Step {
    fn into_piece(self) -> io::Result<Piece> {
        Ok(match self {
            Self::Hole { from, to } => Piece::Hole { from, to },
            Self::Use {
                candidate,
                from,
                to,
                joins,
            } => Piece::Segment {
                // It was found at that index of that listing.
                segment: candidate.segment().ok_or(io::ErrorKind::NotFound)?,
                from,
                to,
                joins,
            },
        })
    }

    fn from(&self) -> UtcNs {
        match self {
            Self::Use { from, .. } | Self::Hole { from, .. } => *from,
        }
    }

    fn set_to(&mut self, moment: UtcNs) {
        match self {
            Self::Use { to, .. } | Self::Hole { to, .. } => *to = moment,
        }
    }
}

/// Where a segment ended, for another to join it.
#[derive(Clone, Copy)]
struct Joint {
    end: UtcNs,
    /// Whether it was used up to its end.
    whole: bool,
}

/// Walks once through segments sorted by start, holding only those around the moment at hand.
pub(super) struct Sweep<I: Iterator<Item = io::Result<Candidate>>> {
    source: Peekable<I>,
    /// Read from the source and not yet over, sorted by start.
    window: Vec<Candidate>,
    /// Everything before this moment is decided, but for where the last step ends.
    at: UtcNs,
    end: UtcNs,
    /// The last step: a segment that joins it may still move its end.
    last: Option<Step>,
    joint: Option<Joint>,
    /// What gaps have used of the tolerance, and until when that was reckoned.
    drift_ns: i64,
    drift_at: UtcNs,
}

impl<I: Iterator<Item = io::Result<Candidate>>> Sweep<I> {
    /// `source` has to hold what touches the range with [`TOLERANCE_NS`] around it.
    pub(super) fn new(source: I, from: UtcNs, to: UtcNs) -> Self {
        Self {
            source: source.peekable(),
            window: Vec::new(),
            at: from,
            end: to,
            last: None,
            joint: None,
            drift_ns: 0,
            drift_at: from,
        }
    }

    /// Decides what comes at the moment at hand.
    fn advance(&mut self) -> io::Result<Option<Step>> {
        self.read_until(self.at + TOLERANCE_NS)?;
        if self.last.is_none() {
            self.note_what_ends_before();
        }
        let at = self.at;
        self.window.retain(|candidate| candidate.end > at);
        match self.choose() {
            Some(candidate) => self.take(candidate),
            None => self.skip(),
        }
    }

    /// Puts everything that starts at `moment` or before into the window.
    fn read_until(&mut self, moment: UtcNs) -> io::Result<()> {
        while let Some(next) = self.source.next_if(|next| match next {
            Ok(candidate) => candidate.start <= moment,
            Err(_) => true,
        }) {
            self.window.push(next?);
        }
        Ok(())
    }

    /// What ends just before the range may join what starts just after its start.
    fn note_what_ends_before(&mut self) {
        let ended = self.window.iter().map(|candidate| candidate.end);
        let end = ended.filter(|end| *end <= self.at).max();
        self.joint = end.map(|end| Joint { end, whole: true });
    }

    fn joins(&self, candidate: &Candidate) -> bool {
        self.joint
            .is_some_and(|joint| (candidate.start - joint.end).abs() <= TOLERANCE_NS)
    }

    /// The best candidate that holds the moment at hand, or joins what ended there.
    fn choose(&self) -> Option<Candidate> {
        let usable = |candidate: &&Candidate| candidate.start <= self.at || self.joins(candidate);
        let order = |candidate: &&Candidate| {
            let joins = self.joins(candidate);
            (
                candidate.kind,
                joins,
                candidate.end,
                Reverse(candidate.start),
            )
        };
        let candidates = self.window.iter().filter(usable);
        let best = candidates.max_by(|one, two| {
            let ordering = order(one).cmp(&order(two));
            ordering.then_with(|| tie(one, two))
        });
        best.cloned()
    }

    fn take(&mut self, candidate: Candidate) -> io::Result<Option<Step>> {
        let joint = self.joint.filter(|_| self.joins(&candidate));
        if let Some(joint) = joint
            && !self.has_credit(candidate.start - joint.end)
        {
            // What ended here is not joined by anything: choose anew.
            self.drift_ns = 0;
            self.joint = None;
            return Ok(None);
        }
        // Where two join, the one's frames end where the other's begin, whatever the names say.
        let last_from = self.last.as_ref().map_or(self.at, Step::from);
        let from = match joint {
            Some(_) if self.last.is_some() && candidate.start > last_from => candidate.start,
            _ => self.at,
        };
        if from >= self.end {
            self.at = self.end;
            return Ok(self.finish());
        }
        let to = self.end_of(&candidate, from)?;
        self.joint = Some(Joint {
            end: to,
            whole: to == candidate.end,
        });
        self.at = to;
        let step = Step::Use {
            from,
            to: to.min(self.end),
            joins: joint.is_some_and(|joint| joint.whole) && self.last.is_some(),
            candidate,
        };
        Ok(self.emit(step))
    }

    /// Reckons a gap (or an overlap, if negative) against what is allowed in the long run.
    fn has_credit(&mut self, gap_ns: i64) -> bool {
        let elapsed_ns = (self.at - self.drift_at).max(0);
        let regained_ns = elapsed_ns / (SECOND_NS / DRIFT_PER_SECOND_NS);
        let drift_ns = self.drift_ns.saturating_sub(regained_ns).max(0);
        self.drift_at = self.at;
        self.drift_ns = drift_ns.saturating_add(gap_ns).max(0);
        self.drift_ns <= TOLERANCE_NS
    }

    /// Where something better starts, or the segment's own end.
    fn end_of(&mut self, candidate: &Candidate, from: UtcNs) -> io::Result<UtcNs> {
        let is_better = |other: &Candidate| other.kind > candidate.kind && other.start > from;
        loop {
            let better = self.window.iter().find(|other| is_better(other));
            if let Some(better) = better {
                return Ok(better.start.min(candidate.end));
            }
            match self.source.next_if(|next| match next {
                Ok(next) => next.start < candidate.end,
                Err(_) => true,
            }) {
                Some(next) => self.window.push(next?),
                None => return Ok(candidate.end),
            }
        }
    }

    /// Nothing holds the moment at hand: a hole, to the next start or the end of the range.
    fn skip(&mut self) -> io::Result<Option<Step>> {
        let waiting = self.window.iter().map(|candidate| candidate.start);
        let mut next = waiting.filter(|start| *start > self.at).min();
        if next.is_none() {
            next = match self.source.peek() {
                Some(Ok(candidate)) => Some(candidate.start),
                Some(Err(_)) => match self.source.next() {
                    Some(Err(error)) => return Err(error),
                    _ => None,
                },
                None => None,
            };
        }
        let from = self.at;
        let to = next.map_or(self.end, |start| start.min(self.end));
        self.at = to;
        self.joint = None;
        Ok(self.emit(Step::Hole { from, to }))
    }

    /// Keeps `step` back, for its end may move, and gives the one before, which ends where it starts.
    fn emit(&mut self, step: Step) -> Option<Step> {
        let mut last = self.last.replace(step);
        if let (Some(last), Some(step)) = (&mut last, &self.last) {
            last.set_to(step.from());
        }
        last
    }

    fn finish(&mut self) -> Option<Step> {
        let mut last = self.last.take()?;
        last.set_to(self.end);
        Some(last)
    }
}

/// Which of two that span the same time: of partials the bigger (names of broken downloads all
/// promise the same duration), then any, but always the same one.
fn tie(one: &Candidate, two: &Candidate) -> Ordering {
    let size = |candidate: &Candidate| {
        let path = candidate.segment()?.path();
        std::fs::metadata(path).ok().map(|metadata| metadata.len())
    };
    let sizes = match one.kind {
        Kind::Partial => size(one).cmp(&size(two)),
        _ => Ordering::Equal,
    };
    sizes.then_with(|| one.tie().cmp(&two.tie()))
}

impl<I: Iterator<Item = io::Result<Candidate>>> Iterator for Sweep<I> {
    type Item = io::Result<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.end {
            match self.advance() {
                Ok(None) => {}
                Ok(Some(step)) => return Some(Ok(step)),
                Err(error) => {
                    self.at = self.end;
                    self.last = None;
                    return Some(Err(error));
                }
            }
        }
        self.finish().map(Ok)
    }
}

#[cfg(test)]
#[path = "best_tests.rs"]
mod tests;
