// SPDX-License-Identifier: MPL-2.0
//! The frames of a track of sound.
//!
//! A PES packet has the time of the first frame that begins in it; the others follow by their
//! length. Times are rounded to 90 kHz, so a frame that comes where the one before ends, within a
//! millisecond, is taken to come there exactly: sound then has no seams that it did not have.

use std::cmp::Ordering;

use super::super::entry;
use super::super::frames::{Frame, FrameKind, FrameTrack, Place};
use super::super::scan::nanoseconds;
use super::gather::Gathered;
use super::sounds::{Coding, Configuration, Found, Sound};
use super::video::{TIMESCALE as PES_TIMESCALE, set_durations};
use crate::utc::UtcNs;

/// Changes of configuration in a segment; more are noise.
const MOST_DESCRIPTIONS: usize = 256;
/// More bytes than this are no frame: ADTS has up to 8 KiB, Opus for 255 streams less than this.
const MOST_FRAME_BYTES: usize = 1 << 18;

/// A track of sound in the making.
pub struct Audio {
    coding: Coding,
    configurations: Vec<Configuration>,
    drafts: Vec<Draft>,
    /// The start of a frame whose rest is in the next PES packet.
    torn: Option<Torn>,
    /// Places where there should have been a frame.
    pub damaged: u64,
    /// Why it cannot be cut, if so.
    pub unsuited: Option<&'static str>,
}

/// A frame whose time is still to be reckoned.
struct Draft {
    frame: Frame,
    /// Ticks of 90 kHz since the first time in the file, where the PES packet says so.
    pts: Option<i64>,
    samples: u32,
}

struct Torn {
    /// Where the PES packet starts in which it begins, and the bytes before it there.
    start: u64,
    skip: usize,
    bytes: Vec<u8>,
}

impl Audio {
    pub fn new(coding: Coding) -> Self {
        Self {
            coding,
            configurations: Vec::new(),
            drafts: Vec::new(),
            torn: None,
            damaged: 0,
            unsuited: None,
        }
    }

    /// What is torn cannot be mended: the PES packet behind it is lost.
    pub fn forget_torn(&mut self) {
        self.damaged += u64::from(self.torn.take().is_some());
    }

    /// Takes a PES packet.
    pub fn add(&mut self, gathered: &Gathered<'_>) {
        if self.unsuited.is_some() {
            return;
        }
        if gathered.is_behind_loss {
            self.forget_torn();
        }
        let mut scan = Scan {
            start: gathered.start,
            end: gathered.end,
            data: gathered.data,
            pts: gathered.pts,
            from: 0,
            is_lost: false,
        };
        let Some(torn) = self.torn.take() else {
            return self.scan(&mut scan);
        };
        match self.mend(&torn, gathered) {
            Some(from) => scan.from = from,
            None => {
                self.damaged += 1;
                scan.is_lost = true;
            }
        }
        self.scan(&mut scan);
    }

    /// Takes the frame that began in the PES packet before; returns where in this one it ends.
    fn mend(&mut self, torn: &Torn, gathered: &Gathered<'_>) -> Option<usize> {
        let mut bytes = torn.bytes.clone();
        bytes.extend_from_slice(gathered.data);
        match self.coding.find(&bytes) {
            Found::Frame(sound) => {
                let place = place(torn.start, gathered.end, torn.skip, &sound)?;
                self.push(&sound, place, None);
                sound.bytes().checked_sub(torn.bytes.len())
            }
            Found::Part if bytes.len() <= MOST_FRAME_BYTES => {
                self.torn = Some(Torn { bytes, ..*torn });
                Some(gathered.data.len())
            }
            Found::Part | Found::Nothing | Found::Unsuited(_) => None,
        }
    }

    fn scan(&mut self, scan: &mut Scan<'_>) {
        while let Some(rest) = scan.rest() {
            match self.coding.find(rest) {
                Found::Frame(sound) if self.is_likely(&sound, rest, scan.is_lost) => {
                    if let Some(place) = place(scan.start, scan.end, scan.from, &sound) {
                        self.push(&sound, place, scan.pts.take());
                    }
                    scan.from += sound.bytes();
                    scan.is_lost = false;
                }
                Found::Part if !scan.is_lost => {
                    self.torn = Some(Torn {
                        start: scan.start,
                        skip: scan.from,
                        bytes: rest.to_vec(),
                    });
                    return;
                }
                Found::Unsuited(reason) if self.drafts.is_empty() && !scan.is_lost => {
                    self.unsuited = Some(reason);
                    return;
                }
                Found::Frame(_) | Found::Part | Found::Nothing | Found::Unsuited(_) => {
                    self.damaged += u64::from(!scan.is_lost);
                    scan.is_lost = true;
                    scan.from += 1;
                }
            }
        }
    }

    /// Behind a place where there was none, a frame is one if another follows, or nothing.
    fn is_likely(&self, sound: &Sound, rest: &[u8], is_lost: bool) -> bool {
        let behind = rest.get(sound.bytes()..).unwrap_or_default();
        let follows = || matches!(self.coding.find(behind), Found::Frame(_) | Found::Part);
        !is_lost || behind.is_empty() || follows()
    }

