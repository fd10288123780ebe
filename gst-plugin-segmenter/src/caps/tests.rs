// SPDX-License-Identifier: MPL-2.0
//! Caps survive the archive: what an encoder made, stored and described again, is taken by parsers
//! and decoders, and comes out frame for frame.

use std::io::Cursor;

use gst::prelude::*;

use super::*;
use crate::archivesink::{av1, caps::track, incomplete};
use crate::media::{Index, SegmentMark, TimeSource, init};
use crate::utc::UtcNs;

const PICTURE: &str = "videotestsrc num-buffers=30 pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1,pixel-aspect-ratio=4/3,\
      colorimetry=bt709";
const SOUND: &str = "audiotestsrc num-buffers=50 samplesperbuffer=960 wave=sine volume=0.3";

/// What comes out of a launch line.
fn pull(line: &str) -> (gst::Caps, Vec<gst::Buffer>) {
    gst::init().expect("GStreamer starts");
    let line = format!("{line} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several");
    let out = pipeline.by_name("out").and_downcast::<gst_app::AppSink>();
    let out = out.expect("named above");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut caps = None;
    let mut buffers = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        caps = sample.caps_owned();
        buffers.extend(sample.buffer_owned());
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    (caps.unwrap_or_else(|| panic!("{line}: nothing")), buffers)
}

/// Samples per channel, or pictures, that come out of decoding.
fn decoded(caps: &gst::Caps, buffers: &[gst::Buffer], decoder: &str) -> u64 {
    let line = format!("appsrc name=in format=time ! {decoder} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several");
    let source = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>();
    let out = pipeline.by_name("out").and_downcast::<gst_app::AppSink>();
    let (source, out) = source.zip(out).expect("named above");
    source.set_caps(Some(caps));
    source.set_max_bytes(0);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for buffer in buffers {
        source.push_buffer(buffer.clone()).expect("it takes all");
    }
    source.end_of_stream().expect("it takes all");
    let mut count = 0;
    while let Ok(sample) = out.pull_sample() {
        let frame = |caps: &gst::CapsRef| {
            let s = caps.structure(0)?;
            let channels = s.get::<i32>("channels").ok()?;
            // What decoders make here has 16 or 32 bits.
            let bytes = if s.get::<&str>("format").ok()?.contains("16") {
                2
            } else {
                4
            };
            Some(u64::from(channels.unsigned_abs()) * bytes)
        };
        let bytes = sample.buffer().expect("a buffer").size() as u64;
        count += sample
            .caps()
            .and_then(frame)
            .map_or(1, |frame| bytes / frame);
    }
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let error = bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(error.is_none(), "{caps}: {error:?}");
    count
}

/// The sample entry that `archivesink` would write for caps, as a reader finds it.
fn entry(caps: &gst::Caps) -> Vec<u8> {
    let track = track(caps).expect("archivesink takes it");
    let mark = SegmentMark {
        origin: UtcNs(0),
        discontinuity: false,
        time_source: TimeSource::Clock,
        run: [0; 16],
        sequence: 0,
    };
    let head = init(&[(&track, 0)], &mark).expect("a head");
    let index = Index::read(Cursor::new(head)).expect("memory is readable");
    index.tracks.first().expect("a track").sample_entry.clone()
}

/// Encodes, describes anew, and decodes as much as with the first caps, whichever elements do it.
fn survives(encoder: &str, decoders: &[&str]) -> gst::Caps {
    let (mut caps, mut buffers) = pull(encoder);
    if incomplete::lacks_configuration(&caps) {
        let first = buffers.first().expect("a buffer");
        caps = incomplete::configured(&caps, first).expect("it begins with a keyframe");
        buffers = buffers.into_iter().map(av1::without_delimiter).collect();
    }
    let again = caps_of_entry(&entry(&caps)).expect("it is known");
    for decoder in decoders {
        let whole = decoded(&caps, &buffers, decoder);
        assert!(whole > 0, "{caps}");
        assert_eq!(decoded(&again, &buffers, decoder), whole, "{again}");
    }
    // The way back leads to the same place.
    assert_eq!(track(&again), track(&caps));
    let first = caps.structure(0).expect("one");
    let second = again.structure(0).expect("one");
    for (field, value) in first.iter() {
        let is_told = second.value(field.as_str()).is_ok();
        if is_told && field != "streamheader" {
            let told = second.value(field.as_str()).expect("just asked");
            let same = told.compare(value) == Some(std::cmp::Ordering::Equal);
            assert!(same, "{field} was {value:?} and is {told:?}");
        }
    }
    again
}

