// SPDX-License-Identifier: MPL-2.0
//! Walking a segment chunk by chunk, for [`super::index`] and [`super::measure`].
//!
//! A chunk counts only when its `mdat` is wholly there and holds every sample its `moof` names.
//! The walk ends at the first thing that is not a whole chunk: the cut edge a crash left, or
//! damage. It reads box headers, `moov` and `moof`s, and never the frames. A plain MP4, whose `moov`
//! has tables of samples and may lie behind them, is one chunk up to its last whole `mdat`.
//!
//! Presentation begins where a track's edit list says (§8.6.6): empty edits at its start delay it,
//! then the first edit with media tells the media time that is presented. That is what ffmpeg makes
//! of fragments; further edits are passed over.

use std::io::{self, Read, Seek, SeekFrom};

use mp4_atom::{Elst, Mdhd, Mfhd, Mvhd, Prft, Tfdt, Tfhd, Tkhd, Trex, Trun, TrunSamples};

use super::boxes::{BoxAt, Child, child, children, leaf, read_body, read_header};
use super::chunk::FLAG_IS_NON_SYNC;
use super::mark::SegmentMark;
use super::orientation::Orientation;
use super::skipped::Skipped;
use super::{foreign, ntp, sample_tables};
use crate::utc::UtcNs;

/// A `moov` or `moof` larger than this is not read: a chunk of an hour's frames is far smaller.
const LARGEST_BOX_BYTES: u64 = 16 << 20;
/// Samples of one chunk beyond this are not believed.
const MOST_SAMPLES: usize = 1 << 20;
/// Tracks of a segment beyond this are not believed.
const MOST_TRACKS: usize = 64;
/// Sample entries of a track beyond this are not believed.
const MOST_ENTRIES: usize = 256;

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
    /// The sample entries, each a whole box; at least one.
    pub sample_entries: Vec<Vec<u8>>,
    /// Media time, in ticks, at which presentation starts; below zero if it starts later than
    /// the movie's.
    pub edit_offset: i64,
    /// How its pictures are turned.
    pub orientation: Orientation,
    /// Why it is left out, if so.
    pub skipped: Option<Skipped>,
    defaults: Defaults,
}

/// What a sample is unless its run says otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Defaults {
    duration: u32,
    bytes: u32,
    flags: u32,
    description: u16,
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
    /// Which of the track's sample entries it is decoded with.
    pub description: u16,
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
    /// The samples of a plain MP4, until they are given out.
    plain: Option<Chunk>,
    pub head: Head,
}

