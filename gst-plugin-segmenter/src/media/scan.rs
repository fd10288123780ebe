// SPDX-License-Identifier: MPL-2.0
//! Walking a segment chunk by chunk, for [`super::index`] and [`super::measure`].
//!
//! A chunk counts only when its `mdat` is wholly there and holds every sample its `moof` names.
//! The walk ends at the first thing that is not a whole chunk: the cut edge a crash left, or
//! damage. It reads box headers, `moov` and `moof`s, and never the frames.

use std::io::{self, Read, Seek, SeekFrom};

use mp4_atom::{Elst, Mdhd, Mfhd, Prft, Tfdt, Tfhd, Tkhd, Trex, Trun, TrunSamples};

use super::boxes::{BoxAt, Child, child, children, leaf, read_body, read_header};
use super::chunk::FLAG_IS_NON_SYNC;
use super::mark::SegmentMark;
use super::ntp;
use crate::utc::UtcNs;

/// A `moov` or `moof` larger than this is not read: a chunk of an hour's frames is far smaller.
const LARGEST_BOX_BYTES: u64 = 16 << 20;
/// Samples of one chunk beyond this are not believed.
const MOST_SAMPLES: usize = 1 << 20;
/// Tracks of a segment beyond this are not believed.
const MOST_TRACKS: usize = 64;

/// What stands before the chunks.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub mark: Option<SegmentMark>,
    pub tracks: Vec<HeadTrack>,
    /// Bytes before the first chunk.
    pub bytes: u64,
}

/// A track as `moov` describes it.
#[derive(Clone, Debug)]
pub struct HeadTrack {
    pub id: u32,
    pub is_video: bool,
    pub timescale: u32,
    /// The first sample entry, a whole box.
    pub sample_entry: Vec<u8>,
    /// Media time, in ticks, at which presentation starts.
    pub edit_offset: u64,
    defaults: Defaults,
}

/// What a sample is unless its run says otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Defaults {
    duration: u32,
    bytes: u32,
    flags: u32,
}

/// A sample of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ChunkSample {
    /// Index of its track in the head.
    pub track: usize,
    pub dts: i64,
    pub pts: i64,
    pub duration: u32,
    pub bytes: u32,
    pub offset: u64,
    pub sync: bool,
}

/// A whole chunk.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub start: u64,
    pub end: u64,
    /// Its number among those of its writer (§8.8.5).
    pub sequence: Option<u32>,
    /// For each track of the head: UTC of presentation time zero, as this chunk has it.
    pub origins: Vec<Option<UtcNs>>,
    pub samples: Vec<ChunkSample>,
}

/// Reads a segment from its start.
pub struct Scan<R> {
    reader: R,
    length: u64,
    at: u64,
    pub head: Head,
}

