// SPDX-License-Identifier: MPL-2.0
//! The reader gives back what the writer wrote, reads what other muxers write, and lives through
//! files that are cut off or hostile.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;

use mp4_atom::{BufMut, Encode};

use super::material::{self, ORIGIN, Stream, encode, mark, streams, write_chunks, write_segment};
use super::tools::{complaints, decode, run, text};
use crate::media::{
    Codec, Index, IndexSample, IndexTrack, Measured, Run, Sample, TimeSource, Track, UtcPoint,
    VideoFormat, chunk_header, init, measure, measure_mp4_from,
};
use crate::utc::UtcNs;

const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=1";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=1";
const H264_AND_AAC: [&str; 8] = ["-c:v", "libx264", "-bf", "3", "-g", "10", "-c:a", "aac"];

fn nanoseconds(ticks: i64, timescale: u32) -> i64 {
    let timescale = i128::from(timescale);
    ((i128::from(ticks) * 1_000_000_000 + timescale / 2).div_euclid(timescale)) as i64
}

#[test]
fn the_index_gives_back_every_sample_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &H264_AND_AAC);
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
        assert_eq!(track.edit_offset, stream.hidden());
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
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &H264_AND_AAC);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    let index = Index::read(File::open(segment).expect("the segment")).expect("an index");
    let [video, audio] = &index.tracks[..] else {
        panic!("two tracks");
    };
    let Codec::H264 { avcc, .. } = &streams[0].track.codec else {
        panic!("H.264");
    };
    assert_eq!(video.codec(), *b"avc1");
    assert_eq!(video.configuration(), Some((*b"avcC", &avcc[..])));
    assert_eq!(audio.codec(), *b"mp4a");
    let esds = audio.configuration().map(|(kind, _)| kind);
    assert_eq!(esds, Some(*b"esds"));
}

#[test]
fn what_ffmpeg_fragments_is_indexed_as_ffprobe_sees_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let fragments = ["-movflags", "frag_keyframe+delay_moov+default_base_moof"];
    let options = [&H264_AND_AAC[..], &fragments[..]].concat();
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
    let hidden = track.edit_offset as i64;
    let flags = if sample.sync { "K_" } else { "__" };
    let (pts, dts) = (sample.pts - hidden, sample.dts - hidden);
    format!("{pts},{dts},{},{},{flags}", sample.bytes, sample.offset)
}

#[test]
fn cut_off_at_any_byte_a_segment_is_whole_up_to_its_last_chunk_and_decodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &H264_AND_AAC);
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
    let source = encode(folder.path(), "source.mp4", &[PICTURE], &H264_AND_AAC[..6]);
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
    let source = encode(folder.path(), "source.mp4", &[PICTURE], &H264_AND_AAC[..6]);
    let chunks = write_chunks(&streams(&source));
    let whole = chunks[..3].concat();
    let torn = [&whole[..], &[0; 8192]].concat();
    let measured = measure_mp4_from(Cursor::new(torn)).expect("a measure");
    assert_eq!(measured.whole_bytes, whole.len() as u64);
}

