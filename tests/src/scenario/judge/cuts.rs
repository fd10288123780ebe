// SPDX-License-Identifier: MPL-2.0
//! Cuts by chance are exact: the frames of the range, in order, at their times, by ffmpeg.

use gstsegmenter::archive::Archive;
use gstsegmenter::cut::{self, FrameCache, Gaps, Request, Summary, Type};
use gstsegmenter::utc::UtcNs;

use super::Case;
use super::decoding::split;
use crate::cutting::judge::{Output, psnr_db};
use crate::cutting::played::{self, Played};
use crate::cutting::proof::write;
use crate::scenario::record::{STREAM, VARIANT};

/// How good pictures are that were encoded anew.
const LEAST_PSNR_DB: f64 = 38.0;
/// By how much a time may be off.
const ROUNDING_NS: i64 = 1_000_000;

/// A frame of the archive: when it was, and its place in the order shown.
type Frame = (i64, usize);

/// A range between frames, and those in it.
struct Range {
    start: UtcNs,
    end: UtcNs,
    frames: Vec<Frame>,
}

impl Case<'_> {
    /// All frames in the archive by time.
    fn archived(&self) -> Vec<Frame> {
        let places = self.places();
        let stored = self.segments.iter().flat_map(|segment| &segment.stored);
        let frame = |stored: &crate::scenario::seen::Stored| {
            Some((stored.utc_ns, *places.get(&stored.picture)?))
        };
        let mut frames: Vec<Frame> = stored.filter_map(frame).collect();
        frames.sort_unstable();
        frames
    }

    /// Ranges by chance, without a hole in them.
    fn ranges(&self) -> Vec<Range> {
        let (from, to) = self.range();
        let archive = Archive::open(&self.recording.root).expect("there are segments");
        let coverage = archive.coverage(STREAM, VARIANT, from, to);
        let holes = coverage.map(|coverage| coverage.holes).unwrap_or_default();
        let frames = self.archived();
        let mut random = fastrand::Rng::with_seed(self.scenario.seed ^ 0xc07);
        let mut ranges = Vec::new();
        for _ in 0..self.cuts * 20 {
            if frames.len() < 4 || ranges.len() == self.cuts {
                break;
            }
            let first = random.usize(1..frames.len() - 1);
            let last = random.usize(first + 1..frames.len());
            // Between frames, so that rounding does not decide.
            let between = |at: usize| UtcNs((frames[at - 1].0 + frames[at].0) / 2);
            let (start, end) = (between(first), between(last));
            let is_whole = holes
                .iter()
                .all(|hole| hole.to <= start || end <= hole.from);
            if is_whole && start < end {
                ranges.push(Range {
                    start,
                    end,
                    frames: frames[first..last].to_vec(),
                });
            }
        }
        ranges
    }

    /// Cuts that are not exact.
    pub(super) fn cuts(&self) -> Vec<String> {
        let ranges = self.ranges();
        let archive = Archive::open(&self.recording.root).expect("there are segments");
        let cache = FrameCache::default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut faults = Vec::new();
        for (number, range) in ranges.iter().enumerate() {
            for kind in [Type::Smart, Type::Copy, Type::Rough, Type::Full] {
                // Copies are of MP4 alone.
                let output = match number % 2 == 1 && kind != Type::Copy {
                    true => Output::Ts,
                    false => Output::Mp4,
                };
                let verdict = self.cut(&archive, &cache, range, kind, output, folder.path());
                if let Err(fault) = verdict {
                    let (start, end) = (range.start, range.end);
                    faults.push(format!("{kind} to {output:?} of [{start}, {end}): {fault}"));
                }
            }
        }
        faults
    }

    fn cut(
        &self,
        archive: &Archive,
        cache: &FrameCache,
        range: &Range,
        kind: Type,
        output: Output,
        folder: &std::path::Path,
    ) -> Result<(), String> {
        let request = Request {
            stream: STREAM.to_owned(),
            variant: VARIANT.to_owned(),
            ranges: vec![(range.start, range.end)],
            kind,
            allow_holes: false,
            gaps: Gaps::Close,
        };
        let cut = cut::compose(archive, cache, &request, &Default::default());
        let cut = cut.map_err(|error| error.to_string())?;
        let summary = cut.summary.clone();
        let path = folder.join(if output == Output::Ts {
            "cut.ts"
        } else {
            "cut.mp4"
        });
        write(cut, output, &path)?;
        let (_, played) = played::what_there_is(std::slice::from_ref(&path), folder).remove(0);
        if !played.said.is_empty() {
            let said = played.said.lines().next().unwrap_or_default();
            return Err(format!("ffmpeg says: {said}"));
        }
        match kind {
            Type::Rough => self.is_rough(range, &summary, &played),
            _ => self.is_exact(range, &summary, &played),
        }
    }

    /// Whole segments around the range: the camera's frames in a row, with those of the range.
    fn is_rough(&self, range: &Range, summary: &Summary, played: &Played) -> Result<(), String> {
        // Names tell microseconds, the summary nanoseconds.
        let within = summary.start.0 - ROUNDING_NS..summary.end.0 - ROUNDING_NS;
        let frames = self.archived();
        let expected = frames.iter().filter(|(utc_ns, _)| within.contains(utc_ns));
        let expected: Vec<Frame> = expected.copied().collect();
        let missing = range
            .frames
            .iter()
            .filter(|frame| !expected.contains(frame));
        let missing = missing.count();
        if missing > 0 {
            return Err(format!("{missing} frames of the range are not in it"));
        }
        self.shows(&expected, summary, played)
    }

    fn is_exact(&self, range: &Range, summary: &Summary, played: &Played) -> Result<(), String> {
        self.shows(&range.frames, summary, played)
    }

    fn shows(&self, expected: &[Frame], summary: &Summary, played: &Played) -> Result<(), String> {
        let (count, all) = (played.picture_times_ns.len(), expected.len());
        if count != all {
            return Err(format!("{count} frames are shown, not {all}"));
        }
        let told = summary.copied + summary.encoded;
        if told != all {
            return Err(format!("{told} frames are told of, not {all}"));
        }
        let places: Vec<usize> = expected.iter().map(|(_, place)| *place).collect();
        let pictures = split(&played.pictures, &places, &self.shown);
        let mut others = 0;
        for (picture, place) in pictures.iter().zip(&places) {
            let right = self.shown[*place].as_slice();
            if *picture == right {
                continue;
            }
            others += 1;
            let like_db = psnr_db(picture, right);
            if like_db < LEAST_PSNR_DB {
                return Err(format!(
                    "picture {place} is {like_db:.1} dB like the camera's"
                ));
            }
        }
        if others > summary.encoded {
            let encoded = summary.encoded;
            return Err(format!("{others} pictures differ, {encoded} were encoded"));
        }
        let start_ns = (expected[0].0, played.picture_times_ns[0]);
        for ((utc_ns, place), time_ns) in expected.iter().zip(&played.picture_times_ns) {
            let off_ns = (time_ns - start_ns.1) - (utc_ns - start_ns.0);
            if off_ns.abs() > ROUNDING_NS {
                return Err(format!("picture {place} is {} µs off", off_ns / 1000));
            }
        }
        Ok(())
    }
}
