// SPDX-License-Identifier: MPL-2.0
//! The frame index of a transport stream: every sample with its times and its place, without
//! decoding, in one pass and without the file in memory.

use std::io::{self, Read};

use super::super::frames::SegmentFrames;
use super::super::index::MOST_SAMPLES;
use super::super::pictures;
use super::super::skipped::Skipped;
use super::audio::Audio;
use super::gather::{Gather, Step};
use super::header::Clock;
use super::packet::{Packet, SYNC};
use super::packets::Packets;
use super::psi::{Elementary, Tables};
use super::video::Video;
use super::{opus, sounds};
use crate::utc::UtcNs;

/// What a transport stream holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsFrames {
    /// Its frames.
    pub frames: SegmentFrames,
    /// The streams that are not among them as they cannot be.
    pub skipped: Vec<Skipped>,
    /// Those that could be, had they a whole frame in the file.
    pub empty: Vec<Skipped>,
    /// PES packets, and frames of sound, left out because a part of them is damaged or missing.
    pub damaged: u64,
}

/// Why there is nothing to cut in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("no MPEG-TS packet at its start: {0}; it should be 188 bytes, the first of them 0x47")]
    NoPacket(String),
    /// PAT and PMT are missing or damaged.
    #[error("no programme is announced: MPEG-TS needs a PAT and a PMT before its frames")]
    NoStreams,
    /// It announces pictures, and there is none: what is left is no part of a recording of them.
    #[error("its video cannot be used: {0}")]
    NoPictures(String),
    /// None of the streams can be cut.
    #[error("no stream of it can be cut: {0}")]
    NothingToCut(String),
    /// More than could be held.
    #[error("more than two million samples; segments of up to an hour have fewer")]
    TooManySamples,
}

/// Reads the frame index of a transport stream whose first entry frame (or, without pictures,
/// first frame of sound) was at `start`.
///
/// Times count from that frame. Pictures before the first that decoding can start at are left
/// out, and so is whatever transport packets are damaged or missing of. A file that another
/// process still writes is to be given up to what [`measure_ts`](super::super::measure_ts) calls
/// whole: what ends the file is taken as whole unless it says otherwise.
///
/// # Errors
/// If reading fails, or there is nothing to cut.
pub fn ts_frames<R: Read>(reader: R, start: UtcNs) -> Result<TsFrames, TsError> {
    let mut packets = Packets::new(reader);
    check_start(packets.peek()?)?;
    let mut tables = Tables::default();
    let mut streams: Vec<Stream> = Vec::new();
    let mut clock = Clock::default();
    while let Some(found) = packets.next()? {
        if found.is_out_of_step {
            for stream in &mut streams {
                stream.gather.spoil();
            }
        }
        let Some(packet) = Packet::parse(found.bytes) else {
            continue;
        };
        match streams.iter_mut().find(|stream| stream.pid == packet.pid) {
            Some(stream) => {
                let has_more = stream.add(&packet, found.at, &mut clock);
                if has_more && streams.iter().map(Stream::frames).sum::<usize>() > MOST_SAMPLES {
                    return Err(TsError::TooManySamples);
                }
            }
            None => {
                tables.add(&packet);
                let fresh = tables.streams().get(streams.len()..).unwrap_or_default();
                streams.extend(fresh.iter().map(Stream::new));
            }
        }
    }
    let is_torn = packets.ends_torn();
    let has_ended = |stream: &Stream| !stream.is_cut() || stream.gather.has_ended();
    let is_whole = !is_torn && streams.iter().all(has_ended);
    streams.iter_mut().for_each(|stream| stream.end(is_torn));
    let mut found = collect(streams, start)?;
    found.frames.is_whole = is_whole && found.damaged == 0;
    Ok(found)
}

/// A file that is no transport stream has another name by mistake: say so, and what it begins with.
fn check_start(start: &[u8]) -> Result<(), TsError> {
    let head = start.get(..8).unwrap_or(start);
    match head.first() {
        Some(&SYNC) => Ok(()),
        None => Err(TsError::NoPacket("the file is empty".to_owned())),
        Some(_) => {
            let bytes: Vec<String> = head.iter().map(|byte| format!("{byte:02x}")).collect();
            let found = format!("it starts with {}", bytes.join(" "));
            Err(TsError::NoPacket(found))
        }
    }
}