/// A track, chunk and mark that depend on nothing but this file.
fn fixed() -> (Track, UtcPoint, [Run; 2]) {
    let track = Track {
        timescale: 90_000,
        codec: Codec::H264 {
            avcc: vec![1, 100, 0, 31, 255, 225, 0, 1, 103, 1, 0, 1, 104],
            in_band: false,
            format: VideoFormat {
                width: 1440,
                height: 1080,
                pixel_aspect: (4, 3),
                colour: Some(crate::media::Colour {
                    primaries: 1,
                    transfer: 1,
                    matrix: 1,
                    full_range: false,
                }),
            },
        },
    };
    let sample = |bytes, composition_offset, sync| Sample {
        bytes,
        duration: 3000,
        composition_offset,
        sync,
    };
    let video = Run {
        track: 0,
        base_decode_time: 18_000,
        samples: vec![
            sample(5000, 6000, true),
            sample(700, 9000, false),
            sample(90, -3000, false),
        ],
    };
    let audio = Run {
        track: 1,
        base_decode_time: 9600,
        samples: vec![
            Sample {
                bytes: 320,
                duration: 1024,
                composition_offset: 0,
                sync: true
            };
            3
        ],
    };
    let point = UtcPoint {
        track: 0,
        media_time: 24_000,
        utc: ORIGIN,
    };
    (track, point, [video, audio])
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn the_bytes_of_head_and_chunk_change_only_on_purpose() {
    let (video, point, runs) = fixed();
    let audio = Track {
        timescale: 48_000,
        codec: Codec::Aac {
            audio_specific_config: vec![0x11, 0x90],
            channels: 2,
            rate: 48_000,
        },
    };
    let head = init(&[(&video, 6000), (&audio, 0)], &mark()).expect("a head");
    let chunk = chunk_header(3, &point, TimeSource::Reference, &runs).expect("a chunk");
    assert_eq!(
        digest(&head),
        "a1cc794ec49a793c6154ab8e6fb07920d5df0a35297e505dfd4d55ba2b6195a2"
    );
    assert_eq!(
        digest(&chunk),
        "e7c432b55e9236a4aabb14a0401b2869cf27a9cc85627890535d6f0a06d6dd15"
    );
}

#[test]
fn signed_offsets_shared_defaults_and_reference_times_come_back() {
    let (video, point, runs) = fixed();
    let audio = Track {
        timescale: 48_000,
        codec: Codec::Mulaw {
            channels: 1,
            rate: 48_000,
        },
    };
    let mut file = init(&[(&video, 6000), (&audio, 0)], &mark()).expect("a head");
    file.extend(chunk_header(1, &point, TimeSource::Reference, &runs).expect("a chunk"));
    file.resize(file.len() + 5000 + 700 + 90 + 3 * 320, 0xAA);
    let index = Index::read(Cursor::new(&file)).expect("an index");
    let [video, audio] = &index.tracks[..] else {
        panic!("two tracks");
    };
    let times: Vec<(i64, i64, bool)> = video
        .samples
        .iter()
        .map(|s| (s.pts, s.dts, s.sync))
        .collect();
    assert_eq!(
        times,
        [
            (24_000, 18_000, true),
            (30_000, 21_000, false),
            (21_000, 24_000, false)
        ]
    );
    let utcs: Vec<Option<UtcNs>> = video.samples.iter().map(|sample| sample.utc).collect();
    let ticks = |ticks| Some(ORIGIN + nanoseconds(ticks, 90_000));
    assert_eq!(utcs, [ticks(0), ticks(6000), ticks(-3000)]);
    assert!(
        audio
            .samples
            .iter()
            .all(|sample| sample.sync && sample.bytes == 320)
    );
    // Presentation starts at media time 6000 of the video, so its 24000 is 0.2 s, and so is
    // 9600 of the audio.
    assert_eq!(audio.samples[0].utc, Some(ORIGIN));
    assert_eq!(audio.samples[2].offset + 320, file.len() as u64);
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
    let mut bomb = init(&[(&video, 0)], &mark()).expect("a head");
    bomb.encode_atom(b"moof", |buf| {
        buf.encode_atom(b"traf", |buf| {
            [20, u32::from_be_bytes(*b"tfhd"), 0x02_0010, 1, 0]
                .iter()
                .try_for_each(|v| v.encode(buf))?;
            [16, u32::from_be_bytes(*b"tfdt"), 0, 0]
                .iter()
                .try_for_each(|v| v.encode(buf))?;
            [16, u32::from_be_bytes(*b"trun"), 0, u32::MAX]
                .iter()
                .try_for_each(|v: &u32| v.encode(buf))
        })
    })
    .expect("a box");
    bomb.extend(b"\0\0\0\x08mdat");
    assert_eq!(
        measure_mp4_from(Cursor::new(bomb))
            .expect("a measure")
            .whole_bytes,
        0
    );
}

#[test]
fn any_byte_of_a_segment_may_be_wrong_without_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &H264_AND_AAC);
    let streams: Vec<Stream> = streams(&source);
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

#[test]
fn what_cannot_be_written_is_refused_with_a_reason() {
    let (video, point, runs) = fixed();
    let with_codec = |codec| Track {
        timescale: 90_000,
        codec,
    };
    let format = material::square(0, 1080);
    let avcc = vec![1, 100, 0, 31, 255, 225, 0];
    let empty = with_codec(Codec::H264 {
        avcc,
        in_band: false,
        format,
    });
    let stopped = Track {
        timescale: 0,
        ..video.clone()
    };
    let start_code = with_codec(Codec::H265 {
        hvcc: vec![0, 0, 0, 1, 64],
        in_band: false,
        format: material::square(1920, 1080),
    });
    let markers = with_codec(Codec::Flac {
        metadata: b"fLaC\0\0\0\x22".to_vec(),
        channels: 2,
        rate: 48_000,
        bits: 16,
    });
    for (track, reason) in [
        (empty, "a frame of 0x1080 does not fit"),
        (stopped, "track 0 has a timescale of 0"),
        (start_code, "the H.265 configuration is not valid"),
        (markers, "the FLAC configuration is not valid"),
    ] {
        let error = init(&[(&track, 0)], &mark()).expect_err(reason).to_string();
        assert!(error.starts_with(reason), "{error}");
    }
    assert!(init(&[], &mark()).is_err());
    assert!(chunk_header(1, &point, TimeSource::Clock, &[]).is_err());
    let far = UtcPoint {
        utc: UtcNs(i64::MAX),
        ..point
    };
    assert!(chunk_header(1, &far, TimeSource::Clock, &runs).is_err());
}

#[test]
fn a_chunk_of_more_than_4_gib_takes_a_size_of_64_bits() {
    let sample = Sample {
        bytes: u32::MAX,
        duration: 1,
        composition_offset: 0,
        sync: true,
    };
    let run = Run {
        track: 0,
        base_decode_time: 0,
        samples: vec![sample; 2],
    };
    let (_, point, _) = fixed();
    let header = chunk_header(1, &point, TimeSource::Clock, &[run.clone()]).expect("a chunk");
    let mdat = &header[header.len() - 16..];
    assert_eq!(mdat[..8], *b"\0\0\0\x01mdat");
    let size = u64::from_be_bytes(mdat[8..].try_into().expect("8 bytes"));
    assert_eq!(size, 16 + 2 * u64::from(u32::MAX));
    // A second run would start where its offset has no bits for.
    assert!(chunk_header(1, &point, TimeSource::Clock, &[run.clone(), run]).is_err());
}
