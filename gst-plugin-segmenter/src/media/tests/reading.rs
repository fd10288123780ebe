// SPDX-License-Identifier: MPL-2.0
//! The reader gives back what the writer wrote, reads what other muxers write, and lives through
//! files that are cut off or hostile.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;

use mp4_atom::{BufMut, Encode};

use super::material::{ORIGIN, encode, mark, streams, write_chunks, write_segment};
use super::tools::{complaints, decode, run, text};
use super::writing::fixed;
use crate::media::{
    Codec, Index, IndexSample, IndexTrack, Measured, TimeSource, Track, chunk_header, init,
    measure, measure_mp4_from,
};

const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=1";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=1";
const H264: &str = "-c:v libx264 -bf 3 -g 10";
const H264_AND_AAC: &str = "-c:v libx264 -bf 3 -g 10 -c:a aac";

fn nanoseconds(ticks: i64, timescale: u32) -> i64 {
    let timescale = i128::from(timescale);
    ((i128::from(ticks) * 1_000_000_000 + timescale / 2).div_euclid(timescale)) as i64
}

#[test]
fn the_index_gives_back_every_sample_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], H264_AND_AAC);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    let file = fs::read(&segment).expect("the segment");
    let index = Index::read(Cursor::new(&file)).expect("an index");
    assert_eq!(index.mark, Some(mark()));
    assert_eq!(index.whole_bytes, file.len() as u64);
    assert_eq!(
        index.chunks.first().map(|chunk| chunk.start),
        Some(index.head_bytes)
    );
    assert!(
        index
            .chunks
            .windows(2)
            .all(|pair| pair[0].end == pair[1].start)
    );
    assert_eq!(index.tracks.len(), streams.len());
    for (track, stream) in index.tracks.iter().zip(&streams) {
        assert_eq!(track.timescale, stream.track.timescale);
        assert_eq!(track.edit_offset, stream.hidden() as i64);
        assert_eq!(track.samples.len(), stream.packets.len());
        for (sample, packet) in track.samples.iter().zip(&stream.packets) {
            let hidden = stream.hidden() as i64;
            let at = sample.offset as usize;
            assert_eq!(sample.pts, packet.pts + hidden);
            assert_eq!(sample.dts, packet.dts + hidden);
            assert_eq!(sample.duration, packet.duration);
            assert_eq!(sample.sync, packet.sync);
            assert_eq!(file[at..at + sample.bytes as usize], packet.data);
            let utc = ORIGIN + nanoseconds(packet.pts, track.timescale);
            let off_ns = sample.utc.expect("a time") - utc;
            // Two roundings: the reference point of the chunk and the sample itself.
            assert!(off_ns.abs() <= 1, "{off_ns} ns off");
        }
    }
}

#[test]
fn the_index_gives_back_codecs_and_their_configuration_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], H264_AND_AAC);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    let index = Index::read(File::open(segment).expect("the segment")).expect("an index");
    let [video, audio] = &index.tracks[..] else {
        panic!("two tracks");
    };
    let Codec::H264 { avcc, .. } = &streams[0].track.codec else {
        panic!("H.264");
    };
    assert!(video.is_video && !audio.is_video);
    assert_eq!(video.codec(), *b"avc1");
    assert_eq!(video.configuration(), Some((*b"avcC", &avcc[..])));
    assert_eq!(audio.codec(), *b"mp4a");
    let esds = audio.configuration().map(|(kind, _)| kind);
    assert_eq!(esds, Some(*b"esds"));
}

#[test]
fn what_ffmpeg_fragments_is_indexed_as_ffprobe_sees_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let fragments = "-movflags frag_keyframe+delay_moov+default_base_moof";
    let options = format!("{H264_AND_AAC} {fragments}");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &options);
    let index = Index::read(File::open(&source).expect("the file")).expect("an index");
    assert_eq!(index.mark, None);
    for (track, section) in index.tracks.iter().zip(["0", "1"]) {
        let seen = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-select_streams",
                section,
                "-show_entries",
                "packet=pts,dts,size,pos,flags",
                "-of",
                "csv=p=0",
                text(&source),
            ],
        );
        let read: Vec<String> = track
            .samples
            .iter()
            .map(|sample| as_ffprobe(track, sample))
            .collect();
        let seen: Vec<&str> = seen.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(read, seen);
        assert!(track.samples.iter().all(|sample| sample.utc.is_none()));
    }
}

fn as_ffprobe(track: &IndexTrack, sample: &IndexSample) -> String {
    let hidden = track.edit_offset;
    let flags = if sample.sync { "K_" } else { "__" };
    let (pts, dts) = (sample.pts - hidden, sample.dts - hidden);
    format!("{pts},{dts},{},{},{flags}", sample.bytes, sample.offset)
}

#[test]
fn cut_off_at_any_byte_a_segment_is_whole_up_to_its_last_chunk_and_decodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], H264_AND_AAC);
    let streams = streams(&source);
    let chunks = write_chunks(&streams);
    let segment = chunks.concat();
    let ends: Vec<u64> = chunks
        .iter()
        .scan(0, |end, chunk| {
            *end += chunk.len() as u64;
            Some(*end)
        })
        .collect();
    let mut whole = Vec::new();
    for bytes in 0..=segment.len() {
        let measured =
            measure_mp4_from(Cursor::new(&segment[..bytes])).expect("memory is readable");
        let expected = ends[1..].iter().filter(|end| **end <= bytes as u64).max();
        assert_eq!(
            measured.whole_bytes,
            expected.copied().unwrap_or(0),
            "of {bytes}"
        );
        whole.push(measured);
    }
    whole.dedup();
    assert_eq!(
        whole.len(),
        chunks.len(),
        "nothing, then one step for each chunk"
    );
    for measured in &whole[1..] {
        decodes_as_measured(folder.path(), &segment, measured);
    }
}

