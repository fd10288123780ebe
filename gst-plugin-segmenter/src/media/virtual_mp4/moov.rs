// SPDX-License-Identifier: MPL-2.0
//! The `moov` of a virtual MP4 (ISO/IEC 14496-12 §8.2): sample tables, edit lists, descriptions.
//!
//! What media time is, [`super::times`] says.

use mp4_atom::{
    BufMut, Co64, Cslg, Ctts, CttsEntry, Dinf, Dref, Elst, ElstEntry, Encode, FixedPoint, Mdhd,
    Mvhd, Smhd, Stco, Stsc, StscEntry, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Url, Vmhd,
};

use super::super::assembly::{AssemblySample, AssemblyTrack};
use super::super::boxes::child;
use super::super::init::{BoxResult, creation_time, handler};
use super::layout::Layout;
use super::times::Starts;
use crate::utc::UtcNs;

/// Size and kind, then the fixed fields of a visual sample entry (§12.1.3).
const VISUAL_ENTRY_BYTES: usize = 8 + 78;

/// Where the places of a track's runs stand in the head: the last bytes of `stco` or `co64`.
pub struct Places {
    start: usize,
    end: usize,
    is_large: bool,
}

impl Places {
    /// Where the media begins is known when the head is: by so much all places lie behind.
    pub fn shift(&self, head: &mut [u8], by: u64) {
        let places = head.get_mut(self.start..self.end).unwrap_or_default();
        if self.is_large {
            let (places, _) = places.as_chunks_mut::<8>();
            for place in places {
                *place = u64::from_be_bytes(*place).saturating_add(by).to_be_bytes();
            }
        } else {
            let (places, _) = places.as_chunks_mut::<4>();
            let by = u32::try_from(by).unwrap_or(u32::MAX);
            for place in places {
                *place = u32::from_be_bytes(*place).saturating_add(by).to_be_bytes();
            }
        }
    }
}