impl<R: Read + Seek> Scan<R> {
    /// Reads the head; `None` if there is no whole one.
    pub fn open(mut reader: R) -> io::Result<Option<Self>> {
        let length = reader.seek(SeekFrom::End(0))?;
        let mut at = 0;
        let mut mark = None;
        let mut media_start = None;
        while let Some(found) = read_header(&mut reader, at, length)? {
            at = found.end;
            match &found.kind {
                b"uuid" if mark.is_none() => {
                    let body = read_body(&mut reader, &found, SegmentMark::BOX_BODY_BYTES)?;
                    mark = body.as_deref().and_then(SegmentMark::decode);
                }
                b"moov" => {
                    let body = read_body(&mut reader, &found, LARGEST_BOX_BYTES)?;
                    let body = body.unwrap_or_default();
                    let tracks = read_tracks(&body);
                    if tracks.is_empty() {
                        return Ok(None);
                    }
                    let samples = read_tables(&body, &tracks, length);
                    let head = Head {
                        mark,
                        tracks,
                        bytes: media_start.unwrap_or(at),
                    };
                    let plain = match samples.is_empty() {
                        true => None,
                        false => {
                            at = media_end(&mut reader, at, length)?;
                            Some(Chunk::plain(&head, at, samples))
                        }
                    };
                    return Ok((plain.is_some() || media_start.is_none()).then_some(Self {
                        reader,
                        length,
                        at,
                        plain,
                        head,
                    }));
                }
                // Before the head of a plain MP4.
                b"mdat" => {
                    media_start.get_or_insert(found.start);
                }
                b"moof" => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next whole chunk; `None` at the end of what is whole.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        if let Some(plain) = self.plain.take() {
            return Ok(Some(plain));
        }
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

impl Chunk {
    fn plain(head: &Head, end: u64, samples: Vec<ChunkSample>) -> Self {
        Self {
            start: head.bytes,
            end,
            sequence: None,
            origins: vec![None; head.tracks.len()],
            samples,
        }
    }
}

/// Where the last whole `mdat` ends of those that follow `at` without fragments between.
fn media_end<R: Read + Seek>(reader: &mut R, at: u64, length: u64) -> io::Result<u64> {
    let (mut at, mut end) = (at, at);
    while let Some(found) = read_header(reader, at, length)? {
        match &found.kind {
            b"moof" | b"moov" | b"prft" => break,
            b"mdat" => end = found.end,
            _ => {}
        }
        at = found.end;
    }
    Ok(end)
}

/// The samples that the tables of a plain MP4 name, track by track. Tables that contradict
/// themselves name none.
fn read_tables(moov: &[u8], tracks: &[HeadTrack], length: u64) -> Vec<ChunkSample> {
    let mut all = Vec::new();
    for track in children(moov).filter(|child| child.kind == *b"trak") {
        let header = child(track.body, b"tkhd").and_then(leaf::<Tkhd>);
        let id = header.map(|header| header.track_id);
        let number = tracks.iter().position(|track| Some(track.id) == id);
        let known = number.and_then(|number| Some((number, tracks.get(number)?)));
        let Some((number, _)) = known.filter(|(_, track)| track.skipped.is_none()) else {
            continue;
        };
        let most = MOST_SAMPLES - all.len();
        let table = sample_table(track.body);
        let samples = table.and_then(|table| sample_tables::samples(number, table, length, most));
        all.extend(samples.unwrap_or_default());
    }
    all
}

fn sample_table(track: &[u8]) -> Option<&[u8]> {
    child(child(child(track, b"mdia")?, b"minf")?, b"stbl")
}

fn read_tracks(moov: &[u8]) -> Vec<HeadTrack> {
    let movie = child(moov, b"mvhd").and_then(leaf::<Mvhd>);
    let movie_timescale = movie.map_or(0, |movie| movie.timescale);
    let extends = child(moov, b"mvex").unwrap_or_default();
    let defaults: Vec<Trex> = children(extends)
        .filter(|child| child.kind == *b"trex")
        .filter_map(|child| leaf(child.body))
        .collect();
    children(moov)
        .filter(|child| child.kind == *b"trak")
        .take(MOST_TRACKS)
        .filter_map(|track| read_track(track.body, movie_timescale, &defaults))
        .collect()
}

fn read_track(track: &[u8], movie_timescale: u32, defaults: &[Trex]) -> Option<HeadTrack> {
    let header = leaf::<Tkhd>(child(track, b"tkhd")?)?;
    let id = header.track_id;
    let media = child(track, b"mdia")?;
    let timescale = leaf::<Mdhd>(child(media, b"mdhd")?)?.timescale;
    // Version, flags and a reserved field stand before the handler (§8.4.3).
    let handler: [u8; 4] = *child(media, b"hdlr")?.get(8..)?.first_chunk()?;
    // Version, flags and the number of entries stand before the first one.
    let entries = child(sample_table(track)?, b"stsd")?.get(8..)?;
    let entries = children(entries).take(MOST_ENTRIES);
    let sample_entries: Vec<Vec<u8>> = entries.map(|entry| entry.whole.to_vec()).collect();
    let skipped = foreign::reason_to_skip(id, handler, sample_entries.first()?);
    let edits = child(track, b"edts").and_then(|edits| child(edits, b"elst"));
    let edits = edits.and_then(leaf::<Elst>).unwrap_or_default();
    let extends = defaults.iter().find(|extends| extends.track_id == id);
    (timescale > 0).then_some(HeadTrack {
        id,
        is_video: handler == *b"vide",
        timescale,
        sample_entries,
        edit_offset: edit_offset(&edits, movie_timescale, timescale)?,
        orientation: Orientation::of_matrix(&header.matrix),
        skipped,
        defaults: extends.map_or(Defaults::default(), |extends| Defaults {
            duration: extends.default_sample_duration,
            bytes: extends.default_sample_size,
            flags: extends.default_sample_flags,
            description: number_of_entry(extends.default_sample_description_index),
        }),
    })
}

/// Entries are counted from 1.
fn number_of_entry(index: u32) -> u16 {
    u16::try_from(index.saturating_sub(1)).unwrap_or(0)
}

/// The media time at which presentation starts: that of the first edit with media, less what the
/// empty ones before it delay it by, which is told in ticks of the movie. `None` if that is beyond
/// all times.
fn edit_offset(edits: &Elst, movie_timescale: u32, timescale: u32) -> Option<i64> {
    let empty = edits
        .entries
        .iter()
        .take_while(|edit| edit.media_time.is_none());
    let delay: i128 = empty.map(|edit| i128::from(edit.segment_duration)).sum();
    let movie = i128::from(movie_timescale.max(1));
    let delay = (delay * i128::from(timescale) + movie / 2) / movie;
    let first = edits.entries.iter().find_map(|edit| edit.media_time);
    i64::try_from(i128::from(first.unwrap_or(0)) - delay).ok()
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
            description: header
                .sample_description_index
                .map_or(usual.description, number_of_entry),
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
                description: defaults.description,
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