#[test]
fn h264_survives() {
    let parsed = "h264parse ! avdec_h264";
    // The decoder alone takes no parameter sets inside samples.
    for (form, decoders) in [("avc", &[parsed, "avdec_h264"][..]), ("avc3", &[parsed])] {
        let encoder = format!(
            "{PICTURE} ! x264enc bframes=2 key-int-max=10 ! h264parse \
             ! video/x-h264,stream-format={form},alignment=au"
        );
        let caps = survives(&encoder, decoders);
        let s = caps.structure(0).expect("one");
        for field in ["profile", "level", "colorimetry"] {
            assert!(s.get::<&str>(field).is_ok(), "{field} of {caps}");
        }
        assert_eq!(s.get("pixel-aspect-ratio"), Ok(gst::Fraction::new(4, 3)));
    }
}

#[test]
fn h265_survives() {
    for form in ["hvc1", "hev1"] {
        let encoder = format!(
            "{PICTURE} ! x265enc speed-preset=ultrafast key-int-max=10 ! h265parse \
             ! video/x-h265,stream-format={form},alignment=au"
        );
        let caps = survives(&encoder, &["avdec_h265", "h265parse ! avdec_h265"]);
        let s = caps.structure(0).expect("one");
        for field in ["profile", "tier", "level"] {
            assert!(s.get::<&str>(field).is_ok(), "{field} of {caps}");
        }
    }
}

#[test]
fn vp9_survives() {
    survives(
        &format!("{PICTURE} ! vp9enc deadline=1 cpu-used=8 ! vp9parse"),
        &["vp9dec", "vp9parse ! vp9dec"],
    );
}

#[test]
fn av1_survives() {
    let encoder = "av1enc cpu-used=8 usage-profile=realtime";
    survives(
        &format!(
            "{PICTURE} ! {encoder} ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu"
        ),
        &["av1dec", "av1parse ! av1dec"],
    );
}

#[test]
fn aac_survives() {
    let encoder = format!(
        "{SOUND} ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse \
         ! audio/mpeg,stream-format=raw"
    );
    survives(&encoder, &["avdec_aac", "aacparse ! avdec_aac"]);
}

#[test]
fn mp3_survives() {
    for rate in [48_000, 22_050, 11_025] {
        let encoder =
            format!("{SOUND} ! audio/x-raw,rate={rate},channels=1 ! lamemp3enc ! mpegaudioparse");
        survives(
            &encoder,
            &["mpg123audiodec", "mpegaudioparse ! mpg123audiodec"],
        );
    }
}

#[test]
fn opus_survives() {
    for channels in [1, 2, 6] {
        let encoder =
            format!("{SOUND} ! audio/x-raw,rate=48000,channels={channels} ! opusenc ! opusparse");
        survives(&encoder, &["opusdec", "opusparse ! opusdec"]);
    }
}

#[test]
fn flac_survives() {
    let encoder =
        format!("{SOUND} ! audio/x-raw,format=S16LE,rate=44100,channels=2 ! flacenc ! flacparse");
    survives(&encoder, &["flacdec", "flacparse ! flacdec"]);
}

#[test]
fn a_law_and_mu_law_survive() {
    for law in ["alaw", "mulaw"] {
        let encoder = format!("{SOUND} ! audio/x-raw,rate=8000,channels=1 ! {law}enc");
        survives(&encoder, &[&format!("{law}dec")]);
    }
}

#[test]
fn an_entry_with_damaged_bytes_makes_caps_or_an_error_and_no_complaint() {
    gst::init().expect("GStreamer starts");
    let criticals = gst::glib::LogLevels::LEVEL_CRITICAL;
    gst::glib::log_set_always_fatal(criticals);
    for line in [
        format!("{PICTURE} ! x264enc ! h264parse ! video/x-h264,stream-format=avc"),
        format!("{PICTURE} ! x265enc ! h265parse ! video/x-h265,stream-format=hvc1"),
        format!("{SOUND} ! avenc_aac ! aacparse ! audio/mpeg,stream-format=raw"),
        format!("{SOUND} ! opusenc ! opusparse"),
        format!("{SOUND} ! flacenc ! flacparse"),
    ] {
        let entry = entry(&pull(&line).0);
        for at in 8..entry.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = entry.clone();
                *damaged.get_mut(at).expect("inside") = value;
                let _ = caps_of_entry(&damaged);
            }
            let _ = caps_of_entry(entry.get(..at).expect("shorter"));
        }
    }
}

#[test]
fn an_entry_that_is_not_known_has_no_caps() {
    gst::init().expect("GStreamer starts");
    assert!(caps_of_entry(b"\0\0\0\x08tx3g").is_err());
    assert!(caps_of_entry(&[]).is_err());
}
