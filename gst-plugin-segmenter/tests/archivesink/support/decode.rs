// SPDX-License-Identifier: MPL-2.0
//! What decoders make of a file: ffmpeg's, and GStreamer's behind `decodebin`.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use sha2::{Digest, Sha256};

/// Pictures or the first track of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Video,
    Audio,
}

impl What {
    fn specifier(self) -> &'static str {
        match self {
            Self::Video => "0:v:0",
            Self::Audio => "0:a:0",
        }
    }
}

/// A digest of each frame as ffmpeg decodes it, in the order shown.
#[track_caller]
pub fn frames(path: &Path, what: What) -> Vec<String> {
    digests(
        path,
        &["-map", what.specifier(), "-fps_mode", "passthrough"],
    )
}

/// A digest of each packet as ffmpeg finds it. The headers that AAC has in transport streams are
/// taken off.
#[track_caller]
pub fn packets(path: &Path, what: What, filter: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["-map", what.specifier(), "-c", "copy"];
    if let Some(filter) = filter {
        arguments.extend(["-bsf", filter]);
    }
    digests(path, &arguments)
}

#[track_caller]
fn digests(path: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(arguments)
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", path.display());
    let listing = String::from_utf8(output.stdout).expect("text");
    // Stream, dts, pts, duration, size, digest; side data may follow.
    let lines = listing.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split(',').nth(5).expect("a digest").trim().to_owned())
        .collect()
}

/// A digest of each picture that `decodebin` puts out, and how many bytes of sound; it must find
/// nothing to complain about.
#[track_caller]
pub fn with_decodebin(path: &Path) -> (Vec<String>, usize) {
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("filesrc")
        .property("location", path)
        .build()
        .expect("filesrc");
    let decoder = gst::ElementFactory::make("decodebin")
        .build()
        .expect("decodebin");
    pipeline.add_many([&source, &decoder]).expect("new");
    source.link(&decoder).expect("both are free");
    let found = Arc::<Mutex<(Vec<String>, usize)>>::default();
    let collected = found.clone();
    let weak = pipeline.downgrade();
    decoder.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = weak.upgrade() {
            collect(&pipeline, pad, collected.clone());
        }
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let wanted = [
        gst::MessageType::Eos,
        gst::MessageType::Error,
        gst::MessageType::Warning,
    ];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let message = message.expect("it ends within a minute");
    assert_eq!(
        message.type_(),
        gst::MessageType::Eos,
        "{}: {message:?}",
        path.display()
    );
    std::mem::take(&mut *found.lock().expect("no panic"))
}

fn collect(pipeline: &gst::Pipeline, pad: &gst::Pad, found: Arc<Mutex<(Vec<String>, usize)>>) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let is_video = caps.to_string().starts_with("video");
    let sink = gst_app::AppSink::builder().sync(false).build();
    let take = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        let mut found = found.lock().expect("no panic");
        match is_video {
            true => found.0.push(format!("{:x?}", &Sha256::digest(&map)[..])),
            false => found.1 += map.len(),
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(take)
            .build(),
    );
    pipeline.add(&sink).expect("a new element");
    sink.sync_state_with_parent().expect("it starts");
    let sink_pad = sink.static_pad("sink").expect("a sink has one");
    pad.link(&sink_pad).expect("it takes anything");
}
