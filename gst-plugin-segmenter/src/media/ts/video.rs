// SPDX-License-Identifier: MPL-2.0
//! The frames of a track of pictures.

use super::super::frames::{Frame, FrameKind, FrameTrack, Place, last_until_next};
use super::super::pictures::{Coding, Head, KnownSets, Picture};
use super::super::scan::nanoseconds;
use super::super::{beginning, entry};
use super::gather::Gathered;

use crate::utc::UtcNs;

/// Ticks per second of the times in PES packets, which are the track's too.
pub const TIMESCALE: u32 = 90_000;
/// Changes of parameter sets in a segment; more are noise.
const MOST_DESCRIPTIONS: usize = 256;

/// A track of pictures in the making.
pub struct Video {
    coding: Coding,
    known: KnownSets,
    descriptions: Vec<Vec<u8>>,
    /// The description of the frames with these parameter sets: version and id.
    latest: Option<((u32, u32), u16)>,
    drafts: Vec<Draft>,
    highest_temporal_id: u8,
}

/// A frame whose time is still to be reckoned.
struct Draft {
    frame: Frame,
    temporal_id: u8,
    head: Head,
    /// The PES packet has a time for it.
    is_timed: bool,
}

impl Video {
    pub fn new(coding: Coding) -> Self {
        Self {
            coding,
            known: KnownSets::default(),
            descriptions: Vec::new(),
            latest: None,
            drafts: Vec::new(),
            highest_temporal_id: 0,
        }
    }

    /// Takes a PES packet, and those without a time behind it; `false` if a picture of it cannot
    /// be told where it is.
    pub fn add(&mut self, gathered: &Gathered<'_>) -> bool {
        let pictures = self.coding.pictures(gathered.data, &mut self.known);
        let mut is_timed = true;
        for picture in pictures {
            self.highest_temporal_id = self.highest_temporal_id.max(picture.temporal_id);
            let Some(description) = self.description(&picture) else {
                continue;
            };
            if self.join(gathered, &picture) {
                continue;
            }
            let Some(frame) = frame(gathered, &picture, description) else {
                return false;
            };
            self.drafts.push(Draft {
                frame,
                temporal_id: picture.temporal_id,
                head: picture.head,
                is_timed,
            });
            is_timed = false;
        }
        true
    }

    /// Takes in a picture that is more of the one before: its second field, or further slices.
    fn join(&mut self, gathered: &Gathered<'_>, picture: &Picture) -> bool {
        let is_first = picture.skip == 0 && !gathered.is_behind_loss;
        let before = self.drafts.last_mut().filter(|_| is_first);
        let Some(before) = before.filter(|before| before.head.goes_on(&picture.head)) else {
            return false;
        };
        before.take_in(gathered, picture).is_some()
    }

    /// What a picture is decoded with; `None` if the stream has not shown it.
    fn description(&mut self, picture: &Picture) -> Option<u16> {
        let sets = (self.known.version(), picture.pps_id);
        if let Some((_, description)) = self.latest.filter(|(latest, _)| *latest == sets) {
            return Some(description);
        }
        let codec = self.coding.codec(&self.known, picture.pps_id)?;
        entry::check(&codec).ok()?;
        let mut description = Vec::new();
        entry::encode(&codec, &mut description).ok()?;
        let mut known = self.descriptions.iter();
        let index = match known.position(|known| *known == description) {
            Some(index) => index,
            None if self.descriptions.len() < MOST_DESCRIPTIONS => {
                self.descriptions.push(description);
                self.descriptions.len() - 1
            }
            None => return None,
        };
        let index = u16::try_from(index).ok()?;
        self.latest = Some((sets, index));
        Some(index)
    }

    pub fn frames(&self) -> usize {
        self.drafts.len()
    }

    /// When the first frame that decoding can start at is shown, or the first of all, in ticks since
    /// the first time in the file.
    pub fn first_pts(&self) -> Option<i64> {
        let mut drafts = self.drafts.iter();
        let entry = drafts.find(|draft| draft.frame.kind.is_entry());
        let first = entry.or(self.drafts.first());
        first.map(|draft| draft.frame.pts)
    }

