// SPDX-License-Identifier: MPL-2.0
//! What to put behind a pad of a source, by its caps.
//!
//! Depayloaders are chosen by name, so that the RTP time and its reference to UTC stay on the
//! buffers and a missing plugin can be named; only what is not RTP goes through `parsebin`.

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
        (_, "H264") => Branch::Chain("rtph264depay ! h264parse ! h264timestamper"),
        (_, "H265") => Branch::Chain("rtph265depay ! h265parse ! h265timestamper"),
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
