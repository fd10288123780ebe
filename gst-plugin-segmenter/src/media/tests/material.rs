// SPDX-License-Identifier: MPL-2.0
//! Encoded material and its frames. ffmpeg encodes it, ffprobe says where each frame lies:
//! our own reader is not asked here, so it can be tested against this.

use std::fs;
use std::path::{Path, PathBuf};

use super::tools::{probe, run, text};
use crate::media::{
    Codec, Colour, OpusMapping, Run, Sample, SegmentMark, TimeSource, Track, UtcPoint, VideoFormat,
    chunk_header, init,
};
use crate::utc::UtcNs;

/// The UTC of presentation time zero in every test segment.
pub const ORIGIN: UtcNs = UtcNs(1_795_170_667_250_000_000);
/// How much of each track a chunk holds.
const CHUNK_S: f64 = 0.2;

/// One encoded frame.
#[derive(Clone, Debug)]
pub struct Packet {
    pub pts: i64,
    pub dts: i64,
    pub duration: u32,
    pub sync: bool,
    pub data: Vec<u8>,
}

/// One track of the material.
#[derive(Clone, Debug)]
pub struct Stream {
    pub track: Track,
    pub packets: Vec<Packet>,
}

impl Stream {
    /// The media time at which presentation starts: what decoding is ahead of it. A track that
    /// starts later than the others has nothing to hide.
    pub fn hidden(&self) -> u64 {
        let first = self.packets.first().expect("a packet").dts;
        u64::try_from(-first).unwrap_or(0)
    }
}

/// Encodes with ffmpeg: `inputs` of its lavfi, `options` as on its command line.
#[track_caller]
pub fn encode(folder: &Path, name: &str, inputs: &[&str], options: &str) -> PathBuf {
    let path = folder.join(name);
    let mut arguments = vec!["-v", "error", "-y"];
    for input in inputs {
        arguments.extend(["-f", "lavfi", "-i", input]);
    }
    if inputs.len() > 1 {
        let maps = ["-map", "0", "-map", "1", "-map", "2", "-map", "3"];
        arguments.extend(&maps[..2 * inputs.len()]);
    }
    arguments.extend(["-video_track_timescale", "90000", "-strict", "-2"]);
    arguments.extend(options.split_whitespace());
    arguments.push(text(&path));
    run("ffmpeg", &arguments);
    path
}

/// The tracks of an MP4 or MOV file, as ffprobe sees them.
#[track_caller]
pub fn streams(path: &Path) -> Vec<Stream> {
    let file = fs::read(path).expect("the material");
    let count = probe(path, "format", "nb_streams")
        .parse()
        .expect("a count");
    (0..count).map(|index| stream(path, &file, index)).collect()
}

fn stream(path: &Path, file: &[u8], index: usize) -> Stream {
    let section = index.to_string();
    let value = |entry: &str| probe(path, &section, entry);
    let time_base = value("time_base");
    let timescale = time_base.strip_prefix("1/").expect("one over something");
    let track = Track {
        timescale: timescale.parse().expect("a timescale"),
        codec: codec(file, &value),
    };
    let entries = "packet=pts,dts,duration,size,pos,flags";
    let listing = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-select_streams",
            &section,
            "-show_entries",
            entries,
            "-of",
            "compact=p=0",
            text(path),
        ],
    );
    Stream {
        track,
        packets: listing
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| packet(file, line))
            .collect(),
    }
}

fn packet(file: &[u8], line: &str) -> Packet {
    let field = |name: &str| {
        let mut fields = line.split('|').filter_map(|field| field.split_once('='));
        fields
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .unwrap_or_else(|| panic!("no {name} in {line}"))
    };
    let number = |name: &str| {
        field(name)
            .parse::<i64>()
            .unwrap_or_else(|_| panic!("{name} in {line}"))
    };
    let position = number("pos") as usize;
    Packet {
        pts: number("pts"),
        dts: number("dts"),
        duration: number("duration") as u32,
        sync: field("flags").starts_with('K'),
        data: file[position..position + number("size") as usize].to_vec(),
    }
}

