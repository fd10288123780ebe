// SPDX-License-Identifier: MPL-2.0
//! The head of a segment: `ftyp`, the mark, `moov`.
//!
//! Brands: `iso6` (ISO/IEC 14496-12 Annex E) is what a reader must know to play a segment:
//! `default-base-is-moof`, `tfdt`, and signed composition offsets. `mp41` announces `mp4a`'s
//! descriptors (ISO/IEC 14496-14), `av01` AV1 (AV1-ISOBMFF §2.1). `cmfc` is left out: a CMAF
//! track file holds one track, ours hold all.
//!
//! Containers are nested by hand and their leaves come from `mp4-atom`, because its own
//! containers take only its own sample entries (see [`super::entry`]).

use mp4_atom::{
    BufMut, Dinf, Dref, Elst, ElstEntry, Encode, FixedPoint, FourCC, Ftyp, Hdlr, Mdhd, Mvhd, Smhd,
    Stco, Stsc, Stsz, Stts, Tkhd, Trex, Url, Vmhd,
};

use super::format::{Track, VideoFormat};
use super::mark::SegmentMark;
use super::{MediaError, entry};
use crate::utc::{SECOND_NS, UtcNs};

/// What the closures inside a box return.
pub type BoxResult = Result<(), mp4_atom::Error>;

/// Ticks per second of the movie: nothing but durations of edits would use it, and ours have none.
const MOVIE_TIMESCALE: u32 = 1000;
/// Seconds from 1904-01-01, where the boxes' calendar starts, to 1970-01-01.
const MP4_TO_UNIX_S: i64 = 2_082_844_800;

/// The head of a segment: everything before the first chunk.
///
/// Each track comes with the media time, in its ticks, at which presentation starts: the reorder
/// delay of B-frames or the priming of an audio codec. An edit list hides what lies before it.
///
/// # Errors
/// If there is no track, a timescale is 0, a frame is empty or larger than 65535 pixels a side,
/// or a codec configuration is not one.
pub fn init(tracks: &[(&Track, u64)], mark: &SegmentMark) -> Result<Vec<u8>, MediaError> {
    if tracks.is_empty() {
        return Err(MediaError::NoTracks);
    }
    for (index, (track, _)) in tracks.iter().enumerate() {
        if track.timescale == 0 {
            return Err(MediaError::NoTimescale(index));
        }
        entry::check(&track.codec)?;
    }
    let mut buf = Vec::with_capacity(1024);
    file_type(tracks).encode(&mut buf)?;
    mark.encode(&mut buf)?;
    buf.encode_atom(b"moov", |buf| {
        movie_header(tracks.len(), mark).encode(buf)?;
        for ((track, hidden), id) in tracks.iter().zip(1..) {
            encode_track(buf, id, track, *hidden)?;
        }
        buf.encode_atom(b"mvex", |buf| {
            (1..=tracks.len()).try_for_each(|id| {
                Trex {
                    track_id: id as u32,
                    default_sample_description_index: 1,
                    ..Trex::default()
                }
                .encode(buf)
            })
        })
    })?;
    Ok(buf)
}

fn file_type(tracks: &[(&Track, u64)]) -> Ftyp {
    let mut compatible_brands = vec![FourCC::new(b"iso6"), FourCC::new(b"mp41")];
    let is_av1 = |(track, _): &(&Track, u64)| matches!(track.codec, super::Codec::Av1 { .. });
    if tracks.iter().any(is_av1) {
        compatible_brands.push(FourCC::new(b"av01"));
    }
    Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands,
    }
}

/// A moment in the calendar of the boxes: whole seconds since 1904.
pub(super) fn creation_time(origin: UtcNs) -> u64 {
    u64::try_from(origin.0.div_euclid(SECOND_NS) + MP4_TO_UNIX_S).unwrap_or(0)
}

