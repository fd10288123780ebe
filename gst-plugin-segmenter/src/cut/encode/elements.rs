// SPDX-License-Identifier: MPL-2.0
//! The GStreamer elements that decode and encode, and how they are set.
//!
//! Measured for edges of a cut: x264's preset `ultrafast` costs half the CPU time of `superfast`
//! and a third of `veryfast`. Its files are larger, which does not matter for two GOPs; a constant
//! quantiser makes quality independent of the content. Without B-frames, lookahead and scene cuts
//! the order of decoding is that of display, and only the first frame is a keyframe.
//!
//! x265 is not so fast even then. With nothing to decide about blocks (all of 32x32, which every
//! level allows) and the least care for what costs fewest bits, 1080p costs 40 % less time, noise
//! 70 %, for a fifth more bytes; deblocking does nothing at such a quality.

use std::thread::available_parallelism;

use gst::prelude::*;

use super::source::{Codec, Source};
use super::sps::Sps;
use super::{EncodeError, Options};

/// 46 dB against the decoded source even where that is nothing but noise; `tests/cut_encode` holds
/// it against 45.
const H264_QUANTISER: u32 = 15;
/// H.265 quantises as H.264 does.
const H265_QUANTISER: u32 = 14;
/// How much finer keyframes are quantised; the default of 1.4 spends bytes on an edge's only one.
const KEYFRAME_FACTOR: f32 = 1.1;
/// More threads only cost memory: each holds a picture.
const MOST_THREADS: usize = 12;

/// Makes an element.
pub fn make(name: &str) -> Result<gst::Element, EncodeError> {
    let made = gst::ElementFactory::make(name).build();
    made.map_err(|_| EncodeError::ElementMissing {
        element: name.to_owned(),
        package: package(name),
    })
}

/// The Debian package of the elements that are used unless others are asked for.
fn package(element: &str) -> Option<&'static str> {
    match element {
        "x264enc" => Some("gstreamer1.0-plugins-ugly"),
        "x265enc" | "h264parse" | "h265parse" | "openh264enc" | "openh264dec" => {
            Some("gstreamer1.0-plugins-bad")
        }
        "videoconvert" | "videoscale" | "appsrc" | "appsink" => Some("gstreamer1.0-plugins-base"),
        "capsfilter" => Some("libgstreamer1.0-0"),
        _ if element.starts_with("avdec_") => Some("gstreamer1.0-libav"),
        _ => None,
    }
}

/// The decoder, with the parser in front of it that it may need.
pub fn decoder(
    source: &Source,
    caps: &gst::Caps,
    options: &Options,
) -> Result<Vec<gst::Element>, EncodeError> {
    let (usual, parser) = match source.codec {
        Codec::H264 => ("avdec_h264", "h264parse"),
        Codec::H265 => ("avdec_h265", "h265parse"),
    };
    let decoder = match &options.decoder {
        Some(name) => make(name)?,
        None => make(usual).or_else(|missing| any_decoder(source).ok_or(missing))?,
    };
    if decoder.has_property_with_type("qos", bool::static_type()) {
        decoder.set_property("qos", false);
    }
    let takes_samples = decoder
        .factory()
        .is_some_and(|factory| factory.can_sink_any_caps(caps));
    if takes_samples {
        Ok(vec![decoder])
    } else {
        Ok(vec![make(parser)?, decoder])
    }
}

/// The decoder of the highest rank.
fn any_decoder(source: &Source) -> Option<gst::Element> {
    let caps = gst::Caps::new_empty_simple(source.codec.media_type());
    let kind = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let factories = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL);
    let mut fitting: Vec<_> = factories
        .into_iter()
        .filter(|factory| factory.can_sink_any_caps(&caps))
        .collect();
    fitting.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
    let mut made = fitting.iter().map(|factory| factory.create().build());
    made.find_map(Result::ok)
}