    fn push(&mut self, sound: &Sound, place: Place, pts: Option<i64>) {
        let Some(description) = self.description(sound.configuration) else {
            return;
        };
        self.coding = self.coding.behind(sound);
        self.drafts.push(Draft {
            frame: Frame {
                pts: 0,
                dts: 0,
                duration: 0,
                bytes: sound.sample_bytes as u32,
                file: 0,
                description,
                kind: FrameKind::Sync,
                utc: UtcNs(0),
                place,
            },
            pts,
            samples: sound.samples,
        });
    }

    fn description(&mut self, configuration: Configuration) -> Option<u16> {
        let mut known = self.configurations.iter();
        let index = match known.position(|known| *known == configuration) {
            Some(index) => index,
            None if self.configurations.len() < MOST_DESCRIPTIONS => {
                self.configurations.push(configuration);
                self.configurations.len() - 1
            }
            None => return None,
        };
        u16::try_from(index).ok()
    }

    pub fn frames(&self) -> usize {
        self.drafts.len()
    }

    /// The stream is over: frames that waited for their configuration have the first that came.
    pub fn end(&mut self) {
        self.forget_torn();
        let mut known = self.configurations.iter();
        let Some(pending) = known.position(|known| *known == Configuration::Pending) else {
            return;
        };
        self.configurations.remove(pending);
        let Some(Configuration::Aac { samples, .. }) = self.configurations.first().copied() else {
            self.drafts.clear();
            self.unsuited
                .get_or_insert("no configuration, without which AAC in LATM cannot be decoded");
            return;
        };
        for draft in &mut self.drafts {
            match usize::from(draft.frame.description).cmp(&pending) {
                Ordering::Less => {}
                Ordering::Equal => {
                    draft.frame.description = 0;
                    draft.samples = samples;
                }
                Ordering::Greater => draft.frame.description -= 1,
            }
        }
    }

    /// When the first frame is heard, in ticks of 90 kHz since the first time in the file.
    pub fn first_pts(&self) -> Option<i64> {
        self.drafts.iter().find_map(|draft| draft.pts)
    }

    /// The track, its times counted from `zero`, which was at `utc`. Ticks are samples.
    pub fn finish(mut self, zero: i64, utc: UtcNs) -> FrameTrack {
        let timescale = self.configurations.first().map_or(0, |first| first.rate());
        // Frames before the first time have none.
        let timed = self.drafts.iter().position(|draft| draft.pts.is_some());
        self.drafts.drain(..timed.unwrap_or(self.drafts.len()));
        let (mut next, mut earliest) = (None, i64::MIN);
        let mut frames = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            let said = draft.pts.map(|pts| to_ticks(pts - zero, timescale));
            let pts = snapped(said, next, timescale).max(earliest);
            earliest = pts;
            let rate = self.rate_of(draft.frame.description);
            let ticks = i64::from(draft.samples) * i64::from(timescale) / i64::from(rate.max(1));
            next = Some(pts + ticks);
            frames.push(Frame {
                pts,
                dts: pts,
                duration: ticks as u32,
                utc: utc + nanoseconds(pts.into(), timescale),
                ..draft.frame
            });
        }
        let last = frames.last().map_or(0, |frame| frame.duration);
        set_durations(&mut frames);
        if let Some(frame) = frames.last_mut() {
            frame.duration = last;
        }
        FrameTrack {
            is_video: false,
            timescale,
            orientation: Default::default(),
            descriptions: self.configurations.iter().map(sample_entry).collect(),
            frames,
        }
    }

    fn rate_of(&self, description: u16) -> u32 {
        let configuration = self.configurations.get(usize::from(description));
        configuration.map_or(0, |configuration| configuration.rate())
    }
}

/// The frames of a PES packet that is gone through.
struct Scan<'a> {
    /// In the file.
    start: u64,
    end: u64,
    data: &'a [u8],
    /// Of the first frame that begins in it.
    pts: Option<i64>,
    from: usize,
    /// Here is no frame; one is looked for.
    is_lost: bool,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> Option<&'a [u8]> {
        let rest = self.data.get(self.from..)?;
        (!rest.is_empty()).then_some(rest)
    }
}

/// A frame that begins behind `skip` bytes of what starts and ends at these bytes of the file.
fn place(start: u64, end: u64, skip: usize, sound: &Sound) -> Option<Place> {
    Some(Place::Pes {
        start,
        span: u32::try_from(end - start).ok()?,
        skip: u32::try_from(skip + sound.header_bytes).ok()?,
        take: u32::try_from(sound.coded_bytes).ok()?,
    })
}

fn sample_entry(configuration: &Configuration) -> Vec<u8> {
    let mut description = Vec::new();
    // Sound has no configuration here that could not be written.
    if let Some(codec) = configuration.codec() {
        let _ = entry::encode(&codec, &mut description);
    }
    description
}

fn to_ticks(pts: i64, timescale: u32) -> i64 {
    let half = i64::from(PES_TIMESCALE / 2);
    (pts * i64::from(timescale) + half).div_euclid(i64::from(PES_TIMESCALE))
}

/// Where the PES packet says, or where the frame before ends: exactly there if that is near.
fn snapped(said: Option<i64>, next: Option<i64>, timescale: u32) -> i64 {
    let near = i64::from(timescale / 1000);
    match (said, next) {
        (Some(said), Some(next)) if (said - next).abs() > near => said,
        (_, Some(next)) => next,
        (Some(said), None) => said,
        (None, None) => 0,
    }
}