fn movie_header(tracks: usize, mark: &SegmentMark) -> Mvhd {
    let created = creation_time(mark.origin);
    Mvhd {
        creation_time: created,
        modification_time: created,
        timescale: MOVIE_TIMESCALE,
        rate: 1.into(),
        volume: 1.into(),
        next_track_id: u32::try_from(tracks).unwrap_or(u32::MAX).saturating_add(1),
        ..Mvhd::default()
    }
}

fn encode_track(buf: &mut Vec<u8>, id: u32, track: &Track, hidden: u64) -> BoxResult {
    let video = track.codec.video();
    buf.encode_atom(b"trak", |buf| {
        track_header(id, video).encode(buf)?;
        if hidden > 0 {
            buf.encode_atom(b"edts", |buf| edit_list(hidden).encode(buf))?;
        }
        buf.encode_atom(b"mdia", |buf| {
            Mdhd {
                timescale: track.timescale,
                language: "und".to_owned(),
                ..Mdhd::default()
            }
            .encode(buf)?;
            handler(video.is_some()).encode(buf)?;
            encode_media_information(buf, track)
        })
    })
}

fn track_header(id: u32, video: Option<&VideoFormat>) -> Tkhd {
    let (width, height) = video.map_or((0, 0), shown_size);
    let orientation = video.map(|video| video.orientation).unwrap_or_default();
    Tkhd {
        matrix: orientation.matrix((width, height)),
        track_id: id,
        // Players offer the tracks of one group as alternatives: the audio tracks here.
        alternate_group: u16::from(video.is_none()),
        enabled: true,
        in_movie: true,
        volume: if video.is_some() { 0.into() } else { 1.into() },
        width: FixedPoint::new((width >> 16) as u16, width as u16),
        height: FixedPoint::new((height >> 16) as u16, height as u16),
        ..Tkhd::default()
    }
}

/// Width and height as shown (§8.3.2), in 1/65536 pixel: the width takes the pixel aspect.
fn shown_size(format: &VideoFormat) -> (u32, u32) {
    let (horizontal, vertical) = match format.pixel_aspect {
        (0, _) | (_, 0) => (1, 1),
        aspect => aspect,
    };
    let width = (u128::from(format.width) << 16) * u128::from(horizontal) / u128::from(vertical);
    (
        u32::try_from(width).unwrap_or(u32::MAX),
        format.height << 16,
    )
}

/// One edit from `hidden` to the end; a duration of 0 means the end where movie fragments follow
/// (§8.6.6).
fn edit_list(hidden: u64) -> Elst {
    Elst {
        entries: vec![ElstEntry {
            segment_duration: 0,
            media_time: Some(hidden),
            media_rate: 1.into(),
        }],
    }
}

/// The handler of pictures or sound (§8.4.3).
pub(super) fn handler(is_video: bool) -> Hdlr {
    let (handler, name) = if is_video {
        (b"vide", "video")
    } else {
        (b"soun", "audio")
    };
    Hdlr {
        handler: FourCC::new(handler),
        name: name.to_owned(),
    }
}

fn encode_media_information(buf: &mut Vec<u8>, track: &Track) -> BoxResult {
    buf.encode_atom(b"minf", |buf| {
        if track.codec.video().is_some() {
            Vmhd::default().encode(buf)?;
        } else {
            Smhd::default().encode(buf)?;
        }
        Dinf {
            dref: Dref {
                entries: vec![Url::default().into()],
            },
        }
        .encode(buf)?;
        buf.encode_atom(b"stbl", |buf| {
            buf.encode_atom(b"stsd", |buf| {
                0u32.encode(buf)?; // version and flags
                1u32.encode(buf)?; // entries
                entry::encode(&track.codec, buf)
            })?;
            // The samples are in the fragments; the tables must be there and are empty.
            Stts::default().encode(buf)?;
            Stsc::default().encode(buf)?;
            Stsz::default().encode(buf)?;
            Stco::default().encode(buf)
        })
    })
}
