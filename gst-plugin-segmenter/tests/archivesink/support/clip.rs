// SPDX-License-Identifier: MPL-2.0
//! Encoded material, made once by GStreamer's own encoders when a test asks for it.

use std::path::Path;

use gst::prelude::*;

/// One encoded frame; times count from the first frame shown.
#[derive(Clone, Debug)]
pub struct Frame {
    pub buffer: gst::Buffer,
    pub pts_ns: i64,
    pub dts_ns: Option<i64>,
    pub duration_ns: Option<i64>,
}

impl Frame {
    /// The frame, moved in time.
    pub fn later(&self, ns: i64) -> Self {
        Self {
            pts_ns: self.pts_ns + ns,
            dts_ns: self.dts_ns.map(|dts_ns| dts_ns + ns),
            ..self.clone()
        }
    }
}

/// One encoded stream, in decoding order.
#[derive(Clone, Debug)]
pub struct Clip {
    pub caps: gst::Caps,
    pub frames: Vec<Frame>,
}

impl Clip {
    /// What comes out of a launch line, such as `videotestsrc num-buffers=25 ! x264enc ! h264parse`.
    pub fn from_launch(line: &str) -> Self {
        gst::init().expect("GStreamer starts");
        let line = format!("{line} ! appsink name=out sync=false");
        let pipeline = gst::parse::launch(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let pipeline = pipeline
            .downcast::<gst::Pipeline>()
            .expect("several elements");
        let out = pipeline
            .by_name("out")
            .and_downcast::<gst_app::AppSink>()
            .expect("named above");
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let mut caps = None;
        let mut frames = Vec::new();
        while let Ok(sample) = out.pull_sample() {
            caps = sample.caps_owned();
            frames.extend(frame(&sample));
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
        let first_ns = frames.iter().map(|frame| frame.pts_ns).min();
        let first_ns = first_ns.unwrap_or_else(|| panic!("nothing came out of {line}"));
        Self {
            caps: caps.expect("a sample has caps"),
            frames: frames.iter().map(|frame| frame.later(-first_ns)).collect(),
        }
    }

    /// H.264 without B-frames, 160x96 at 25 frames per second, a keyframe each second.
    pub fn h264(seconds: u32) -> Self {
        Self::h264_sized(seconds, 160, 96)
    }

    /// As [`h264`](Self::h264), of another size.
    pub fn h264_sized(seconds: u32, width: u32, height: u32) -> Self {
        let frames = seconds * 25;
        Self::from_launch(&format!(
            "videotestsrc num-buffers={frames} pattern=ball \
             ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 \
             ! x264enc key-int-max=25 speed-preset=ultrafast tune=zerolatency \
             ! h264parse ! video/x-h264,stream-format=avc,alignment=au"
        ))
    }

    /// H.264 with a pyramid of three B-frames in closed GOPs of one second.
    pub fn h264_pyramid(seconds: u32) -> Self {
        Self::pictures(
            seconds,
            "x264enc key-int-max=25 bframes=3 b-adapt=false b-pyramid=true speed-preset=veryfast \
               option-string=open-gop=0:scenecut=0:min-keyint=25 \
             ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
        )
    }

    /// 160x96 at 25 frames per second, encoded by a part of a launch line.
    pub fn pictures(seconds: u32, encoder: &str) -> Self {
        let frames = seconds * 25;
        Self::from_launch(&format!(
            "videotestsrc num-buffers={frames} pattern=ball \
             ! video/x-raw,format=I420,width=160,height=96,framerate=25/1 ! {encoder}"
        ))
    }

    /// A sine in mono, encoded by a part of a launch line.
    pub fn sound(seconds: u32, rate: u32, encoder: &str) -> Self {
        let buffers = seconds * rate / 1000;
        Self::from_launch(&format!(
            "audiotestsrc num-buffers={buffers} samplesperbuffer=1000 wave=sine volume=0.3 \
             ! audio/x-raw,rate={rate},channels=1 ! {encoder}"
        ))
    }

    /// AAC, mono at 48 kHz.
    pub fn aac(seconds: u32) -> Self {
        Self::aac_at(seconds, 48_000)
    }

    /// As [`aac`](Self::aac), at another rate.
    pub fn aac_at(seconds: u32, rate: u32) -> Self {
        let encoder = "avenc_aac bitrate=64000 ! aacparse ! audio/mpeg,stream-format=raw";
        Self::sound(seconds, rate, encoder)
    }

    /// Writes the frames into a Matroska file, as something to compare with.
    pub fn write_matroska(&self, path: &Path) {
        let kind = self.caps.structure(0).expect("caps say what").name();
        let link = match kind.as_str() {
            "video/x-h264" => "! h264parse ! mux.",
            "video/x-h265" => "! h265parse ! mux.",
            name if name.starts_with("audio/") => "! mux.audio_0",
            _ => "! mux.",
        };
        let pipeline = gst::parse::launch(&format!(
            "matroskamux name=mux ! filesink name=out appsrc name=in format=time {link}"
        ));
        let pipeline = pipeline.expect("the elements are installed");
        let pipeline = pipeline
            .downcast::<gst::Pipeline>()
            .expect("several elements");
        let named = |name| pipeline.by_name(name).expect("named above");
        named("out").set_property("location", path);
        let source = named("in").downcast::<gst_app::AppSrc>().expect("it is");
        source.set_caps(Some(&self.caps));
        pipeline.set_state(gst::State::Playing).expect("it starts");
        for frame in &self.frames {
            let mut buffer = frame.buffer.copy();
            let stamps = buffer.make_mut();
            // Decoding may begin before the first frame is shown.
            let time = |ns: i64| gst::ClockTime::from_nseconds((ns + 1_000_000_000).unsigned_abs());
            stamps.set_pts(time(frame.pts_ns));
            stamps.set_dts(frame.dts_ns.map(time));
            source.push_buffer(buffer).expect("it takes all");
        }
        source.end_of_stream().expect("it takes all");
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
        pipeline.set_state(gst::State::Null).expect("it stops");
        let message = message.expect("it ends within a minute");
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    }

    /// The presentation times from and to, as a half-open range.
    pub fn between(&self, from_ns: i64, to_ns: i64) -> Vec<Frame> {
        let inside = |frame: &&Frame| (from_ns..to_ns).contains(&frame.pts_ns);
        self.frames.iter().filter(inside).cloned().collect()
    }
}

fn frame(sample: &gst::Sample) -> Option<Frame> {
    let buffer = sample.buffer_owned()?;
    let segment = sample
        .segment()?
        .downcast_ref::<gst::ClockTime>()
        .expect("encoders count in time");
    let on_axis = |time: Option<gst::ClockTime>| {
        let signed = segment.to_running_time_full(time?)?;
        let ns = i64::try_from(signed.abs().nseconds()).expect("no clip is that long");
        Some(if signed.is_positive() { ns } else { -ns })
    };
    Some(Frame {
        // FLAC begins with headers that have no time.
        pts_ns: on_axis(buffer.pts())?,
        dts_ns: on_axis(buffer.dts()),
        duration_ns: buffer.duration().map(|time| time.nseconds().cast_signed()),
        buffer,
    })
}
