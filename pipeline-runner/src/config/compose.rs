// SPDX-License-Identifier: MPL-2.0
//! What to put behind a pad of a source, by its caps.
//!
//! Depayloaders are chosen by name: a missing plugin can be named before the source runs, and each
//! chain is known to keep the reference to UTC on its buffers. Only what is not RTP goes through
//! `parsebin`. There is no `h264timestamper` in the chains, though RTP carries no decoding times:
//! it holds back as many pictures as a stream may reorder, and `archivesink` rebuilds DTS itself.

use serde::{Deserialize, Serialize};

/// Which media of a source to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracks {
    /// Video and audio.
    #[default]
    All,
    /// Video only.
    Video,
    /// Audio only.
    Audio,
}

impl Tracks {
    /// Whether media of this kind (`video`, `audio`) is wanted.
    pub fn wants(self, media: &str) -> bool {
        match self {
            Self::All => matches!(media, "video" | "audio"),
            Self::Video => media == "video",
            Self::Audio => media == "audio",
        }
    }
}

/// What goes between a source's pad and the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// These elements, in a row (text in the syntax of `gst-launch-1.0`).
    Chain(&'static str),
    /// `parsebin`, whose pads come later and go straight to the sink.
    Parsebin,
    /// Nothing: the stream cannot be recorded.
    Ignore,
}

/// What to put behind a pad with these caps: their name and, for `application/x-rtp`, the fields
/// `media` and `encoding-name`.
pub fn branch(caps_name: &str, media: Option<&str>, encoding_name: Option<&str>) -> Branch {
    if caps_name != "application/x-rtp" {
        return Branch::Parsebin;
    }
    // RFC 8866, 6.14: encoding names are case-insensitive.
    let encoding = encoding_name.unwrap_or_default().to_ascii_uppercase();
    match (media.unwrap_or_default(), encoding.as_str()) {
        (_, "H264") => Branch::Chain("rtph264depay ! h264parse"),
        (_, "H265") => Branch::Chain("rtph265depay ! h265parse"),
        (_, "AV1") => Branch::Chain("rtpav1depay ! av1parse"),
        (_, "VP9") => Branch::Chain("rtpvp9depay ! vp9parse"),
        ("audio", "MPEG4-GENERIC") => Branch::Chain("rtpmp4gdepay ! aacparse"),
        ("audio", "MP4A-LATM") => Branch::Chain("rtpmp4adepay ! aacparse"),
        (_, "OPUS" | "X-GST-OPUS-DRAFT-SPITTKA-00") => Branch::Chain("rtpopusdepay ! opusparse"),
        (_, "MPA") => Branch::Chain("rtpmpadepay ! mpegaudioparse"),
        (_, "PCMA") => Branch::Chain("rtppcmadepay"),
        (_, "PCMU") => Branch::Chain("rtppcmudepay"),
        _ => Branch::Ignore,
    }
}