/// Writes the `moov` as if the media began the file; returns where that is to be put right.
pub fn encode(
    buf: &mut Vec<u8>,
    tracks: &[AssemblyTrack],
    starts: &[Starts],
    layout: &Layout,
    created: UtcNs,
) -> mp4_atom::Result<Vec<Places>> {
    let timescale = movie_timescale(tracks);
    let presented = |track: &AssemblyTrack| rescale(track.presented_ticks(), track, timescale);
    let duration = tracks.iter().map(presented).max().unwrap_or(0);
    let created = creation_time(created);
    let mut places = Vec::with_capacity(tracks.len());
    buf.encode_atom(b"moov", |buf| {
        Mvhd {
            creation_time: created,
            modification_time: created,
            timescale,
            duration,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: u32::try_from(tracks.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            ..Mvhd::default()
        }
        .encode(buf)?;
        let timed = tracks.iter().zip(starts);
        for (((track, starts), offsets), id) in timed.zip(&layout.tracks).zip(1..) {
            buf.encode_atom(b"trak", |buf| {
                header(track, id, created, presented(track)).encode(buf)?;
                if !track.edits.is_empty() {
                    let edits = edit_list(track, starts, timescale);
                    buf.encode_atom(b"edts", |buf| edits.encode(buf))?;
                }
                media(buf, track, media_ticks(track), created, |buf| {
                    sample_tables(buf, track)?;
                    places.push(offsets.places(buf)?);
                    Ok(())
                })
            })?;
        }
        Ok(())
    })?;
    Ok(places)
}

/// That of the first track, which is the pictures' if there are any: their edits come out exact.
fn movie_timescale(tracks: &[AssemblyTrack]) -> u32 {
    tracks.first().map_or(1000, |track| track.timescale)
}

fn rescale(ticks: u64, track: &AssemblyTrack, timescale: u32) -> u64 {
    let from = u128::from(track.timescale.max(1));
    let scaled = (u128::from(ticks) * u128::from(timescale) + from / 2) / from;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn header(track: &AssemblyTrack, id: u32, created: u64, duration: u64) -> Tkhd {
    let (width, height) = match (track.is_video, track.descriptions.first()) {
        (true, Some(entry)) => shown_size(entry),
        _ => (0, 0),
    };
    let matrix = track.orientation.matrix((width, height));
    let fixed = |size: u32| FixedPoint::new((size >> 16) as u16, size as u16);
    Tkhd {
        creation_time: created,
        modification_time: created,
        track_id: id,
        duration,
        // Players offer the tracks of one group as alternatives: the sound here.
        alternate_group: u16::from(!track.is_video),
        enabled: true,
        in_movie: true,
        volume: if track.is_video { 0.into() } else { 1.into() },
        matrix,
        width: fixed(width),
        height: fixed(height),
        ..Tkhd::default()
    }
}

/// Width and height as shown, in 1/65536 pixel, from a visual sample entry and its `pasp`.
fn shown_size(entry: &[u8]) -> (u32, u32) {
    let size = |at: usize| {
        let bytes = entry.get(at..).and_then(<[u8]>::first_chunk::<2>);
        u64::from(bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    };
    let (width, height) = (size(32), size(34));
    let boxes = entry.get(VISUAL_ENTRY_BYTES..).unwrap_or_default();
    let aspect = child(boxes, b"pasp").and_then(<[u8]>::first_chunk::<8>);
    let (horizontal, vertical) = aspect.map_or((1, 1), |[a, b, c, d, e, f, g, h]| {
        (
            u32::from_be_bytes([*a, *b, *c, *d]),
            u32::from_be_bytes([*e, *f, *g, *h]),
        )
    });
    let shown = (width << 16) * u64::from(horizontal) / u64::from(vertical.max(1));
    let whole = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
    (whole(shown), whole(height << 16))
}

fn edit_list(track: &AssemblyTrack, starts: &Starts, timescale: u32) -> Elst {
    // Each edit ends where the sum of ticks up to there does, so that rounding does not add up.
    let (mut ticks, mut written) = (0_u64, 0);
    let mut entries = Vec::with_capacity(track.edits.len());
    for (edit, start) in track.edits.iter().zip(starts) {
        ticks = ticks.saturating_add(edit.ticks);
        let end = rescale(ticks, track, timescale);
        entries.push(ElstEntry {
            segment_duration: end - written,
            media_time: start.map(i64::cast_unsigned),
            media_rate: 1.into(),
        });
        written = end;
    }
    Elst { entries }
}

fn media(
    buf: &mut Vec<u8>,
    track: &AssemblyTrack,
    duration: u64,
    created: u64,
    tables: impl FnOnce(&mut Vec<u8>) -> BoxResult,
) -> BoxResult {
    buf.encode_atom(b"mdia", |buf| {
        Mdhd {
            creation_time: created,
            modification_time: created,
            timescale: track.timescale,
            duration,
            language: "und".to_owned(),
        }
        .encode(buf)?;
        handler(track.is_video).encode(buf)?;
        buf.encode_atom(b"minf", |buf| {
            if track.is_video {
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
            buf.encode_atom(b"stbl", tables)
        })
    })
}

/// From the first sample's decoding to the last one's end.
fn media_ticks(track: &AssemblyTrack) -> u64 {
    let last = track.samples.last();
    let end = last.map_or(0, |last| last.dts.saturating_add(last.duration.into()));
    u64::try_from(end).unwrap_or(0)
}

fn sample_tables(buf: &mut Vec<u8>, track: &AssemblyTrack) -> BoxResult {
    buf.encode_atom(b"stsd", |buf| {
        0u32.encode(buf)?; // version and flags
        (track.descriptions.len() as u32).encode(buf)?;
        for entry in &track.descriptions {
            buf.extend_from_slice(entry);
        }
        Ok(())
    })?;
    decoding_times(track).encode(buf)?;
    let offsets = track.samples.iter().map(offset);
    let (least, greatest) = offsets.fold((0, 0), |(least, greatest), offset| {
        (offset.min(least), offset.max(greatest))
    });
    if (least, greatest) != (0, 0) {
        composition_offsets(track, least).encode(buf)?;
    }
    if least < 0 {
        composition_to_decoding(track).encode(buf)?;
    }
    if !track.samples.iter().all(|sample| sample.is_entry) {
        let numbered = track.samples.iter().zip(1..);
        let entries = numbered
            .filter(|(sample, _)| sample.is_entry)
            .map(|(_, number)| number);
        Stss {
            entries: entries.collect(),
        }
        .encode(buf)?;
    }
    let sizes = track.samples.iter().map(|sample| sample.bytes).collect();
    Stsz {
        samples: StszSamples::Different { sizes },
    }
    .encode(buf)
}

/// Ticks from each sample's decoding to the next one's (§8.6.1.2), runs of equals together.
fn decoding_times(track: &AssemblyTrack) -> Stts {
    let next = track.samples.iter().skip(1).map(|next| Some(next.dts));
    let mut entries: Vec<SttsEntry> = Vec::new();
    for (sample, next) in track.samples.iter().zip(next.chain([None])) {
        let until = |next: i64| u32::try_from(next.saturating_sub(sample.dts)).unwrap_or(u32::MAX);
        let sample_delta = next.map_or(sample.duration, until);
        match entries.last_mut() {
            Some(last) if last.sample_delta == sample_delta => last.sample_count += 1,
            _ => entries.push(SttsEntry {
                sample_count: 1,
                sample_delta,
            }),
        }
    }
    Stts { entries }
}

/// Ticks from a sample's decoding to its presentation (§8.6.1.3).
fn offset(sample: &AssemblySample) -> i64 {
    sample.pts.saturating_sub(sample.dts)
}

/// The offsets of all samples, of which `least` is the most negative one.
fn composition_offsets(track: &AssemblyTrack, least: i64) -> Ctts {
    let mut entries: Vec<CttsEntry> = Vec::with_capacity(track.samples.len());
    for sample_offset in track.samples.iter().map(offset) {
        match entries.last_mut() {
            Some(last) if last.sample_offset == sample_offset => last.sample_count += 1,
            _ => entries.push(CttsEntry {
                sample_count: 1,
                sample_offset,
            }),
        }
    }
    // ffmpeg 5.1 does not look at the last two for the most negative one.
    let seen = entries.iter().rev().skip(2);
    if least < 0 && seen.map(|entry| entry.sample_offset).min() != Some(least) {
        let nothing = CttsEntry {
            sample_count: 0,
            sample_offset: 0,
        };
        entries.extend([nothing.clone(), nothing]);
    }
    Ctts { entries }
}

/// Where offsets are negative: how the two times lie to one another (§8.6.1.4).
fn composition_to_decoding(track: &AssemblyTrack) -> Cslg {
    let offsets = || track.samples.iter().map(offset);
    let shows = track.samples.iter().map(|sample| sample.pts);
    let end = |sample: &AssemblySample| sample.pts.saturating_add(sample.duration.into());
    let least = offsets().min().unwrap_or(0);
    Cslg {
        composition_to_dts_shift: least.min(0).saturating_neg(),
        least_decode_to_display_shift: least,
        greatest_decode_to_display_delta: offsets().max().unwrap_or(0),
        composition_start_time: shows.min().unwrap_or(0),
        composition_end_time: track.samples.iter().map(end).max().unwrap_or(0),
    }
}

impl super::layout::TrackLayout {
    /// `stsc` and the places of the runs (§8.7.4, §8.7.5), counted from the start of the media.
    fn places(&self, buf: &mut Vec<u8>) -> mp4_atom::Result<Places> {
        let mut entries: Vec<StscEntry> = Vec::new();
        for (run, number) in self.runs.iter().zip(1..) {
            let entry = StscEntry {
                first_chunk: number,
                samples_per_chunk: run.samples,
                sample_description_index: u32::from(run.description) + 1,
            };
            let goes_on = entries.last().is_some_and(|last| {
                last.samples_per_chunk == entry.samples_per_chunk
                    && last.sample_description_index == entry.sample_description_index
            });
            if !goes_on {
                entries.push(entry);
            }
        }
        Stsc { entries }.encode(buf)?;
        let offsets = self.runs.iter().map(|run| run.at);
        let bytes_each = if self.is_large {
            let entries = offsets.collect();
            Co64 { entries }.encode(buf)?;
            8
        } else {
            let entries = offsets.map(|at| at as u32).collect();
            Stco { entries }.encode(buf)?;
            4
        };
        Ok(Places {
            start: buf.len() - bytes_each * self.runs.len(),
            end: buf.len(),
            is_large: self.is_large,
        })
    }
}
