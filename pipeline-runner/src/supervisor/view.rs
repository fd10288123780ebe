// SPDX-License-Identifier: MPL-2.0
//! What a person wants to know of one pipeline.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::machine::State;
use crate::worker::protocol::{ArchiveStats, Flow, Segment};

/// Rates are taken over so much of the recent past.
const WINDOW_MS: u64 = 5_000;

/// One pipeline, for people.
#[derive(Clone, Debug)]
pub struct View {
    /// Its place among the pipelines.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// The supervisor's time at which this was taken.
    pub now: Duration,
    /// The segment closed last, and when that was.
    pub last_segment: Option<(Segment, Duration)>,
    /// Segments closed since the supervisor started.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many times a worker was started anew.
    pub restarts: u64,
    /// The recording pauses for want of room.
    pub paused: bool,
    /// The archive's own account.
    pub archive: Option<ArchiveStats>,
    /// Where its segments go.
    folders: BTreeSet<PathBuf>,
    /// Readings of the present worker, the oldest first.
    flows: VecDeque<Flow>,
}

impl View {
    /// Nothing has happened yet.
    pub fn new(index: usize, name: &str) -> Self {
        Self {
            index,
            name: name.to_owned(),
            state: State::Pending { at: Duration::ZERO },
            now: Duration::ZERO,
            last_segment: None,
            segments: 0,
            bytes: 0,
            restarts: 0,
            paused: false,
            archive: None,
            folders: BTreeSet::new(),
            flows: VecDeque::new(),
        }
    }

    /// Another worker begins.
    pub fn worker_started(&mut self, again: bool) {
        self.flows.clear();
        self.paused = false;
        self.restarts += u64::from(again);
    }

    /// Takes a worker's reading; returns where the archive's times come from, if that changed.
    pub fn flow(&mut self, flow: &Flow) -> Option<String> {
        let source_of = |stats: &ArchiveStats| stats.time_source.clone();
        let before = self.archive.as_ref().map(source_of);
        if flow.archive.is_some() {
            self.archive.clone_from(&flow.archive);
        }
        self.flows.push_back(flow.clone());
        let horizon = flow.uptime_ms.saturating_sub(WINDOW_MS);
        while self.flows.len() > 2 && self.flows.get(1).is_some_and(|f| f.uptime_ms <= horizon) {
            self.flows.pop_front();
        }
        let now = flow.archive.as_ref().map(source_of);
        now.filter(|now| !now.is_empty() && before.as_ref() != Some(now))
    }

    /// Takes a closed segment.
    pub fn segment(&mut self, segment: Segment, now: Duration) {
        self.segments += 1;
        self.bytes = self.bytes.saturating_add(segment.bytes);
        self.last_segment = Some((segment, now));
    }

    /// Its segments go into `folder`.
    pub fn records_into(&mut self, folder: PathBuf) {
        self.folders.insert(folder);
    }

    /// Whether a segment is one of its.
    pub fn records(&self, segment: &Path) -> bool {
        self.folders
            .iter()
            .any(|folder| segment.starts_with(folder))
    }

    /// A segment was closed in place of a worker that could not.
    pub fn recovered(&mut self, bytes: u64) {
        self.segments += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Pictures recorded per second; none where there are no pictures.
    pub fn frames_per_second(&self) -> Option<f64> {
        self.flows.back().filter(|flow| flow.frames > 0)?;
        self.rate(|flow| flow.frames)
    }

    /// How many buffers came while nothing was recorded yet.
    pub fn unrecorded(&self) -> Option<u64> {
        let last = self.flows.back().filter(|flow| flow.buffers == 0)?;
        (last.arrived > 0).then_some(last.arrived)
    }

    /// Bits per second of what is recorded.
    pub fn bits_per_second(&self) -> Option<f64> {
        self.rate(|flow| flow.bytes).map(|bytes| bytes * 8.0)
    }

    fn rate(&self, count: impl Fn(&Flow) -> u64) -> Option<f64> {
        let (first, last) = (self.flows.front()?, self.flows.back()?);
        let ms = last.uptime_ms.saturating_sub(first.uptime_ms);
        let counted = count(last).saturating_sub(count(first));
        (ms > 0).then(|| counted as f64 * 1000.0 / ms as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(uptime_ms: u64, frames: u64) -> Flow {
        Flow {
            uptime_ms,
            frames,
            bytes: frames * 1000,
            ..Flow::default()
        }
    }

    #[test]
    fn rates_follow_the_last_five_seconds() {
        let mut view = View::new(0, "cam");
        for second in 0..100 {
            view.flow(&flow(second * 1000, second * 10));
        }
        assert_eq!(view.frames_per_second(), Some(10.0));
        for second in 0..=5 {
            view.flow(&flow((100 + second) * 1000, 1000 + second * 30));
        }
        assert_eq!(view.frames_per_second(), Some(30.0));
        assert_eq!(view.bits_per_second(), Some(30.0 * 8000.0));
    }

    #[test]
    fn a_new_worker_counts_from_zero_and_makes_no_negative_rate() {
        let mut view = View::new(0, "cam");
        view.flow(&flow(1000, 1000));
        view.worker_started(true);
        view.flow(&flow(0, 0));
        assert_eq!(view.bits_per_second(), None);
        view.flow(&flow(1000, 25));
        assert_eq!(view.frames_per_second(), Some(25.0));
        assert_eq!(view.restarts, 1);
    }

    #[test]
    fn audio_alone_has_a_bit_rate_and_no_frame_rate() {
        let mut view = View::new(0, "mic");
        view.flow(&flow(0, 0));
        view.flow(&Flow {
            bytes: 16_000,
            ..flow(1000, 0)
        });
        assert_eq!(view.frames_per_second(), None);
        assert_eq!(view.bits_per_second(), Some(128_000.0));
    }
}
