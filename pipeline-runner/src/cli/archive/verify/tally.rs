// SPDX-License-Identifier: MPL-2.0
//! What is noted of a segment while it is decoded, and what that means.

use super::check::{Check, Problem, Times};

/// Complaints of one segment beyond this are only counted.
const MOST_COMPLAINTS: usize = 3;

/// What is noted of a segment while it is decoded.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What decoders said, without repetition.
    complaints: Vec<String>,
    more_complaints: u64,
    /// Frames that came out marked as damaged.
    corrupted: u64,
    /// Access units that went into video decoders.
    pub(super) coded: u64,
    /// Frames that came out of them.
    pub(super) pictures: u64,
    /// Caps that nothing here decodes.
    pub(super) unknown: Vec<String>,
    outputs: Vec<Output>,
}

/// What came out of `decodebin` for one stream, in running time.
#[derive(Clone, Copy, Debug, Default)]
struct Output {
    is_video: bool,
    frames: u64,
    start_ns: i64,
    end_ns: i64,
    last_ns: i64,
}

impl Tally {
    /// Takes what a decoder said.
    pub(super) fn complain(&mut self, message: &str) {
        let message = message.trim();
        if self.complaints.iter().any(|known| known == message) {
            return;
        }
        match self.complaints.len() < MOST_COMPLAINTS {
            true => self.complaints.push(message.to_owned()),
            false => self.more_complaints += 1,
        }
    }

    /// A stream that comes out of `decodebin`; returns its number.
    pub(super) fn add_output(&mut self, is_video: bool) -> usize {
        self.outputs.push(Output {
            is_video,
            ..Output::default()
        });
        self.outputs.len() - 1
    }

    /// Takes a decoded frame; what its segment hides of it does not count.
    pub(super) fn note(
        &mut self,
        number: usize,
        buffer: &gst::BufferRef,
        segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
    ) {
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            self.corrupted += 1;
        }
        let (Some(segment), Some(pts)) = (segment, buffer.pts()) else {
            return;
        };
        let end = buffer
            .duration()
            .map(|duration| pts.saturating_add(duration));
        let Some((start, end)) = segment.clip(pts, end.unwrap_or(pts)) else {
            return;
        };
        let ns = |time: Option<gst::ClockTime>| {
            let running = segment.to_running_time(time?)?;
            i64::try_from(running.nseconds()).ok()
        };
        let (Some(start_ns), Some(end_ns)) = (ns(start), ns(end)) else {
            return;
        };
        let Some(output) = self.outputs.get_mut(number) else {
            return;
        };
        if output.frames == 0 || start_ns < output.start_ns {
            output.start_ns = start_ns;
        }
        if output.frames == 0 || end_ns > output.end_ns {
            (output.end_ns, output.last_ns) = (end_ns, end_ns - start_ns);
        }
        output.frames += 1;
    }

    /// When what came out is shown.
    pub(super) fn times(&self) -> Times {
        let all = || self.outputs.iter().filter(|output| output.frames > 0);
        let pictures = all().find(|output| output.is_video);
        let start_ns = all().map(|output| output.start_ns).min().unwrap_or(0);
        let end_ns = all().map(|output| output.end_ns).max().unwrap_or(0);
        Times {
            pictures_ns: pictures.map(|output| output.end_ns - output.start_ns),
            all_ns: end_ns - start_ns,
            frame_ns: all().map(|output| output.last_ns).max().unwrap_or(0),
            start: None,
        }
    }

    /// What nothing here decodes; data beside pictures and sound need no decoder.
    pub(super) fn undecodable(&self) -> Vec<Problem> {
        let of_media = |name: &&String| name.starts_with("video/") || name.starts_with("audio/");
        let message = |name: &String| format!("GStreamer has no decoder for {name} here");
        let messages = self.unknown.iter().filter(of_media).map(message);
        messages
            .map(|message| Problem::new(Check::Decoder, message))
            .collect()
    }

    /// Calls `wrong` with each thing that is; `expected` pictures were to come out.
    pub(super) fn explain(&self, is_whole: bool, expected: u64, wrong: &mut impl FnMut(String)) {
        for complaint in &self.complaints {
            wrong(format!("a decoder says: {complaint}"));
        }
        if self.more_complaints > 0 {
            wrong(format!("and {} complaints more", self.more_complaints));
        }
        if self.corrupted > 0 {
            wrong(format!("{} frames came out damaged", self.corrupted));
        }
        if is_whole && self.pictures < expected {
            let lost = expected - self.pictures;
            wrong(format!(
                "{lost} of {expected} pictures did not come out of the decoder"
            ));
        }
    }
}