    /// The track, its times counted from `zero`, which was at `utc`.
    pub fn finish(mut self, zero: i64, utc: UtcNs) -> FrameTrack {
        share_time(&mut self.drafts);
        let highest_temporal_id = self.highest_temporal_id;
        let mut frames: Vec<Frame> = self
            .drafts
            .into_iter()
            .map(|draft| draft.finish(highest_temporal_id))
            .collect();
        for frame in &mut frames {
            frame.pts -= zero;
            frame.dts -= zero;
            frame.utc = utc + nanoseconds(frame.pts.into(), TIMESCALE);
        }
        beginning::make_do_with_intra(&mut frames);
        put_in_order(&mut frames);
        set_durations(&mut frames);
        FrameTrack {
            is_video: true,
            timescale: TIMESCALE,
            orientation: Default::default(),
            descriptions: self.descriptions,
            frames,
        }
    }
}

impl Draft {
    /// Takes in the rest of its picture, which the next PES packet begins with; `None`, and nothing,
    /// if it cannot be told where that is.
    fn take_in(&mut self, gathered: &Gathered<'_>, more: &Picture) -> Option<()> {
        let Place::Pes {
            start, skip, take, ..
        } = self.frame.place
        else {
            return None;
        };
        let bytes = u32::try_from(more.bytes).ok()?;
        self.frame.bytes = self.frame.bytes.checked_add(bytes)?;
        self.frame.place = Place::Pes {
            start,
            span: u32::try_from(gathered.end - start).ok()?,
            skip,
            take: take.checked_add(u32::try_from(more.take).ok()?)?,
        };
        self.head.join(&more.head);
        self.frame.kind = self.head.kind().unwrap_or(self.frame.kind);
        Some(())
    }

    /// A frame that its own layer does not refer to may still be wanted by a higher one.
    fn finish(self, highest_temporal_id: u8) -> Frame {
        let mut frame = self.frame;
        if let FrameKind::Delta { is_disposable } = &mut frame.kind {
            *is_disposable &= self.temporal_id == highest_temporal_id;
        }
        frame
    }
}

fn frame(gathered: &Gathered<'_>, picture: &Picture, description: u16) -> Option<Frame> {
    Some(Frame {
        pts: gathered.pts?,
        dts: gathered.dts?,
        duration: 0,
        bytes: u32::try_from(picture.bytes).ok()?,
        file: 0,
        description,
        kind: picture.kind,
        utc: UtcNs(0),
        place: Place::Pes {
            start: gathered.start,
            span: u32::try_from(gathered.end - gathered.start).ok()?,
            skip: u32::try_from(picture.skip).ok()?,
            take: u32::try_from(picture.take).ok()?,
        },
    })
}

/// Access units that share a PES packet share the time until the next one evenly: only the first
/// has a time of its own.
fn share_time(drafts: &mut [Draft]) {
    let mut step = 0;
    let mut at = 0;
    while let Some(first) = drafts.get(at) {
        let (pts, dts) = (first.frame.pts, first.frame.dts);
        let behind = drafts.get(at + 1..).unwrap_or_default();
        let untimed = behind.iter().take_while(|draft| !draft.is_timed).count();
        let sharing = untimed as i64 + 1;
        if let Some(next) = behind.get(untimed) {
            step = (next.frame.dts - dts).max(0) / sharing;
        }
        let shared = drafts.get_mut(at + 1..=at + untimed).unwrap_or_default();
        for (draft, number) in shared.iter_mut().zip(1..) {
            draft.frame.pts = pts + number * step;
            draft.frame.dts = dts + number * step;
        }
        at += untimed + 1;
    }
}

/// Makes decoding times never decrease. One that alone is out of order, a damaged stamp perhaps,
/// does not hold up all that follow.
fn put_in_order(frames: &mut [Frame]) {
    for index in 1..frames.len() {
        if let Some([before, frame, after]) = frames.get_mut(index - 1..=index + 1)
            && before.dts <= after.dts
        {
            frame.dts = frame.dts.clamp(before.dts, after.dts);
        }
    }
    let mut earliest = i64::MIN;
    for frame in frames {
        frame.dts = frame.dts.max(earliest);
        earliest = frame.dts;
    }
}

/// Each frame lasts until the next is decoded, the last as long as the one before.
pub fn set_durations(frames: &mut [Frame]) {
    last_until_next(frames);
    if let Some([before, last]) = frames.last_chunk_mut() {
        last.duration = before.duration;
    }
}