impl<R: Read + Seek> Scan<R> {
    /// Reads the head; `None` if there is no whole one.
    pub fn open(mut reader: R) -> io::Result<Option<Self>> {
        let length = reader.seek(SeekFrom::End(0))?;
        let mut at = 0;
        let mut mark = None;
        while let Some(found) = read_header(&mut reader, at, length)? {
            at = found.end;
            match &found.kind {
                b"uuid" if mark.is_none() => {
                    let body = read_body(&mut reader, &found, SegmentMark::BOX_BODY_BYTES)?;
                    mark = body.as_deref().and_then(SegmentMark::decode);
                }
                b"moov" => {
                    let body = read_body(&mut reader, &found, LARGEST_BOX_BYTES)?;
                    let tracks = body.as_deref().map(read_tracks).unwrap_or_default();
                    return Ok((!tracks.is_empty()).then_some(Self {
                        reader,
                        length,
                        at,
                        head: Head {
                            mark,
                            tracks,
                            bytes: at,
                        },
                    }));
                }
                b"moof" | b"mdat" => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next whole chunk; `None` at the end of what is whole.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let start = self.at;
        let mut at = start;
        let mut points = Vec::new();
        let mut moof: Option<Moof> = None;
        while let Some(found) = read_header(&mut self.reader, at, self.length)? {
            at = found.end;
            match &found.kind {
                b"prft" => {
                    let body = read_body(&mut self.reader, &found, LARGEST_BOX_BYTES)?;
                    points.extend(body.as_deref().and_then(leaf::<Prft>));
                }
                b"moof" if moof.is_none() => {
                    let body = read_body(&mut self.reader, &found, LARGEST_BOX_BYTES)?;
                    moof = body.and_then(|body| Moof::read(&self.head.tracks, &found, &body));
                    if moof.is_none() {
                        break;
                    }
                }
                b"mdat" => {
                    let Some(moof) = moof.filter(|moof| moof.is_inside(&found)) else {
                        break;
                    };
                    self.at = at;
                    return Ok(Some(Chunk {
                        start,
                        end: at,
                        sequence: moof.sequence,
                        origins: origins(&self.head.tracks, &points),
                        samples: moof.samples,
                    }));
                }
                b"moov" | b"moof" => break,
                _ => {}
            }
        }
        Ok(None)
    }
}

fn read_tracks(moov: &[u8]) -> Vec<HeadTrack> {
    let extends = child(moov, b"mvex").unwrap_or_default();
    let defaults: Vec<Trex> = children(extends)
        .filter(|child| child.kind == *b"trex")
        .filter_map(|child| leaf(child.body))
        .collect();
    children(moov)
        .filter(|child| child.kind == *b"trak")
        .take(MOST_TRACKS)
        .filter_map(|track| read_track(track.body, &defaults))
        .collect()
}

fn read_track(track: &[u8], defaults: &[Trex]) -> Option<HeadTrack> {
    let id = leaf::<Tkhd>(child(track, b"tkhd")?)?.track_id;
    let media = child(track, b"mdia")?;
    let timescale = leaf::<Mdhd>(child(media, b"mdhd")?)?.timescale;
    // Version, flags and a reserved field stand before the handler (§8.4.3).
    let is_video = child(media, b"hdlr")?.get(8..12) == Some(b"vide");
    let table = child(child(media, b"minf")?, b"stbl")?;
    // Version, flags and the number of entries stand before the first one.
    let entries = child(table, b"stsd")?.get(8..)?;
    let sample_entry = children(entries).next()?.whole.to_vec();
    let edits = child(track, b"edts").and_then(|edits| child(edits, b"elst"));
    let edit_offset = edits
        .and_then(leaf::<Elst>)
        .and_then(|list| list.entries.iter().find_map(|edit| edit.media_time))
        .unwrap_or(0);
    let extends = defaults.iter().find(|extends| extends.track_id == id);
    (timescale > 0 && i64::try_from(edit_offset).is_ok()).then_some(HeadTrack {
        id,
        is_video,
        timescale,
        sample_entry,
        edit_offset,
        defaults: extends.map_or(Defaults::default(), |extends| Defaults {
            duration: extends.default_sample_duration,
            bytes: extends.default_sample_size,
            flags: extends.default_sample_flags,
        }),
    })
}

/// A `moof` whose samples are yet to be found in an `mdat`.
struct Moof {
    start: u64,
    sequence: Option<u32>,
    samples: Vec<ChunkSample>,
    /// Bytes of the box: what bounds how many samples it can name one by one.
    bytes: u64,
}

impl Moof {
    fn read(tracks: &[HeadTrack], at: &BoxAt, body: &[u8]) -> Option<Self> {
        let mut moof = Self {
            start: at.start,
            sequence: child(body, b"mfhd")
                .and_then(leaf::<Mfhd>)
                .map(|header| header.sequence_number),
            samples: Vec::new(),
            bytes: at.end - at.start,
        };
        let mut data_end = at.start;
        for fragment in children(body).filter(|child| child.kind == *b"traf") {
            data_end = moof.read_fragment(tracks, fragment.body, data_end)?;
        }
        (!moof.samples.is_empty()).then_some(moof)
    }

    /// Reads one `traf`; returns where its data ends. Fragments of tracks that the head does not
    /// have are passed over.
    fn read_fragment(&mut self, tracks: &[HeadTrack], body: &[u8], after: u64) -> Option<u64> {
        let header = leaf::<Tfhd>(child(body, b"tfhd")?)?;
        let Some(track) = tracks.iter().position(|track| track.id == header.track_id) else {
            return Some(after);
        };
        let usual = tracks.get(track)?.defaults;
        let defaults = Defaults {
            duration: header.default_sample_duration.unwrap_or(usual.duration),
            bytes: header.default_sample_size.unwrap_or(usual.bytes),
            flags: header.default_sample_flags.unwrap_or(usual.flags),
        };
        let base = match header.base_data_offset {
            Some(offset) => offset,
            None if header.default_base_is_moof => self.start,
            None => after,
        };
        let first = child(body, b"tfdt").and_then(leaf::<Tfdt>)?;
        let mut place = Place {
            track,
            dts: i64::try_from(first.base_media_decode_time).ok()?,
            offset: base,
        };
        for Child { body, .. } in children(body).filter(|child| child.kind == *b"trun") {
            let run = leaf::<Trun>(body)?;
            if let Some(offset) = run.data_offset {
                place.offset = base.checked_add_signed(offset.into())?;
            }
            self.read_run(&run.samples, &defaults, &mut place)?;
        }
        Some(place.offset)
    }

    fn read_run(
        &mut self,
        samples: &TrunSamples,
        defaults: &Defaults,
        place: &mut Place,
    ) -> Option<()> {
        // A run without entries costs no bytes, so its samples must: else a few bytes could
        // name four thousand million of them.
        let costs_nothing = matches!(samples, TrunSamples::Inherited { .. }) && defaults.bytes == 0;
        let total = self.samples.len().checked_add(samples.len())?;
        if total > MOST_SAMPLES || (costs_nothing && samples.len() as u64 > self.bytes) {
            return None;
        }
        self.samples.reserve(samples.len());
        for entry in samples {
            let duration = entry.duration.unwrap_or(defaults.duration);
            let bytes = entry.size.unwrap_or(defaults.bytes);
            self.samples.push(ChunkSample {
                track: place.track,
                dts: place.dts,
                pts: place.dts.checked_add(entry.cts.unwrap_or(0))?,
                duration,
                bytes,
                offset: place.offset,
                sync: entry.flags.unwrap_or(defaults.flags) & FLAG_IS_NON_SYNC == 0,
            });
            place.dts = place.dts.checked_add(duration.into())?;
            place.offset = place.offset.checked_add(bytes.into())?;
        }
        Some(())
    }

    fn is_inside(&self, mdat: &BoxAt) -> bool {
        self.samples.iter().all(|sample| {
            let end = sample.offset.saturating_add(sample.bytes.into());
            sample.offset >= mdat.body && end <= mdat.end
        })
    }
}

/// Where the next sample of a fragment is.
struct Place {
    track: usize,
    dts: i64,
    offset: u64,
}

/// UTC of presentation time zero for each track: from its own `prft`, else from another track's,
/// since all tracks share the presentation.
fn origins(tracks: &[HeadTrack], points: &[Prft]) -> Vec<Option<UtcNs>> {
    let origin = |point: &Prft| {
        let track = tracks
            .iter()
            .find(|track| track.id == point.reference_track_id)?;
        let shown = i64::try_from(point.media_time).ok()?;
        Some((
            track.id,
            ntp::to_utc(point.ntp_timestamp) - track.presentation_ns(shown),
        ))
    };
    let known: Vec<(u32, UtcNs)> = points.iter().filter_map(origin).collect();
    let of = |track: &HeadTrack| {
        let own = known.iter().find(|(id, _)| *id == track.id);
        own.or(known.first()).map(|(_, utc)| *utc)
    };
    tracks.iter().map(of).collect()
}

impl HeadTrack {
    /// A presentation time of the track as nanoseconds of presentation, to the nearest.
    pub fn presentation_ns(&self, pts: i64) -> i64 {
        let ticks = i128::from(pts) - i128::from(self.edit_offset);
        nanoseconds(ticks, self.timescale)
    }
}

/// Ticks as nanoseconds, to the nearest.
pub fn nanoseconds(ticks: i128, timescale: u32) -> i64 {
    // Those of a segment fit into 64 bits, whose division costs a tenth.
    if let Ok(ticks) = i32::try_from(ticks) {
        let timescale = i64::from(timescale.max(1));
        return (i64::from(ticks) * 1_000_000_000 + timescale / 2).div_euclid(timescale);
    }
    let timescale = i128::from(timescale.max(1));
    let ns = (ticks * 1_000_000_000 + timescale / 2).div_euclid(timescale);
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}
