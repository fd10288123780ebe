// SPDX-License-Identifier: MPL-2.0
//! What there is of a range, and what is missing.
//!
//! The walk is the one that chooses segments ([`super::best`]), so what coverage promises is what a
//! cut gets; beyond that it counts what is still growing, and notes what was recorded twice.

use std::io;

use super::best::{Step, Sweep, TOLERANCE_NS};
use super::listing::Segment;
use super::name::Kind;
use super::read::{Archive, Candidate, GrowingNs};
use crate::utc::UtcNs;

/// A part of a range, from its first moment to the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first moment.
    pub from: UtcNs,
    /// The moment after the last.
    pub to: UtcNs,
}

impl Span {
    /// How long it is, in nanoseconds.
    pub fn duration_ns(self) -> i64 {
        self.to - self.from
    }
}

/// A part of a range that is there, in one quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// When.
    pub span: Span,
    /// The kind of all segments that were chosen for it; [`Kind::Temp`] is still growing.
    pub kind: Kind,
    /// How many those are.
    pub segments: u64,
}

/// What there is of a range. `covered_ns` and `missing_ns` are together `total_ns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// What was asked for.
    pub range: Span,
    /// How long that is.
    pub total_ns: i64,
    /// How much of it is there, in any quality.
    pub covered_ns: i64,
    /// How much of it is not.
    pub missing_ns: i64,
    /// What is there, in order; neighbours that touch differ in kind.
    pub ranges: Vec<Covered>,
    /// What is missing, in order, none touching another.
    pub holes: Vec<Span>,
    /// What was recorded more than once, in order: by two writers, or because a clock was set back.
    pub overlaps: Vec<Span>,
    /// The moments at which what follows does not carry on where what was there ended: behind
    /// holes, and where one recording is left for another.
    pub discontinuities: Vec<UtcNs>,
}

impl Coverage {
    /// How much is there in one quality, in nanoseconds.
    pub fn kind_ns(&self, kind: Kind) -> i64 {
        let of_kind = self.ranges.iter().filter(|range| range.kind == kind);
        of_kind.map(|range| range.span.duration_ns()).sum()
    }
}

impl Archive {
    /// What there is of `[from, to)`. What is growing counts for as long as it is meant to become,
    /// but not beyond now.
    ///
    /// # Errors
    /// As [`best`](Self::best).
    pub fn coverage(
        &self,
        stream: &str,
        variant: &str,
        from: UtcNs,
        to: UtcNs,
    ) -> io::Result<Coverage> {
        let now = UtcNs::now();
        let growing_ns = |segment: &Segment| segment.name.duration_ns.min(now - segment.name.start);
        self.coverage_with(stream, variant, from, to, &growing_ns)
    }

    /// As [`coverage`](Self::coverage), but `growing_ns` says how long what is growing lasts by now.
    ///
    /// # Errors
    /// As [`best`](Self::best).
    pub fn coverage_with(
        &self,
        stream: &str,
        variant: &str,
        from: UtcNs,
        to: UtcNs,
        growing_ns: &GrowingNs<'_>,
    ) -> io::Result<Coverage> {
        let to = to.max(from);
        let around_ns = TOLERANCE_NS + 1;
        let (first, last) = (from - around_ns, to + around_ns);
        let range = Span { from, to };
        let mut overlaps = Overlaps::new(range);
        let source = self
            .candidates(stream, variant, first, last, Some(growing_ns))?
            .inspect(|candidate| overlaps.note(candidate));
        let mut tally = Tally::new(range);
        for step in Sweep::new(source, from, to) {
            tally.add(&step?);
        }
        let mut coverage = tally.coverage;
        coverage.missing_ns = coverage.total_ns - coverage.covered_ns;
        coverage.overlaps = overlaps.spans;
        Ok(coverage)
    }
}

/// Adds up the steps of a walk.
struct Tally {
    coverage: Coverage,
}

impl Tally {
    fn new(range: Span) -> Self {
        Self {
            coverage: Coverage {
                range,
                total_ns: range.duration_ns(),
                covered_ns: 0,
                missing_ns: 0,
                ranges: Vec::new(),
                holes: Vec::new(),
                overlaps: Vec::new(),
                discontinuities: Vec::new(),
            },
        }
    }

    fn add(&mut self, step: &Step) {
        match *step {
            Step::Hole { from, to } => self.add_hole(Span { from, to }),
            Step::Use {
                ref candidate,
                from,
                to,
                joins,
            } => {
                if !joins && from > self.coverage.range.from {
                    self.coverage.discontinuities.push(from);
                }
                self.add_range(Span { from, to }, candidate.kind);
            }
        }
    }

    fn add_hole(&mut self, span: Span) {
        match self.coverage.holes.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => self.coverage.holes.push(span),
        }
    }

    fn add_range(&mut self, span: Span, kind: Kind) {
        let covered_ns = &mut self.coverage.covered_ns;
        *covered_ns = covered_ns.saturating_add(span.duration_ns());
        match self.coverage.ranges.last_mut() {
            Some(last) if last.span.to == span.from && last.kind == kind => {
                last.span.to = span.to;
                last.segments += 1;
            }
            _ => self.coverage.ranges.push(Covered {
                span,
                kind,
                segments: 1,
            }),
        }
    }
}

/// What more than one segment holds, of segments that come sorted by start.
struct Overlaps {
    range: Span,
    latest_end: Option<UtcNs>,
    spans: Vec<Span>,
}

impl Overlaps {
    fn new(range: Span) -> Self {
        Self {
            range,
            latest_end: None,
            spans: Vec::new(),
        }
    }

    fn note(&mut self, candidate: &io::Result<Candidate>) {
        // Nobody knows yet how long what is growing really is.
        let Ok(candidate) = candidate else { return };
        if candidate.kind == Kind::Temp {
            return;
        }
        let latest_end = self.latest_end.unwrap_or(candidate.start);
        self.latest_end = Some(latest_end.max(candidate.end));
        let twice_until = latest_end.min(candidate.end);
        if twice_until - candidate.start <= TOLERANCE_NS {
            return;
        }
        let span = Span {
            from: candidate.start.max(self.range.from),
            to: twice_until.min(self.range.to),
        };
        if span.from >= span.to {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if span.from <= last.to + TOLERANCE_NS => last.to = last.to.max(span.to),
            _ => self.spans.push(span),
        }
    }
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
