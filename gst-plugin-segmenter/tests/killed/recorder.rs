// SPDX-License-Identifier: MPL-2.0
//! The process that is killed: a live camera with sound into `archivesink`.

use std::io::Write;

use gst::prelude::*;
use gstsegmenter::utc::UtcNs;

use super::readback::STREAM;

/// The first argument that makes the program this process.
pub const ARGUMENT: &str = "--record";

/// What a frame shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

/// A frame that is about to enter the sink.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    pub track: Track,
    pub pts_ns: i64,
    /// When it was received.
    pub at: UtcNs,
}

impl Received {
    /// Bytes of a record in the pipe.
    pub const BYTES: usize = 17;

    fn encode(&self) -> [u8; Self::BYTES] {
        let mut record = [0; Self::BYTES];
        record[0] = u8::from(self.track == Track::Audio);
        record[1..9].copy_from_slice(&self.pts_ns.to_le_bytes());
        record[9..].copy_from_slice(&self.at.0.to_le_bytes());
        record
    }

    /// Reads a record.
    pub fn decode(record: &[u8]) -> Self {
        let number = |at: usize| {
            let bytes: [u8; 8] = record[at..at + 8].try_into().expect("eight bytes");
            i64::from_le_bytes(bytes)
        };
        Self {
            track: if record[0] == 0 {
                Track::Video
            } else {
                Track::Audio
            },
            pts_ns: number(1),
            at: UtcNs(number(9)),
        }
    }
}

/// Records into a folder, in a container, until it is killed.
pub fn record(arguments: &[String]) {
    let [root, container] = arguments else {
        panic!("a folder and a container");
    };
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let line = format!(
        "archivesink name=sink location={root} stream={STREAM} container={container} \
           target-duration=1000000000 \
         videotestsrc is-live=true pattern=ball \
         ! video/x-raw,format=I420,width=160,height=96,framerate=25/1 \
         ! x264enc key-int-max=250 speed-preset=ultrafast tune=zerolatency ! h264parse ! sink.video \
         audiotestsrc is-live=true samplesperbuffer=480 \
         ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! aacparse ! sink.audio_0"
    );
    let pipeline = gst::parse::launch(&line).expect("the elements are installed");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("many elements");
    let sink = pipeline.by_name("sink").expect("named above");
    for (name, track) in [("video", Track::Video), ("audio_0", Track::Audio)] {
        tell_of(&sink.static_pad(name).expect("linked above"), track);
    }
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has one");
    let error = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Error]);
    panic!("{error:?}");
}

fn tell_of(pad: &gst::Pad, track: Track) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(pts) = info.buffer().and_then(|buffer| buffer.pts()) {
            let received = Received {
                track,
                pts_ns: i64::try_from(pts.nseconds()).expect("no stream is that long"),
                at: UtcNs::now(),
            };
            let mut pipe = std::io::stdout().lock();
            let told = pipe
                .write_all(&received.encode())
                .and_then(|()| pipe.flush());
            told.expect("the parent listens");
        }
        gst::PadProbeReturn::Ok
    });
}
