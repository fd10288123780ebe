// SPDX-License-Identifier: MPL-2.0
//! The samples of a cut, to be read in any order.
//!
//! This is the one place where samples become buffers: whatever makes samples in another way (a
//! cut that encodes while it is played) comes in here.

use std::io;

use super::presentation::{Leg, Presentation, pts_ns};
use crate::cut::stretch::ticks_ns;
use crate::cut::{Cut, Summary};
use crate::media::OpenFiles;
use crate::media::assembly::{Assembly, AssemblySample, AssemblyTrack, Edit};
use crate::utc::UtcNs;

/// A cut that can be played.
pub struct Reel {
    assembly: Assembly,
    /// What there is to say of it.
    pub summary: Summary,
    /// When what is shown.
    pub presentation: Presentation,
    files: OpenFiles,
}

impl Reel {
    /// That of a cut.
    pub fn new(cut: Cut) -> Self {
        Self {
            presentation: Presentation::new(&cut.assembly),
            assembly: cut.assembly,
            summary: cut.summary,
            files: OpenFiles::default(),
        }
    }

    /// Its tracks.
    pub fn tracks(&self) -> &[AssemblyTrack] {
        &self.assembly.tracks
    }

    /// The wall-clock time of the presentation's beginning, which tells that of all the rest where
    /// nothing is missing.
    pub fn zero(&self) -> Option<UtcNs> {
        let is_whole = self.summary.holes.is_empty();
        is_whole.then_some(self.summary.start)
    }

    /// The legs of track `number` in `[from, to)` of the presentation.
    pub fn legs(&self, number: usize, from_ns: i64, to_ns: i64) -> Vec<Leg> {
        let track = self.assembly.tracks.get(number);
        track.map_or_else(Vec::new, |track| {
            self.presentation.legs(track, number, from_ns..to_ns)
        })
    }

    /// A sample.
    pub fn sample(&self, track: usize, number: usize) -> Option<&AssemblySample> {
        self.assembly.tracks.get(track)?.samples.get(number)
    }

    /// The stamps of a sample.
    pub fn stamps(&self, track: usize, sample: &AssemblySample) -> Stamps {
        let Some(track) = self.assembly.tracks.get(track) else {
            return Stamps::default();
        };
        let ns = |ticks: i64| {
            ticks_ns(ticks, track.timescale).saturating_add(self.presentation.offset_ns)
        };
        Stamps {
            pts_ns: pts_ns(track, sample).saturating_add(self.presentation.offset_ns),
            dts_ns: ns(sample.dts),
            // From time to time, so that roundings do not make frames overlap.
            end_ns: ns(sample.pts.saturating_add(sample.duration.into())),
        }
    }

    /// How many pictures a second track `number` shows on average; `None` for sound.
    pub fn frame_rate(&self, number: usize) -> Option<gst::Fraction> {
        let track = self.assembly.tracks.get(number)?;
        let is_shown = |sample: &&AssemblySample| {
            let shows = |edit: &Edit| {
                let from = edit.pts?;
                Some((from..edit.end()?).contains(&sample.pts))
            };
            track.edits.iter().any(|edit| shows(edit) == Some(true))
        };
        let shown = track.samples.iter().filter(is_shown).count();
        let presented = i64::try_from(track.presented_ticks()).ok()?;
        let average_ns = ticks_ns(presented, track.timescale).checked_div(shown as i64)?;
        let average_ns = u64::try_from(average_ns).ok().filter(|_| track.is_video)?;
        let average = gst::ClockTime::from_nseconds(average_ns);
        gst_video::guess_framerate(average).filter(|rate| rate.numer() > 0)
    }

    /// Reads a sample.
    ///
    /// # Errors
    /// Which segment cannot be read, and why.
    pub fn read(&self, sample: &AssemblySample) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.files.read(&self.assembly, sample, &mut bytes)?;
        Ok(bytes)
    }
}

/// The times of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When it is shown.
    pub pts_ns: i64,
    /// When it is decoded.
    pub dts_ns: i64,
    /// Until when it is shown.
    pub end_ns: i64,
}