fn codec(file: &[u8], value: &dyn Fn(&str) -> String) -> Codec {
    let name = value("codec_name");
    let format = || VideoFormat {
        width: value("width").parse().expect("a width"),
        height: value("height").parse().expect("a height"),
        pixel_aspect: aspect(&value("sample_aspect_ratio")),
        colour: colour(file),
        orientation: Default::default(),
    };
    let channels = || value("channels").parse().expect("channels");
    let rate = || value("sample_rate").parse().expect("a rate");
    match name.as_str() {
        "h264" => Codec::H264 {
            avcc: boxed(file, b"avcC"),
            in_band: false,
            format: format(),
        },
        "hevc" => Codec::H265 {
            hvcc: boxed(file, b"hvcC"),
            in_band: false,
            format: format(),
        },
        "av1" => Codec::Av1 {
            av1c: boxed(file, b"av1C"),
            format: format(),
        },
        "vp9" => {
            let vpcc = boxed(file, b"vpcC");
            Codec::Vp9 {
                profile: vpcc[4],
                level: vpcc[5],
                bit_depth: vpcc[6] >> 4,
                chroma_subsampling: (vpcc[6] >> 1) & 7,
                format: format(),
            }
        }
        "aac" => Codec::Aac {
            audio_specific_config: audio_specific_config(file),
            channels: channels(),
            rate: rate(),
        },
        "opus" => opus(&boxed(file, b"dOps")),
        "mp2" => Codec::Mp2 {
            channels: channels(),
            rate: rate(),
        },
        "ac3" => Codec::Ac3 {
            dac3: boxed(file, b"dac3"),
            channels: channels(),
            rate: rate(),
        },
        "eac3" => Codec::Eac3 {
            dec3: boxed(file, b"dec3"),
            channels: channels(),
            rate: rate(),
        },
        "mp3" => Codec::Mp3 {
            channels: channels(),
            rate: rate(),
        },
        "flac" => Codec::Flac {
            metadata: boxed(file, b"dfLa")[4..].to_vec(),
            channels: channels(),
            rate: rate(),
            bits: 16,
        },
        "pcm_alaw" => Codec::Alaw {
            channels: channels(),
            rate: rate(),
        },
        "pcm_mulaw" => Codec::Mulaw {
            channels: channels(),
            rate: rate(),
        },
        other => panic!("no test material in {other}"),
    }
}

fn aspect(text: &str) -> (u32, u32) {
    let (width, height) = text.split_once(':').unwrap_or(("1", "1"));
    match (width.parse(), height.parse()) {
        (Ok(width), Ok(height)) if width > 0 && height > 0 => (width, height),
        _ => (1, 1),
    }
}

fn opus(dops: &[u8]) -> Codec {
    let mapping = (dops[10] != 0).then(|| OpusMapping {
        family: dops[10],
        streams: dops[11],
        coupled: dops[12],
        channels: dops[13..].to_vec(),
    });
    Codec::Opus {
        channels: dops[1],
        pre_skip: u16::from_be_bytes([dops[2], dops[3]]),
        input_rate: u32::from_be_bytes([dops[4], dops[5], dops[6], dops[7]]),
        gain: i16::from_be_bytes([dops[8], dops[9]]),
        mapping,
    }
}

/// The body of the first box of a kind, wherever it stands.
fn boxed(file: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    find(file, kind)
        .unwrap_or_else(|| panic!("no {} in the material", String::from_utf8_lossy(kind)))
}

fn find(file: &[u8], kind: &[u8; 4]) -> Option<Vec<u8>> {
    let at = file.windows(4).position(|window| window == kind)?;
    let size = u32::from_be_bytes(file[at - 4..at].try_into().expect("4 bytes")) as usize;
    Some(file[at + 4..at - 4 + size].to_vec())
}

