// SPDX-License-Identifier: MPL-2.0
//! Cuts keep what display and decoding hang on: lossless coding, metadata of high dynamic range,
//! pictures without colour, finer and deeper samples.

use std::path::Path;

use gstsegmenter::cut::Type;

use crate::archived::{Archived, NOISY};
use crate::support::{silent, text};

const X264: &str = "-c:v libx264 -preset veryfast -g 25";
const X265: &str =
    "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:keyint=25:bframes=3";
const RANGE: std::ops::Range<usize> = 7..60;

/// Three seconds of an encoder's, recorded into either container.
fn recorded(options: &str, container: &str) -> Archived {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("source.mp4");
    let picture = format!("{NOISY}3");
    let mut arguments = vec!["-v", "error", "-f", "lavfi", "-i", &picture];
    arguments.extend(options.split_whitespace());
    arguments.push(text(&path));
    silent("ffmpeg", &arguments);
    let parser = if options.contains("libx265") {
        "h265parse"
    } else {
        "h264parse"
    };
    Archived::recorded(&path, "qtdemux", parser, container)
}

const SMART: [(Type, &str); 2] = [(Type::Smart, "mp4"), (Type::Smart, "ts")];
const FULL: [(Type, &str); 1] = [(Type::Full, "mp4")];

#[test]
fn lossless_pictures_have_lossless_edges() {
    for (form, container) in [("yuv420p", "mp4"), ("yuv444p", "mpegts")] {
        let archived = recorded(&format!("{X264} -pix_fmt {form} -qp 0"), container);
        archived.is_exact(&SMART, &[&[RANGE]]);
    }
}

#[test]
fn pictures_without_colour_stay_without() {
    for options in [X264, X265] {
        let archived = recorded(&format!("{options} -pix_fmt gray"), "mp4");
        archived.is_exact(&[SMART[0], SMART[1], FULL[0]], &[&[RANGE]]);
    }
}

#[test]
fn finer_and_deeper_samples_are_cut_like_others() {
    for options in [
        format!("{X264} -pix_fmt yuv422p10le"),
        format!("{X265} -pix_fmt yuv420p12le"),
    ] {
        recorded(&options, "mp4").is_exact(&SMART[..1], &[&[RANGE]]);
    }
}

/// What ffprobe says of each picture that has to do with its light.
fn light(file: &Path) -> Vec<String> {
    let entries = "frame=color_transfer:frame_side_data";
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_frames",
        "-show_entries",
    ];
    let arguments = [&arguments[..], &[entries, "-of", "json", text(file)]].concat();
    let said = silent("ffprobe", &arguments);
    let said: serde_json::Value = serde_json::from_slice(&said).expect("JSON");
    let frames = said["frames"].as_array().expect("frames");
    let lasts = |data: &&serde_json::Value| {
        let kind = data["side_data_type"].as_str().unwrap_or_default();
        kind.contains("Mastering") || kind.contains("Content light")
    };
    frames
        .iter()
        .map(|frame| {
            let data = frame["side_data_list"].as_array().into_iter().flatten();
            let data: Vec<String> = data.filter(lasts).map(ToString::to_string).collect();
            format!("{} {}", frame["color_transfer"], data.join(" "))
        })
        .collect()
}

#[test]
fn metadata_of_high_dynamic_range_stays_on_every_picture() {
    let hdr10 = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:repeat-headers=1:\
        master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):\
        max-cll=1000,400";
    let hlg =
        "colorprim=bt2020:transfer=bt2020-10:colormatrix=bt2020nc:atc-sei=18:repeat-headers=1";
    let kinds = [
        (hdr10, "Content light", "mp4"),
        (hlg, "arib-std-b67", "mpegts"),
    ];
    for (what, word, container) in kinds {
        let options = format!("{X265}:{what} -pix_fmt yuv420p10le");
        let archived = recorded(&options, container);
        for (kind, extension) in [SMART[0], SMART[1], FULL[0]] {
            // Longer than the two seconds from one encoded keyframe to the next.
            let range = 5..65;
            let fault = archived.try_cut(kind, extension, std::slice::from_ref(&range));
            assert_eq!(fault, None, "{kind} to {extension}");
            let light = light(&archived.path(extension));
            assert_eq!(light.len(), range.len());
            assert!(light[0].contains(word), "{light:?}");
            let other = light.iter().find(|other| **other != light[0]);
            assert_eq!(other, None, "{kind} to {extension}: {}", light[0]);
        }
    }
}