/// Pictures first, then sound; what has no frame is skipped.
fn collect(streams: Vec<Stream>, start: UtcNs) -> Result<TsFrames, TsError> {
    if streams.is_empty() {
        return Err(TsError::NoStreams);
    }
    let zero = zero(&streams);
    let mut result = TsFrames::default();
    let (mut sounds, mut unusable) = (Vec::new(), None);
    for stream in streams {
        result.damaged += stream.gather.damaged;
        if let Some(reason) = stream.reason_to_skip() {
            result.skipped.push(stream.skipped(reason));
            continue;
        }
        if let Some(reason) = stream.reason_to_miss() {
            if matches!(stream.track, Track::Video(_)) {
                unusable = Some(format!(
                    "{} on PID {} has {reason}",
                    stream.name, stream.pid
                ));
            }
            let reason = format!("it has {reason}");
            result.empty.push(stream.skipped(reason));
            continue;
        }
        match stream.track {
            Track::Video(_) if !result.frames.tracks.is_empty() => {
                let reason = "it is not the first video, and a cut holds one";
                result.skipped.push(stream.skipped(reason.to_owned()));
            }
            Track::Video(video) => result.frames.tracks.push(video.finish(zero, start)),
            Track::Audio(audio) => {
                result.damaged += audio.damaged;
                sounds.push(audio.finish(zero, start));
            }
            Track::Unknown => {}
        }
    }
    if let Some(reason) = unusable.filter(|_| result.frames.tracks.is_empty()) {
        return Err(TsError::NoPictures(reason));
    }
    result.frames.tracks.extend(sounds);
    if result.frames.tracks.is_empty() {
        let reasons = result.skipped.iter().chain(&result.empty);
        let reasons: Vec<String> = reasons.map(Skipped::to_string).collect();
        return Err(TsError::NothingToCut(reasons.join("; ")));
    }
    Ok(result)
}

/// The first entry frame, or, without pictures, the first frame of sound.
fn zero(streams: &[Stream]) -> i64 {
    let video = streams.iter().find_map(|stream| match &stream.track {
        Track::Video(video) => video.first_pts(),
        _ => None,
    });
    let audio = || {
        streams.iter().find_map(|stream| match &stream.track {
            Track::Audio(audio) => audio.first_pts(),
            _ => None,
        })
    };
    video.or_else(audio).unwrap_or(0)
}

/// One elementary stream.
struct Stream {
    pid: u16,
    /// What it is called in messages.
    name: String,
    gather: Gather,
    track: Track,
}

enum Track {
    Video(Video),
    Audio(Audio),
    /// Not to be cut.
    Unknown,
}

impl Stream {
    fn new(announced: &Elementary) -> Self {
        let (name, track) = track(announced);
        Self {
            pid: announced.pid,
            name,
            gather: match track {
                Track::Video(_) => Gather::of_pictures(),
                Track::Audio(_) | Track::Unknown => Gather::of_sound(),
            },
            track,
        }
    }

    /// Takes a transport packet; whether there may be more frames now.
    fn add(&mut self, packet: &Packet<'_>, at: u64, clock: &mut Clock) -> bool {
        if matches!(self.track, Track::Unknown) {
            return false;
        }
        match self.gather.take(packet, at) {
            Step::Goes => false,
            Step::Begins(header) => {
                self.flush();
                self.gather.begin(header, packet, at, clock);
                true
            }
        }
    }

    /// Hands over the PES packet that is over.
    fn flush(&mut self) {
        match (&mut self.track, self.gather.finish()) {
            (Track::Video(video), Some(gathered)) => {
                let is_told = video.add(&gathered);
                self.gather.damaged += u64::from(!is_told);
            }
            (Track::Audio(audio), Some(gathered)) => audio.add(&gathered),
            (Track::Audio(audio), None) => audio.forget_torn(),
            _ => {}
        }
    }

    fn end(&mut self, is_torn: bool) {
        if is_torn {
            self.gather.spoil();
        }
        self.flush();
        if let Track::Audio(audio) = &mut self.track {
            audio.end();
        }
    }

    /// It is one of those that are cut.
    fn is_cut(&self) -> bool {
        !matches!(self.track, Track::Unknown)
    }

    fn frames(&self) -> usize {
        match &self.track {
            Track::Video(video) => video.frames(),
            Track::Audio(audio) => audio.frames(),
            Track::Unknown => 0,
        }
    }

    fn skipped(&self, reason: String) -> Skipped {
        Skipped {
            track: format!("PID {}", self.pid),
            codec: self.name.clone(),
            reason,
        }
    }

