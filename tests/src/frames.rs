// SPDX-License-Identifier: MPL-2.0
//! The encoded frames of a file, as a camera would send them and as a test wants to compare them.
//!
//! Read through GStreamer's own demuxers and parsers, never through the code under test. Frames of
//! one picture are wrapped differently by every container (start codes or lengths, parameter sets
//! in or out of band, delimiters), so pictures are compared by [`Frame::picture`], a hash of the
//! coded slices alone.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use sha2::{Digest, Sha256};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264, byte stream, one access unit per frame.
    H264,
    /// H.265, byte stream, one access unit per frame.
    H265,
    /// AAC without ADTS.
    Aac,
    /// Opus.
    Opus,
    /// G.711 A-law.
    Alaw,
}

impl Codec {
    /// What these caps describe, if it is one of those here.
    pub fn of(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            "audio/mpeg" => Some(Self::Aac),
            "audio/x-opus" => Some(Self::Opus),
            "audio/x-alaw" => Some(Self::Alaw),
            _ => None,
        }
    }

    /// Whether the track is video.
    pub fn is_video(self) -> bool {
        matches!(self, Self::H264 | Self::H265)
    }

    /// The parser that brings the track into the form named at the variant.
    fn parser(self) -> &'static str {
        match self {
            Self::H264 => {
                "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
            }
            Self::H265 => {
                "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au"
            }
            Self::Aac => "aacparse ! audio/mpeg,stream-format=raw",
            Self::Opus => "opusparse",
            Self::Alaw => "identity",
        }
    }

    /// The hash of what is seen or heard in `data`, which is in the form named at the variant.
    ///
    /// For video the coded slices only: NAL units 1 to 5 of H.264 (ITU-T H.264 table 7-1) and 0 to
    /// 31 of H.265 (ITU-T H.265 table 7-1).
    pub fn picture(self, data: &[u8]) -> Hash {
        let mut hash = Sha256::new();
        match self {
            Self::H264 | Self::H265 => {
                for unit in nal_units(data) {
                    let Some(&header) = unit.first() else {
                        continue;
                    };
                    let coded = match self {
                        Self::H264 => (1..=5).contains(&(header & 0x1f)),
                        _ => (header >> 1) & 0x3f < 32,
                    };
                    if coded {
                        hash.update(unit);
                    }
                }
            }
            Self::Aac | Self::Opus | Self::Alaw => hash.update(data),
        }
        Hash(hash.finalize().into())
    }
}

/// A SHA-256, printed by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The NAL units of a byte stream, without start codes and trailing zeros (ITU-T H.264 Annex B).
pub fn nal_units(data: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..data.len().saturating_sub(2))
        .filter(|&at| data[at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let trim = |unit: &'_ [u8]| {
        unit.iter()
            .rposition(|&b| b != 0)
            .map_or(0, |last| last + 1)
    };
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &data[start + 3..end])
        .map(|unit| &unit[..trim(unit)])
        .collect()
}

/// One encoded frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Presentation time, from the first frame shown in the file.
    pub pts_ns: i64,
    /// How long it lasts, where the file says.
    pub duration_ns: Option<u64>,
    /// Whether decoding may start here.
    pub keyframe: bool,
    /// The bytes, in the form named at [`Codec`].
    pub data: gst::Buffer,
}

impl Frame {
    /// The frame's bytes.
    pub fn bytes(&self) -> gst::BufferMap<'_, gst::buffer::Readable> {
        self.data.map_readable().expect("frames are in memory")
    }
}

/// One track of a file: its frames in decoding order.
#[derive(Clone, Debug)]
pub struct Track {
    /// What it carries.
    pub codec: Codec,
    /// As GStreamer describes it.
    pub caps: gst::Caps,
    /// In decoding order.
    pub frames: Vec<Frame>,
}

impl Track {
    /// The hash of what is seen or heard in each frame, in decoding order.
    pub fn pictures(&self) -> Vec<Hash> {
        self.frames
            .iter()
            .map(|frame| self.codec.picture(&frame.bytes()))
            .collect()
    }

    /// When the last frame shown ends, from the first frame shown in the file.
    pub fn end_ns(&self) -> i64 {
        let mut times: Vec<i64> = self.frames.iter().map(|frame| frame.pts_ns).collect();
        times.sort_unstable();
        match times[..] {
            [] => 0,
            [only] => only,
            [.., before, last] => last + (last - before),
        }
    }
}