#[track_caller]
fn decodes_as_measured(folder: &Path, segment: &[u8], measured: &Measured) {
    let path = folder.join("prefix.mp4");
    fs::write(&path, &segment[..measured.whole_bytes as usize]).expect("the prefix");
    assert_eq!(complaints(&path), "", "{measured:?}");
    assert!(!decode(&path).is_empty());
    assert_eq!(measured.start, Some(ORIGIN));
}

#[test]
fn a_whole_segment_measures_from_its_first_frame_to_the_end_of_its_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE], H264);
    let segment = write_segment(&source, &streams(&source));
    let file = File::open(&segment).expect("the segment");
    let measured = measure(&file, false).expect("a measure");
    let expected = Measured {
        whole_bytes: file.metadata().expect("its size").len(),
        duration_ns: 1_000_000_000,
        start: Some(ORIGIN),
    };
    assert_eq!(measured, expected);
}

#[test]
fn zeros_where_a_power_cut_kept_the_data_from_the_disk_are_cut_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE], H264);
    let chunks = write_chunks(&streams(&source));
    let whole = chunks[..3].concat();
    let torn = [&whole[..], &[0; 8192]].concat();
    let measured = measure_mp4_from(Cursor::new(torn)).expect("a measure");
    assert_eq!(measured.whole_bytes, whole.len() as u64);
}

#[test]
fn boxes_nested_without_end_do_not_overflow_the_stack() {
    let mut nested = Vec::new();
    let depth = 1 << 20;
    for level in 0..depth {
        let bytes: u32 = (depth - level) * 8;
        nested.extend(bytes.to_be_bytes());
        nested.extend(b"moov");
    }
    assert_eq!(
        measure_mp4_from(Cursor::new(nested)).expect("a measure"),
        Measured::default()
    );
}

#[test]
fn a_run_that_names_thousands_of_millions_of_empty_samples_is_not_believed() {
    let (video, point, runs) = fixed();
    let mut file = init(&[(&video, 0)], &mark()).expect("a head");
    let head_bytes = file.len() as u64;
    file.extend(chunk_header(1, &point, TimeSource::Clock, &runs[..1]).expect("a chunk"));
    file.resize(file.len() + 5790, 0);
    assert!(
        measure_mp4_from(Cursor::new(&file))
            .expect("a measure")
            .whole_bytes
            > head_bytes
    );
    for count in [u32::MAX, 5000] {
        let bomb = bomb(&video, count);
        let measured = measure_mp4_from(Cursor::new(bomb)).expect("a measure");
        assert_eq!(measured.whole_bytes, 0);
    }
}

#[test]
fn a_segment_of_millions_of_samples_that_are_all_there_is_an_error() {
    let (video, ..) = fixed();
    let mut file = init(&[(&video, 0)], &mark()).expect("a head");
    let moof_bytes = 8 + 8 + 20 + 16 + 20;
    for _ in 0..3 {
        let count = 1 << 20;
        push_moof(&mut file, 1, &[1, count, moof_bytes + 8]);
        file.extend((count + 8).to_be_bytes());
        file.extend(b"mdat");
        file.resize(file.len() + count as usize, 0);
    }
    let refused = Index::read(Cursor::new(&file)).expect_err("three million");
    assert!(refused.to_string().contains("two million samples"));
}

/// A segment whose only run has `count` samples of no bytes, and no entry for any of them.
fn bomb(track: &Track, count: u32) -> Vec<u8> {
    let mut bomb = init(&[(track, 0)], &mark()).expect("a head");
    push_moof(&mut bomb, 0, &[0, count]);
    bomb.extend(b"\0\0\0\x08mdat");
    bomb
}

/// A `moof` of one run, given by the fields of its `trun`, whose samples have `sample_bytes` each.
fn push_moof(file: &mut Vec<u8>, sample_bytes: u32, run: &[u32]) {
    let fields = |buf: &mut Vec<u8>, kind: &[u8; 4], fields: &[u32]| {
        buf.encode_atom(kind, |buf| {
            fields.iter().try_for_each(|field| field.encode(buf))
        })
    };
    file.encode_atom(b"moof", |buf| {
        buf.encode_atom(b"traf", |buf| {
            fields(buf, b"tfhd", &[0x02_0010, 1, sample_bytes])?;
            fields(buf, b"tfdt", &[0, 0])?;
            fields(buf, b"trun", run)
        })
    })
    .expect("a box");
}

#[test]
fn any_byte_of_a_segment_may_be_wrong_without_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], H264_AND_AAC);
    let streams = streams(&source);
    let segment = write_chunks(&streams)[..3].concat();
    for at in 0..segment.len().min(4096) {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut damaged = segment.clone();
            damaged[at] = value;
            let index = Index::read(Cursor::new(&damaged)).expect("memory is readable");
            assert!(index.whole_bytes <= damaged.len() as u64);
            let measured = measure_mp4_from(Cursor::new(&damaged)).expect("memory is readable");
            assert_eq!(measured.whole_bytes, index.whole_bytes);
        }
    }
}