/// The request pad of `archivesink` for a parsed stream of this caps name, unless the stream is
/// not wanted or of no kind that can be recorded.
pub fn sink_pad(caps_name: &str, tracks: Tracks) -> Option<&'static str> {
    let media = caps_name.split('/').next().unwrap_or_default();
    match media {
        "video" if tracks.wants("video") => Some("video"),
        "audio" if tracks.wants("audio") => Some("audio_%u"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use gst::prelude::*;

    use super::*;

    /// Sends a payloaded stream through a chain; returns, of each buffer that comes out, the name
    /// of its caps and whether it still refers to UTC.
    fn through(payloaded: &str, chain: &str) -> Vec<(String, bool)> {
        gst::init().unwrap();
        let text = format!("{payloaded} name=pay ! {chain} ! fakesink name=sink sync=false");
        let pipeline = gst::parse::launch(&text).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let pad = |element: &str, pad: &str| {
            let element = pipeline.by_name(element).unwrap();
            element.static_pad(pad).unwrap()
        };
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad("pay", "src").add_probe(types, |_, info| {
            match &mut info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => refer_to_utc(buffer),
                Some(gst::PadProbeData::BufferList(list)) => {
                    list.make_mut().foreach_mut(|mut buffer, _| {
                        refer_to_utc(&mut buffer);
                        std::ops::ControlFlow::Continue(Some(buffer))
                    });
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        let found = Arc::new(Mutex::new(Vec::new()));
        let seen = found.clone();
        pad("sink", "sink").add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                let name = caps.structure(0).unwrap().name().to_string();
                let refers = buffer.meta::<gst::ReferenceTimestampMeta>().is_some();
                seen.lock().unwrap().push((name, refers));
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = pipeline.bus().unwrap();
        let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
        pipeline.set_state(gst::State::Null).unwrap();
        let end = end.expect("the stream ends");
        assert!(matches!(end.view(), gst::MessageView::Eos(_)), "{end:?}");
        std::mem::take(&mut *found.lock().unwrap())
    }

    /// As the jitter buffer of a camera's stream does.
    fn refer_to_utc(buffer: &mut gst::Buffer) {
        let caps = gst::Caps::new_empty_simple("timestamp/x-ntp");
        let buffer = buffer.make_mut();
        let time = buffer.pts().unwrap();
        gst::ReferenceTimestampMeta::add(buffer, &caps, time, gst::ClockTime::NONE);
    }

    #[test]
    fn every_chain_keeps_the_reference_to_utc_on_every_buffer() {
        const PICTURES: &str = "videotestsrc num-buffers=30 ! video/x-raw,width=160,height=120";
        const SOUND: &str = "audiotestsrc num-buffers=30 ! audioconvert ! audioresample";
        for (stream, media, encoding, caps) in [
            (
                "x264enc bframes=2 ! rtph264pay",
                "video",
                "H264",
                "video/x-h264",
            ),
            ("x265enc ! rtph265pay", "video", "H265", "video/x-h265"),
            (
                "vp9enc deadline=1 ! rtpvp9pay",
                "video",
                "VP9",
                "video/x-vp9",
            ),
            (
                "avenc_aac ! aacparse ! rtpmp4gpay",
                "audio",
                "MPEG4-GENERIC",
                "audio/mpeg",
            ),
            (
                "avenc_aac ! aacparse ! rtpmp4apay",
                "audio",
                "MP4A-LATM",
                "audio/mpeg",
            ),
            ("opusenc ! rtpopuspay", "audio", "OPUS", "audio/x-opus"),
            (
                "lamemp3enc ! mpegaudioparse ! rtpmpapay",
                "audio",
                "MPA",
                "audio/mpeg",
            ),
            ("alawenc ! rtppcmapay", "audio", "PCMA", "audio/x-alaw"),
            ("mulawenc ! rtppcmupay", "audio", "pcmu", "audio/x-mulaw"),
        ] {
            let raw = if media == "video" { PICTURES } else { SOUND };
            let Branch::Chain(chain) = branch("application/x-rtp", Some(media), Some(encoding))
            else {
                panic!("no chain for {encoding}");
            };
            let buffers = through(&format!("{raw} ! {stream}"), chain);
            assert!(buffers.len() >= 10, "{encoding}: {} buffers", buffers.len());
            assert!(
                buffers.iter().all(|(name, _)| name == caps),
                "{encoding}: {buffers:?}"
            );
            let refer = buffers.iter().filter(|(_, refers)| *refers).count();
            assert_eq!(refer, buffers.len(), "{encoding}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_ignored_and_what_is_no_rtp_is_parsed() {
        let rtp = |media, encoding| branch("application/x-rtp", Some(media), Some(encoding));
        assert_eq!(rtp("application", "VND.ONVIF.METADATA"), Branch::Ignore);
        assert_eq!(rtp("video", "JPEG"), Branch::Ignore);
        assert_eq!(branch("application/x-rtp", None, None), Branch::Ignore);
        assert_eq!(branch("video/quicktime", None, None), Branch::Parsebin);
        assert_eq!(branch("video/mpegts", None, None), Branch::Parsebin);
    }

    #[test]
    fn tracks_decide_which_pads_are_asked_for() {
        assert_eq!(sink_pad("video/x-h265", Tracks::All), Some("video"));
        assert_eq!(sink_pad("audio/x-opus", Tracks::All), Some("audio_%u"));
        assert_eq!(sink_pad("audio/x-opus", Tracks::Video), None);
        assert_eq!(sink_pad("video/x-h264", Tracks::Audio), None);
        assert_eq!(sink_pad("text/x-raw", Tracks::All), None);
        assert_eq!(sink_pad("", Tracks::All), None);
    }
}