/// Reads every track of a file that [`Codec`] knows, with times that start at zero.
///
/// # Panics
/// When GStreamer cannot read the file, with what it said.
pub fn read(path: &Path) -> Vec<Track> {
    gst::init().expect("GStreamer starts");
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("filesrc")
        .property("location", path)
        .build()
        .expect("filesrc");
    let parse = gst::ElementFactory::make("parsebin")
        .build()
        .expect("parsebin");
    pipeline
        .add_many([&source, &parse])
        .expect("a new pipeline");
    source.link(&parse).expect("filesrc to parsebin");

    let tracks: Arc<Mutex<Vec<Track>>> = Arc::default();
    let found = tracks.clone();
    let weak = pipeline.downgrade();
    parse.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = weak.upgrade() {
            collect(&pipeline, pad, &found);
        }
    });
    run(&pipeline, path);
    let mut tracks = std::mem::take(&mut *tracks.lock().expect("no panic while collecting"));
    tracks.sort_by_key(|track| !track.codec.is_video());
    rebase(&mut tracks);
    tracks
}

/// Links a pad of the demuxer to a sink that collects its frames.
fn collect(pipeline: &gst::Pipeline, pad: &gst::Pad, tracks: &Arc<Mutex<Vec<Track>>>) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let codec = Codec::of(&caps);
    let parser = codec.map_or("identity", Codec::parser);
    let description = format!(
        "queue max-size-bytes=0 max-size-time=0 max-size-buffers=0 ! {parser} ! appsink name=sink sync=false"
    );
    let bin = gst::parse::bin_from_description(&description, true).expect("parsers are installed");
    let sink = bin
        .by_name("sink")
        .and_downcast::<gst_app::AppSink>()
        .expect("it is in the text");
    if let Some(codec) = codec {
        let index = {
            let mut tracks = tracks.lock().expect("no panic while collecting");
            tracks.push(Track {
                codec,
                caps,
                frames: Vec::new(),
            });
            tracks.len() - 1
        };
        let tracks = tracks.clone();
        let take = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let (Some(frame), Some(caps)) = (frame(&sample), sample.caps()) {
                let mut tracks = tracks.lock().expect("no panic while collecting");
                tracks[index].caps = caps.to_owned();
                tracks[index].frames.push(frame);
            }
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(take)
                .build(),
        );
    } else {
        sink.set_property("drop", true);
        sink.set_property("max-buffers", 1u32);
    }
    pipeline.add(&bin).expect("a new bin");
    bin.sync_state_with_parent().expect("parsers start");
    pad.link(&bin.static_pad("sink").expect("a queue's pad"))
        .expect("parser takes the track");
}

/// The frame in a sample; its time is the signed running time, since an edit list may begin the
/// segment after the first decoding time.
fn frame(sample: &gst::Sample) -> Option<Frame> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let pts_ns = match segment.to_running_time_full(buffer.pts()?)? {
        gst::Signed::Positive(time) => i64::try_from(time.nseconds()).ok()?,
        gst::Signed::Negative(time) => -i64::try_from(time.nseconds()).ok()?,
    };
    Some(Frame {
        pts_ns,
        duration_ns: buffer.duration().map(gst::ClockTime::nseconds),
        keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        data: buffer.copy_deep().ok()?,
    })
}

fn run(pipeline: &gst::Pipeline, path: &Path) {
    pipeline
        .set_state(gst::State::Playing)
        .expect("a file can be opened");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &wanted);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline stops");
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => (),
        Some(gst::MessageView::Error(error)) => {
            panic!(
                "GStreamer cannot read {}: {} ({:?})",
                path.display(),
                error.error(),
                error.debug()
            )
        }
        _ => panic!(
            "GStreamer did not finish reading {} within 120 s",
            path.display()
        ),
    }
}

/// Shifts all tracks together so that the first frame shown is at zero.
fn rebase(tracks: &mut [Track]) {
    let frames = || tracks.iter().flat_map(|track| &track.frames);
    let first = frames().map(|frame| frame.pts_ns).min().unwrap_or(0);
    for frame in tracks.iter_mut().flat_map(|track| &mut track.frames) {
        frame.pts_ns -= first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_the_same_with_and_without_parameter_sets_and_whatever_the_start_codes() {
        let bare = [0, 0, 1, 0x65, 9, 8, 7];
        let dressed = [
            0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 9, 8,
            7,
        ];
        let other = [0, 0, 1, 0x65, 9, 8, 6];
        let picture = |data: &[u8]| Codec::H264.picture(data);
        assert_eq!(picture(&bare), picture(&dressed));
        assert_ne!(picture(&bare), picture(&other));
    }
}