/// The encoder, set for a source.
pub fn encoder(source: &Source, options: &Options) -> Result<gst::Element, EncodeError> {
    let is_intra_only = source.sps.as_ref().is_some_and(|sps| sps.is_intra_only());
    let interval = if is_intra_only {
        Some(1)
    } else {
        options.keyframe_interval
    };
    let interval = interval.map(|frames| frames.clamp(1, i32::MAX as u32));
    let usual = match source.codec {
        Codec::H264 => "x264enc",
        Codec::H265 => "x265enc",
    };
    let name = options.encoder.as_deref().unwrap_or(usual);
    let encoder = make(name)?;
    match name {
        "x264enc" => {
            let id = source.free_id(&options.taken_ids);
            set_x264(&encoder, source, interval, id);
        }
        "x265enc" => set_x265(&encoder, interval),
        _ => set_other(&encoder, interval),
    }
    Ok(encoder)
}

fn threads() -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    (cores * 3).div_ceil(2).min(MOST_THREADS)
}

fn set_x264(encoder: &gst::Element, source: &Source, interval: Option<u32>, id: u32) {
    let depth = source.sps.as_ref().map_or(0, |sps| sps.extra_bits);
    let is_lossless = source.sps.as_ref().is_some_and(|sps| sps.is_lossless);
    // Quantisers of deeper samples start below zero (H.264 §7.4.2.1.1), x264's always at zero. A
    // source without loss has edges without any: ffmpeg decodes lossless pictures behind others to
    // garbage.
    let quantiser = if is_lossless {
        0
    } else {
        H264_QUANTISER + 6 * depth
    };
    encoder.set_property_from_str("speed-preset", "ultrafast");
    encoder.set_property_from_str("pass", "quant");
    encoder.set_property("quantizer", quantiser);
    encoder.set_property("ip-factor", KEYFRAME_FACTOR);
    encoder.set_property("bframes", 0_u32);
    encoder.set_property("rc-lookahead", 0_i32);
    encoder.set_property("sync-lookahead", 0_i32);
    encoder.set_property("mb-tree", false);
    encoder.set_property("aud", false);
    encoder.set_property("threads", threads() as u32);
    encoder.set_property("key-int-max", interval.unwrap_or(i32::MAX as u32));
    encoder.set_property("sps-id", id);
    // What makes it High profile; it costs nothing.
    let is_high = source.sps.as_ref().is_some_and(|sps| sps.profile >= 100);
    encoder.set_property("dct8x8", is_high);
    let mut settings = String::from("scenecut=0:weightp=0");
    // x264 has coarser chroma where it is as fine as luma.
    let has_full_chroma = |sps: &Sps| sps.chroma_format == 3;
    if !is_lossless && source.sps.as_ref().is_some_and(has_full_chroma) {
        settings.push_str(":chroma-qp-offset=-6");
    }
    if source.sets.length_bytes == 2 {
        settings.push_str(":slice-max-size=65000");
    }
    encoder.set_property("option-string", settings);
}

fn set_x265(encoder: &gst::Element, interval: Option<u32>) {
    encoder.set_property_from_str("speed-preset", "ultrafast");
    encoder.set_property("qp", H265_QUANTISER as i32);
    let interval = interval.map_or(-1, u32::cast_signed);
    encoder.set_property(
        "option-string",
        format!(
            "bframes=0:keyint={interval}:min-keyint=1:scenecut=0:rc-lookahead=0:open-gop=0:\
             ipratio={KEYFRAME_FACTOR}:info=0:aud=0:repeat-headers=0:\
             ctu=32:min-cu-size=32:rd=1:max-merge=1:merange=16:no-deblock=1"
        ),
    );
}

/// What most other encoders understand.
fn set_other(encoder: &gst::Element, interval: Option<u32>) {
    for name in ["bframes", "b-frames", "max-bframes"] {
        set_number(encoder, name, 0);
    }
    for name in ["key-int-max", "gop-size", "keyframe-period"] {
        set_number(encoder, name, interval.unwrap_or(u32::MAX));
    }
}

/// Sets a property, where the element has it, to the number it takes that is nearest.
fn set_number(element: &gst::Element, name: &str, number: u32) {
    let Some(property) = element.find_property(name) else {
        return;
    };
    if let Some(range) = property.downcast_ref::<gst::glib::ParamSpecUInt>() {
        element.set_property(name, number.clamp(range.minimum(), range.maximum()));
    } else if let Some(range) = property.downcast_ref::<gst::glib::ParamSpecInt>() {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        element.set_property(name, number.clamp(range.minimum(), range.maximum()));
    }
}
