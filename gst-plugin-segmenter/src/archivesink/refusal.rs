// SPDX-License-Identifier: MPL-2.0
//! Why a stream cannot be recorded, in words that name its codec and what would help.
//!
//! A stream that cannot be recorded never takes another along. So the element accepts any caps,
//! says this text once, and drops what comes with them while another pad records; whoever links
//! streams to the element can ask the same question beforehand.

use super::caps::{self, CapsError, Kind, accepted};
use super::incomplete;

/// Why segments of this kind do not take a stream of these caps; `None` if they do, or may: caps
/// need not be fixed.
pub fn refusal(caps: &gst::CapsRef, mpegts: bool) -> Option<String> {
    let kind = kind(caps);
    let codec = codec(caps);
    let fits = |mpegts| kind.is_some_and(|kind| accepted(kind, Some(mpegts)).can_intersect(caps));
    let container = if mpegts { "MPEG-TS" } else { "MP4" };
    if !fits(mpegts) {
        return Some(if let Some(parser) = parser_wanted(caps, mpegts) {
            format!("{codec} in this form is not taken; put {parser} before archivesink")
        } else if fits(!mpegts) {
            let (other, name) = match mpegts {
                true => ("MP4", "mp4"),
                false => ("MPEG-TS", "mpegts"),
            };
            format!(
                "{container} segments do not take {codec}; {other} segments do (container {name})"
            )
        } else {
            format!("archivesink does not take {codec}; {}", reencoding(kind))
        });
    }
    // What is not decided yet may still become right.
    if !caps.is_fixed() || incomplete::lacks_configuration(caps) {
        return None;
    }
    match mpegts {
        true => lacks_configuration(caps)
            .then(|| without(&codec, "codec_data", parser(caps).unwrap_or("a parser"))),
        false => caps::track(caps).err().map(|error| match error {
            CapsError::Missing { field, remedy, .. } => without(&codec, field, remedy),
            CapsError::Unsupported(_) => {
                format!("archivesink does not take {codec}; {}", reencoding(kind))
            }
        }),
    }
}

fn without(codec: &str, field: &str, remedy: &str) -> String {
    format!(
        "{codec} came without its configuration (the caps have no {field}); \
         put {remedy} before archivesink, or see to it that the source sends it"
    )
}

/// Whether the stream's form wants its configuration in the caps, and it is not there.
fn lacks_configuration(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|s| {
        let form = s.get::<&str>("stream-format");
        matches!(form, Ok("avc" | "hvc1" | "raw")) && !s.has_field("codec_data")
    })
}

fn kind(caps: &gst::CapsRef) -> Option<Kind> {
    let name = caps.structure(0)?.name();
    match name.split('/').next() {
        Some("video" | "image") => Some(Kind::Video),
        Some("audio") => Some(Kind::Audio),
        _ => None,
    }
}

/// The parser that brings a stream of these caps into a form that such segments take, where they
/// take its codec and not its form.
pub fn parser_wanted(caps: &gst::CapsRef, mpegts: bool) -> Option<&'static str> {
    let accepted = accepted(kind(caps)?, Some(mpegts));
    let wanted = caps.structure(0)?;
    let number = |s: &gst::StructureRef, field| s.get::<i32>(field).ok();
    let is_known = |s: &gst::StructureRef| {
        let layer = number(wanted, "layer");
        s.name() == wanted.name()
            && number(s, "mpegversion") == number(wanted, "mpegversion")
            && (layer.is_none() || number(s, "layer") == layer)
    };
    (!accepted.can_intersect(caps) && accepted.iter().any(is_known))
        .then(|| parser(caps))
        .flatten()
}

/// The element that brings a codec into the form that is taken.
fn parser(caps: &gst::CapsRef) -> Option<&'static str> {
    let s = caps.structure(0)?;
    Some(match (s.name().as_str(), s.get::<i32>("mpegversion")) {
        ("video/x-h264", _) => "h264parse",
        ("video/x-h265", _) => "h265parse",
        ("video/x-av1", _) => "av1parse",
        ("video/x-vp9", _) => "vp9parse",
        ("audio/mpeg", Ok(1)) => "mpegaudioparse",
        ("audio/mpeg", _) => "aacparse",
        ("audio/x-opus", _) => "opusparse",
        ("audio/x-flac", _) => "flacparse",
        ("audio/x-ac3" | "audio/x-eac3", _) => "ac3parse",
        _ => return None,
    })
}

fn reencoding(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Video) => {
            "re-encode it as H.264 (decodebin ! videoconvert ! x264enc ! h264parse)"
        }
        Some(Kind::Audio) => {
            "re-encode it as AAC (decodebin ! audioconvert ! audioresample ! avenc_aac ! aacparse)"
        }
        None => "it takes video and audio",
    }
}

/// What people call the codec.
pub fn codec(caps: &gst::CapsRef) -> String {
    let name = caps.structure(0).map(|s| s.name().to_string());
    let mut fixed = caps.to_owned();
    if !caps.is_any() && !caps.is_empty() {
        fixed.fixate();
    }
    let described = fixed
        .is_fixed()
        .then(|| gst_pbutils::pb_utils_get_codec_description(&fixed));
    described
        .map(String::from)
        .filter(|text| !text.is_empty())
        .or(name)
        .unwrap_or_else(|| "a stream without caps".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, mpegts: bool) -> Option<String> {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = text.parse().expect("caps");
        refusal(&caps, mpegts)
    }

    #[test]
    fn a_refusal_names_the_codec_and_what_would_help() {
        const AAC: &str = "audio/mpeg, mpegversion=4, channels=2, rate=48000";
        for (caps, mpegts, words) in [
            (
                "audio/x-vorbis, channels=2, rate=48000",
                false,
                ["Vorbis", "as AAC"],
            ),
            (
                "audio/x-raw, format=S16LE, layout=interleaved, channels=2, rate=48000",
                true,
                ["PCM", "as AAC"],
            ),
            (
                "video/mpeg, mpegversion=4, systemstream=false, width=8, height=8",
                false,
                ["MPEG-4", "as H.264"],
            ),
            (
                "audio/mpeg, mpegversion=1, layer=1, parsed=true, channels=2, rate=48000",
                false,
                ["Layer 1", "container mpegts"],
            ),
            (
                "audio/x-flac, framed=true, channels=2, rate=48000",
                true,
                ["FLAC", "container mp4"],
            ),
            (
                "video/x-h264, stream-format=byte-stream, alignment=nal",
                true,
                ["H.264", "h264parse"],
            ),
            ("text/x-raw, format=utf8", true, ["Text", "video and audio"]),
            (
                "audio/mpeg, mpegversion=4, stream-format=adts, channels=2, rate=48000",
                false,
                ["AAC", "aacparse"],
            ),
        ] {
            let said = said(caps, mpegts).unwrap_or_else(|| panic!("{caps} is refused"));
            for word in words {
                assert!(said.contains(word), "{word:?} is not in {said:?}");
            }
        }
        for mpegts in [false, true] {
            let raw = said(&format!("{AAC}, stream-format=raw"), mpegts).expect("no configuration");
            assert!(raw.contains("AAC") && raw.contains("codec_data"), "{raw}");
            let whole = format!("{AAC}, stream-format=raw, codec_data=(buffer)1190");
            assert_eq!(said(&whole, mpegts), None);
        }
    }
}
