// SPDX-License-Identifier: MPL-2.0
//! What to check, one hour's folder in memory at a time.

use std::collections::VecDeque;
use std::io;

use gstsegmenter::archive::{Archive, Kind, MAX_REACH_NS, Segment, Stray};
use gstsegmenter::utc::{HOUR_NS, UtcNs};

/// Something in the archive.
#[derive(Debug)]
pub(super) enum Item {
    /// A segment that is closed.
    Segment(Segment),
    /// A segment that is growing, or was left by a crash.
    Temp(Segment),
    /// A file that is no segment.
    Stray(Stray),
    /// A folder that cannot be read.
    Unreadable(io::Error),
}

/// Everything in some variants that touches a range.
pub(super) struct Selection<'a> {
    archive: &'a Archive,
    variants: std::slice::Iter<'a, (String, String)>,
    from: UtcNs,
    to: UtcNs,
    /// The variant at hand and its hours still to come.
    hours: Option<(&'a str, &'a str, std::vec::IntoIter<UtcNs>)>,
    ready: VecDeque<Item>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(
        archive: &'a Archive,
        variants: &'a [(String, String)],
        (from, to): (Option<UtcNs>, Option<UtcNs>),
    ) -> Self {
        Self {
            archive,
            variants: variants.iter(),
            from: from.unwrap_or(UtcNs(i64::MIN)),
            to: to.unwrap_or(UtcNs(i64::MAX)),
            hours: None,
            ready: VecDeque::new(),
        }
    }

    /// How many closed segments there are to check.
    pub(super) fn segments(self) -> u64 {
        self.filter(|item| matches!(item, Item::Segment(_))).count() as u64
    }

    /// Reads the next hour's folder, or goes on to the next variant; `None` at the end.
    fn advance(&mut self) -> Option<()> {
        let Some((stream, variant, hours)) = &mut self.hours else {
            let (stream, variant) = self.variants.next()?;
            match self.archive.hours(stream, variant) {
                Ok(hours) => self.hours = Some((stream, variant, hours.into_iter())),
                Err(error) => self.ready.push_back(Item::Unreadable(error)),
            }
            return Some(());
        };
        let (stream, variant) = (*stream, *variant);
        match hours.next() {
            None => self.hours = None,
            Some(hour) if hour >= self.to || hour + HOUR_NS + MAX_REACH_NS <= self.from => {}
            Some(hour) => self.read(stream, variant, hour),
        }
        Some(())
    }

    fn read(&mut self, stream: &str, variant: &str, hour: UtcNs) {
        match self.archive.segments(stream, variant, hour) {
            Ok(segments) => {
                let (from, to) = (self.from, self.to);
                let touches = |segment: &Segment| {
                    let start = segment.name.start;
                    start < to && (segment.end() > from || start >= from)
                };
                let wanted = segments.into_iter().filter(touches);
                self.ready
                    .extend(wanted.map(|segment| match segment.name.kind {
                        Kind::Temp => Item::Temp(segment),
                        _ => Item::Segment(segment),
                    }));
            }
            Err(error) => self.ready.push_back(Item::Unreadable(error)),
        }
        // Nothing says when a stray was; it counts as from its folder's hour.
        if hour < self.to && hour + HOUR_NS > self.from {
            let strays = self.archive.strays(stream, variant, hour);
            let strays = strays.unwrap_or_default().into_iter();
            self.ready.extend(strays.map(Item::Stray));
        }
    }
}

impl Iterator for Selection<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.ready.is_empty() {
            self.advance()?;
        }
        self.ready.pop_front()
    }
}