    /// Why it cannot be cut.
    fn reason_to_skip(&self) -> Option<String> {
        const SUITED: &str = "H.264, H.265, AAC, MP2, MP3, AC-3, E-AC-3 and Opus can be cut";
        match &self.track {
            Track::Unknown => Some(format!("of MPEG-TS, {SUITED}")),
            Track::Audio(audio) => {
                let reason = audio.unsuited?;
                Some(format!("it has {reason}; {SUITED}"))
            }
            Track::Video(_) => None,
        }
    }

    /// What it has where there is nothing of it.
    fn reason_to_miss(&self) -> Option<&'static str> {
        let has_none = self.frames() == 0;
        has_none.then_some(match &self.track {
            Track::Video(_) => "no whole picture whose parameter sets are there",
            _ => "not one whole frame",
        })
    }
}

/// Tags of descriptors in a DVB programme map (ETSI EN 300 468 table 12).
const TAG_TELETEXT: u8 = 0x56;
const TAG_SUBTITLES: u8 = 0x59;
const TAG_AC3: u8 = 0x6A;
const TAG_ENHANCED_AC3: u8 = 0x7A;
const TAG_DTS: u8 = 0x7B;
const TAG_REGISTRATION: u8 = 0x05;

/// What an announced stream is called, and how it is indexed (ISO/IEC 13818-1 table 2-34).
fn track(announced: &Elementary) -> (String, Track) {
    let video = |coding| Track::Video(Video::new(coding));
    let audio = |coding| Track::Audio(Audio::new(coding));
    match announced.stream_type {
        0x1B => ("H.264".to_owned(), video(pictures::Coding::H264)),
        0x24 => ("H.265".to_owned(), video(pictures::Coding::H265)),
        0x0F => ("AAC".to_owned(), audio(sounds::Coding::Adts)),
        0x11 => ("AAC in LATM".to_owned(), audio(sounds::Coding::Latm(None))),
        0x03 | 0x04 => ("MPEG audio".to_owned(), audio(sounds::Coding::MpegAudio)),
        // ATSC A/52 annexes A and G.
        0x81 => ("AC-3".to_owned(), audio(sounds::Coding::Dolby)),
        0x87 => ("E-AC-3".to_owned(), audio(sounds::Coding::Dolby)),
        0x06 => private(announced),
        kind => unknown(format!("stream type {kind:#04x}"), name_of_type(kind)),
    }
}

/// Private data: its descriptors say what it is.
fn private(announced: &Elementary) -> (String, Track) {
    let audio = |coding| Track::Audio(Audio::new(coding));
    let has = |tag: u8| announced.descriptors(tag).next().is_some();
    let is_registered = |format: &[u8; 4]| {
        let mut formats = announced.descriptors(TAG_REGISTRATION);
        formats.any(|body| body.starts_with(format))
    };
    match opus::Layout::announced(announced) {
        Some(Ok(layout)) => return ("Opus".to_owned(), audio(sounds::Coding::Opus(layout))),
        Some(Err(code)) => {
            let name = format!("Opus with the channel configuration {code:#04x}");
            return (name, Track::Unknown);
        }
        None => {}
    }
    if has(TAG_AC3) || is_registered(b"AC-3") {
        return ("AC-3".to_owned(), audio(sounds::Coding::Dolby));
    }
    if has(TAG_ENHANCED_AC3) || is_registered(b"EAC3") {
        return ("E-AC-3".to_owned(), audio(sounds::Coding::Dolby));
    }
    let name = if has(TAG_DTS) || [b"DTS1", b"DTS2", b"DTS3"].into_iter().any(is_registered) {
        "DTS"
    } else if is_registered(b"BSSD") {
        "PCM of SMPTE 302M"
    } else if has(TAG_TELETEXT) {
        "teletext"
    } else if has(TAG_SUBTITLES) {
        "DVB subtitles"
    } else if is_registered(b"KLVA") {
        "KLV metadata"
    } else {
        "private data"
    };
    unknown(format!("stream type {:#04x}", announced.stream_type), name)
}

fn unknown(kind: String, name: &str) -> (String, Track) {
    (format!("{name} ({kind})"), Track::Unknown)
}

fn name_of_type(kind: u8) -> &'static str {
    match kind {
        0x01 | 0x02 => "MPEG-1 or MPEG-2 video",
        0x05 => "private sections",
        0x10 => "MPEG-4 Visual",
        0x15 => "metadata",
        0x1C => "AAC without ADTS",
        0x20 => "H.264 MVC",
        0x21 => "JPEG 2000",
        0x27 => "H.265 enhancement",
        0x33 => "H.266",
        0x80 => "PCM or a user's own",
        0x82 | 0x8A => "DTS",
        0x86 => "SCTE-35 cues",
        _ => "an unknown codec",
    }
}
