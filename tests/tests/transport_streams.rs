// SPDX-License-Identifier: MPL-2.0
//! Real clips written as MPEG-TS by the segmenter: independent decoders find the same pictures at
//! the same distances, and nothing to complain of.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use gstsegmenter::media::{Index, IndexTrack, TsSample, TsWriter};
use tests::clips::{self, Clip};
use tests::decode;

/// The clip as fragmented MP4, which the segmenter reads.
fn fragmented(clip: Clip, folder: &Path) -> PathBuf {
    let path = folder.join("fragmented.mp4");
    let flags = "+frag_keyframe+empty_moov+default_base_moof";
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(clips::get(clip))
        .args(["-c", "copy", "-strict", "-2", "-movflags", flags])
        .arg(&path)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{clip:?}");
    path
}

fn samples<'a>(file: &'a [u8], track: &IndexTrack) -> Vec<TsSample<'a>> {
    let hidden = track.edit_offset;
    let ticks_90k = |time: i64| (time - hidden) * 90_000 / i64::from(track.timescale);
    let sample = |sample: &gstsegmenter::media::IndexSample| TsSample {
        description: 0,
        pts_90k: ticks_90k(sample.pts),
        dts_90k: ticks_90k(sample.dts),
        is_entry: sample.sync,
        bytes: &file[sample.offset as usize..][..sample.bytes as usize],
    };
    let samples = track.samples.iter().map(sample);
    // The priming of sound is before the start of the cut.
    let is_shown = |sample: &TsSample<'_>| track.is_video || sample.pts_90k >= 0;
    samples.filter(is_shown).collect()
}

fn transport_stream(path: &Path) -> Vec<u8> {
    let file = fs::read(path).expect("it was just made");
    let index = Index::read(Cursor::new(&file)).expect("memory is readable");
    let entries = index.tracks.iter();
    let entries: Vec<_> = entries.map(|track| [track.sample_entry.clone()]).collect();
    let tracks: Vec<&[Vec<u8>]> = entries.iter().map(<[_; 1]>::as_slice).collect();
    let mut writer = TsWriter::new(&tracks).expect("MPEG-TS takes it");
    let mut all = Vec::new();
    for (number, track) in index.tracks.iter().enumerate() {
        let samples = samples(&file, track);
        all.extend(samples.into_iter().map(|sample| (number, sample)));
    }
    all.sort_by_key(|(_, sample)| sample.dts_90k);
    let mut out = Vec::new();
    for (track, sample) in all {
        writer.write(track, &sample, &mut out).expect("a sample");
    }
    writer.finish(&mut out).expect("the rest");
    out
}

/// Times from the first one, in 90 kHz.
fn distances(pictures: &[decode::Decoded], ticks_a_second: i64) -> Vec<i64> {
    let first = pictures.first().map_or(0, |picture| picture.pts);
    let pts = pictures.iter().map(|picture| picture.pts - first);
    pts.map(|pts| pts * 90_000 / ticks_a_second).collect()
}

fn ticks_a_second(path: &Path) -> i64 {
    let probed = decode::probe(path);
    let base = probed["streams"][0]["time_base"].as_str().expect("a base");
    let ticks = base.strip_prefix("1/").expect("one over something");
    ticks.parse().expect("a number")
}

fn is_the_same_in_a_transport_stream(clip: Clip) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = fragmented(clip, folder.path());
    let path = folder.path().join("cut.ts");
    fs::write(&path, transport_stream(&source)).expect("it can be written");
    decode::assert_ffmpeg_is_silent(&path);
    let expected = decode::frame_hashes(&source, "v:0");
    let pictures = decode::frame_hashes(&path, "v:0");
    let digests = |pictures: &[decode::Decoded]| -> Vec<String> {
        let digests = pictures.iter().map(|picture| picture.md5.clone());
        digests.collect()
    };
    assert_eq!(digests(&pictures), digests(&expected), "{clip:?}");
    let off = distances(&pictures, 90_000)
        .into_iter()
        .zip(distances(&expected, ticks_a_second(&source)))
        .map(|(time, expected)| (time - expected).abs());
    assert!(off.max() <= Some(1), "{clip:?}");
    let counted = decode::gstreamer_pictures(&path);
    assert_eq!(counted, expected.len() as u64, "{clip:?}");
}

#[test]
fn h264_with_b_frames_is_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::H264BAac);
    is_the_same_in_a_transport_stream(Clip::Bikes);
}

#[test]
fn h264_of_open_gops_is_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::H264OpenAac);
}

#[test]
fn h264_of_a_camera_is_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::H264NoBAac);
    is_the_same_in_a_transport_stream(Clip::H264NoBOpus);
}

#[test]
fn h264_of_variable_frame_rate_is_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::H264VfrAac);
}

#[test]
fn large_pictures_and_sound_of_six_channels_are_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::BigBuckBunny);
}

#[test]
fn h265_is_the_same_in_a_transport_stream() {
    is_the_same_in_a_transport_stream(Clip::H265Aac);
}
