// SPDX-License-Identifier: MPL-2.0
//! What the camera shows: access units in the order sent, each with its place in the order shown
//! and with what a decoder makes of it.

use std::path::PathBuf;
use std::process::Command;

use super::kinds::Coding;
use crate::clips::workspace;
use crate::frames::{Codec, Hash};
use crate::scripted_camera::access_units::{self, AccessUnit, Entry};

/// One picture of a clip.
#[derive(Clone, Debug)]
pub struct Picture {
    /// As it is sent.
    pub unit: AccessUnit,
    /// Its slices.
    pub hash: Hash,
    /// Its place in the order shown.
    pub place: usize,
    /// Whether decoding can begin here.
    pub entry: Entry,
}

/// A clip.
pub struct Clip {
    /// H.264 or H.265.
    pub codec: Codec,
    /// In the order sent.
    pub pictures: Vec<Picture>,
    /// The files it is made of, and for each picture in the order shown which file shows it.
    files: Vec<PathBuf>,
    file_of_place: Vec<usize>,
}

/// The folder of the clips, made first when it is not there.
///
/// # Panics
/// When it cannot be made.
fn folder() -> PathBuf {
    let root = workspace();
    let folder = root.join(".cache/camera-clips");
    // The script does nothing when all is there as it would make it.
    let made = Command::new(root.join("tests/setup/camera_clips.sh")).status();
    let made = made.is_ok_and(|status| status.success());
    assert!(made, "tests/setup/camera_clips.sh failed; run `make setup`");
    folder
}

/// Frames between keyframes of clips that are put together.
const GOP: usize = 25;

impl Clip {
    /// Reads a clip.
    ///
    /// # Panics
    /// When it is not as it should be: two pictures alike, or not as many places as pictures.
    pub fn load(coding: Coding) -> Self {
        let (codec, names, gops_each): (_, &[&str], usize) = match coding {
            Coding::Plain => (Codec::H264, &["plain"], 1),
            Coding::Night => (Codec::H264, &["night"], 1),
            Coding::Slices => (Codec::H264, &["slices"], 1),
            Coding::Pyramid => (Codec::H264, &["pyramid"], 1),
            Coding::OpenGop => (Codec::H264, &["open-gop"], 1),
            Coding::Refresh => (Codec::H264, &["refresh"], 1),
            Coding::Mbaff => (Codec::H264, &["mbaff"], 1),
            Coding::FalseEntries => (Codec::H264, &["false-entries"], 1),
            Coding::Ids => (Codec::H264, &["ids-0", "ids-1", "ids-2"], 1),
            Coding::Sizes => (Codec::H264, &["plain", "size-1"], 2),
            Coding::H265 => (Codec::H265, &["hevc-plain"], 1),
            Coding::H265Night => (Codec::H265, &["hevc-night"], 1),
            Coding::H265Slices => (Codec::H265, &["hevc-slices"], 1),
            Coding::H265Pyramid => (Codec::H265, &["hevc-pyramid"], 1),
            Coding::H265OpenGop => (Codec::H265, &["hevc-open-gop"], 1),
            Coding::H265Sizes => (Codec::H265, &["hevc-plain", "hevc-size-1"], 2),
        };
        let folder = folder();
        let extension = if codec == Codec::H264 { "h264" } else { "h265" };
        let path = |name: &&str| folder.join(format!("{name}.{extension}"));
        let pieces: Vec<Vec<Picture>> = names.iter().map(|name| read(codec, path(name))).collect();
        let count = pieces[0].len();
        let file_of_place: Vec<usize> = (0..count)
            .map(|place| place / (GOP * gops_each) % names.len())
            .collect();
        let pictures: Vec<Picture> = (0..count)
            .map(|at| pieces[file_of_place[at]][at].clone())
            .collect();
        let mut hashes: Vec<Hash> = pictures.iter().map(|picture| picture.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count, "{coding}: pictures are alike");
        Self {
            codec,
            pictures,
            files: names.iter().map(path).collect(),
            file_of_place,
        }
    }

    /// What a decoder makes of each picture, in the order shown: luma, then the two of chroma.
    ///
    /// # Panics
    /// When ffmpeg cannot decode it whole.
    pub fn shown(&self) -> Vec<Vec<u8>> {
        let decoded: Vec<Vec<Vec<u8>>> = self.files.iter().map(decode).collect();
        let places = self.file_of_place.iter().enumerate();
        let shown = places.map(|(place, file)| decoded[*file][place].clone());
        shown.collect()
    }
}

fn read(codec: Codec, path: PathBuf) -> Vec<Picture> {
    let text = |error| panic!("{}: {error}", path.display());
    let stream = std::fs::read(&path).unwrap_or_else(text);
    let order = std::fs::read_to_string(path.with_extension("order")).unwrap_or_else(|error| {
        panic!("{}: {error}", path.display());
    });
    let places = order.lines().map(|line| line.parse().expect("a number"));
    let places: Vec<usize> = places.collect();
    let units = access_units::split(codec, &stream);
    assert_eq!(units.len(), places.len(), "{}", path.display());
    let picture = |(unit, place): (AccessUnit, usize)| Picture {
        hash: unit.picture(codec),
        entry: unit.entry(codec),
        unit,
        place,
    };
    units.into_iter().zip(places).map(picture).collect()
}

fn decode(path: &PathBuf) -> Vec<Vec<u8>> {
    let probe = |what: &str| {
        let entries = format!("stream={what}");
        let arguments = [
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            &entries,
        ];
        let output = Command::new("ffprobe")
            .args(arguments)
            .args(["-of", "csv=p=0"])
            .arg(path)
            .output();
        let text = String::from_utf8(output.expect("ffprobe is installed").stdout);
        let number = text
            .expect("text")
            .trim()
            .trim_end_matches(',')
            .parse::<usize>();
        number.expect("a number")
    };
    let bytes = probe("width") * probe("height") * 3 / 2;
    let decoded = Command::new("ffmpeg")
        .args("-nostdin -v error -xerror -threads 1 -i".split(' '))
        .arg(path)
        .args("-fps_mode passthrough -pix_fmt yuv420p -f rawvideo -".split(' '))
        .output()
        .expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&decoded.stderr);
    assert!(said.is_empty(), "{}: {said}", path.display());
    decoded.stdout.chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// The frames of audio that the camera sends, without ADTS headers: 48 kHz, mono, 1024 samples each.
///
/// # Panics
/// When the clip is not there.
pub fn aac_frames() -> Vec<Vec<u8>> {
    let stream = std::fs::read(folder().join("sound.aac")).expect("it was made");
    let (mut frames, mut rest) = (Vec::new(), stream.as_slice());
    // ADTS (ISO/IEC 14496-3 1.A.2.2.1): 13 bits of length from bit 30 on; 7 bytes of header, 9 with CRC.
    while let [0xff, flags, _, high, middle, low, _, ..] = rest {
        let bytes = usize::from(high & 3) << 11 | usize::from(*middle) << 3 | usize::from(low >> 5);
        let head = if flags & 1 == 1 { 7 } else { 9 };
        frames.push(rest[head..bytes].to_vec());
        rest = &rest[bytes..];
    }
    // The first tells the encoder's name, and is silence.
    frames.split_off(2)
}