fn colour(file: &[u8]) -> Option<Colour> {
    let colr = find(file, b"colr")?;
    let field = |at: usize| u16::from_be_bytes([colr[at], colr[at + 1]]);
    Some(Colour {
        primaries: field(4),
        transfer: field(6),
        matrix: field(8),
        full_range: colr.get(10).is_some_and(|byte| byte & 0x80 != 0),
    })
}

/// DecoderSpecificInfo in the `esds` that ffmpeg writes: tag 5, size in four bytes.
fn audio_specific_config(file: &[u8]) -> Vec<u8> {
    let esds = boxed(file, b"esds");
    let at = esds
        .windows(4)
        .position(|window| window == [5, 0x80, 0x80, 0x80])
        .expect("a configuration");
    esds[at + 5..at + 5 + usize::from(esds[at + 4])].to_vec()
}

/// The mark of every test segment.
pub fn mark() -> SegmentMark {
    SegmentMark {
        origin: ORIGIN,
        discontinuity: false,
        time_source: TimeSource::Clock,
        run: *b"run of the tests",
        sequence: 7,
    }
}

/// Writes the material as one segment, chunk by chunk, and returns the chunks, the head first.
pub fn write_chunks(streams: &[Stream]) -> Vec<Vec<u8>> {
    let tracks: Vec<(&Track, u64)> = streams.iter().map(|s| (&s.track, s.hidden())).collect();
    let mut chunks = vec![init(&tracks, &mark()).expect("a head")];
    let mut next = vec![0; streams.len()];
    for sequence in 1.. {
        let end_s = CHUNK_S * f64::from(sequence);
        let Some(chunk) = write_chunk(streams, &mut next, sequence, end_s) else {
            if next
                .iter()
                .zip(streams)
                .all(|(next, stream)| *next == stream.packets.len())
            {
                break;
            }
            continue;
        };
        chunks.push(chunk);
    }
    chunks
}

fn write_chunk(
    streams: &[Stream],
    next: &mut [usize],
    sequence: u32,
    end_s: f64,
) -> Option<Vec<u8>> {
    let mut runs = Vec::new();
    let mut frames = Vec::new();
    let mut point = None;
    for (track, stream) in streams.iter().enumerate() {
        let hidden = stream.hidden() as i64;
        let scale = f64::from(stream.track.timescale);
        let from = next[track];
        let due = |packet: &&Packet| ((packet.dts + hidden) as f64) / scale < end_s;
        let packets: Vec<&Packet> = stream.packets[from..].iter().take_while(due).collect();
        let Some(first) = packets.first() else {
            continue;
        };
        next[track] += packets.len();
        let utc = |pts: i64| {
            ORIGIN + (i128::from(pts) * 1_000_000_000 / i128::from(stream.track.timescale)) as i64
        };
        point.get_or_insert(UtcPoint {
            track,
            media_time: (first.pts + hidden) as u64,
            utc: utc(first.pts),
        });
        frames.extend(packets.iter().flat_map(|packet| packet.data.clone()));
        runs.push(Run {
            track,
            base_decode_time: (first.dts + hidden) as u64,
            samples: samples(&packets),
        });
    }
    let mut chunk = chunk_header(sequence, &point?, TimeSource::Clock, &runs).expect("a chunk");
    chunk.extend(frames);
    Some(chunk)
}

fn samples(packets: &[&Packet]) -> Vec<Sample> {
    let sample = |packet: &&Packet| Sample {
        bytes: packet.data.len() as u32,
        duration: packet.duration,
        composition_offset: (packet.pts - packet.dts) as i32,
        sync: packet.sync,
    };
    packets.iter().map(sample).collect()
}

/// Writes the material as one segment file beside it.
pub fn write_segment(source: &Path, streams: &[Stream]) -> PathBuf {
    let path = source.with_extension("segment.mp4");
    fs::write(&path, write_chunks(streams).concat()).expect("the segment");
    path
}

/// A picture of square pixels and unknown colour.
pub fn square(width: u32, height: u32) -> VideoFormat {
    VideoFormat {
        width,
        height,
        pixel_aspect: (1, 1),
        colour: None,
        orientation: Default::default(),
    }
}
