// SPDX-License-Identifier: MPL-2.0
//! AC-3 and E-AC-3 (ETSI TS 102 366): how long a frame is, and what MP4 says of it (Annex F).
//!
//! A sample of AC-3 is a syncframe. One of E-AC-3 is an access unit (§F.6): six blocks of its first
//! substream, with the frames of all other substreams that go with them. Where it ends, only the
//! frame behind it says.

use super::bits::{Bits, Writer};

const SYNC: u32 = 0x0B77;
/// Samples of a block, and blocks of a whole frame.
const BLOCK_SAMPLES: u32 = 256;
const FRAME_BLOCKS: u32 = 6;
/// `bsid` from which on it is E-AC-3 (§E.1.3.1.6); up to 10 it is AC-3, at halved rates above 8.
const EAC3_BSID: u8 = 11;
const MOST_BSID: u8 = 16;
const FULL_RATE_BSID: u8 = 8;
const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// kbit/s by half of `frmsizecod` (table 4.13).
const KBITS: [u32; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];
/// Channels by `acmod` (table 4.3).
const CHANNELS: [u16; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
/// Independent substreams there may be.
const MOST_SUBSTREAMS: usize = 8;
/// Frames of CBR streams differ by a word; rates are told in steps that hide it.
const RATE_STEP_KBITS: u64 = 32;

/// What `dac3` or `dec3` holds: a few bytes, kept by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    bytes: [u8; 2 + 4 * MOST_SUBSTREAMS],
    length: usize,
}

impl Configuration {
    fn new(body: &[u8]) -> Option<Self> {
        let mut bytes = [0; 2 + 4 * MOST_SUBSTREAMS];
        bytes.get_mut(..body.len())?.copy_from_slice(body);
        Some(Self {
            bytes,
            length: body.len(),
        })
    }

    /// The body of the box.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub bytes: usize,
    pub is_enhanced: bool,
    pub samples: u32,
    pub rate: u32,
    /// Of the first substream.
    pub channels: u16,
    pub configuration: Configuration,
}

/// What the box of the frame that starts with these bytes holds, and whether that is `dec3`.
pub fn configuration(frame: &[u8]) -> Option<(bool, Vec<u8>)> {
    match find(frame) {
        Found::Unit(unit) => Some((unit.is_enhanced, unit.configuration.body().to_vec())),
        Found::Part | Found::Nothing => None,
    }
}

/// What bytes at a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Unit(Unit),
    /// Perhaps one that is not all there.
    Part,
    Nothing,
}

/// What starts with these bytes.
pub fn find(bytes: &[u8]) -> Found {
    match Syncframe::parse(bytes) {
        Parsed::Part => Found::Part,
        Parsed::Nothing => Found::Nothing,
        Parsed::Frame(frame) if frame.is_enhanced => find_enhanced(bytes),
        Parsed::Frame(frame) if bytes.len() < frame.bytes => Found::Part,
        Parsed::Frame(frame) => frame.ac3().map_or(Found::Nothing, Found::Unit),
    }
}

fn find_enhanced(bytes: &[u8]) -> Found {
    let mut draft = Draft::default();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let is_whole = draft.blocks >= FRAME_BLOCKS;
        let frame = match Syncframe::parse(rest) {
            _ if is_whole && rest.is_empty() => break,
            Parsed::Part => return Found::Part,
            Parsed::Nothing if is_whole => break,
            Parsed::Frame(frame) if is_whole && frame.begins_unit() => break,
            Parsed::Frame(frame) if frame.is_enhanced => frame,
            Parsed::Frame(_) | Parsed::Nothing => return Found::Nothing,
        };
        if !draft.add(&frame) {
            return Found::Nothing;
        }
        if rest.len() < frame.bytes {
            return Found::Part;
        }
        at += frame.bytes;
    }
    draft.unit(at).map_or(Found::Nothing, Found::Unit)
}

/// The header of a syncframe.
#[derive(Clone, Copy, Debug)]
struct Syncframe {
    is_enhanced: bool,
    bytes: usize,
    blocks: u32,
    rate: u32,
    fscod: u8,
    bsid: u8,
    bsmod: u8,
    acmod: u8,
    lfeon: bool,
    /// AC-3: `frmsizecod` halved.
    bit_rate_code: u8,
    /// E-AC-3: of a substream that adds channels to the one before.
    is_dependent: bool,
    substream: u8,
    /// E-AC-3, dependent: where its channels are.
    chanmap: Option<u32>,
}

enum Parsed {
    Frame(Syncframe),
    Part,
    Nothing,
}

impl Syncframe {
    /// As much of the header as is read here.
    const HEADER_BYTES: usize = 12;

    fn parse(bytes: &[u8]) -> Parsed {
        let sync = SYNC.to_be_bytes();
        let starts = bytes.iter().zip(sync.iter().skip(2));
        if starts.clone().any(|(byte, sync)| byte != sync) {
            return Parsed::Nothing;
        }
        let Some(bsid) = bytes.get(5).map(|byte| byte >> 3) else {
            return Parsed::Part;
        };
        let frame = match bsid {
            ..EAC3_BSID => Self::parse_ac3(bytes),
            EAC3_BSID..=MOST_BSID => Self::parse_eac3(bytes),
            _ => return Parsed::Nothing,
        };
        match frame {
            Some(frame) => Parsed::Frame(frame),
            None if bytes.len() < Self::HEADER_BYTES => Parsed::Part,
            None => Parsed::Nothing,
        }
    }

    /// `syncinfo()` and the start of `bsi()` (§4.4.1, §4.4.2).
    fn parse_ac3(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        bits.skip(16 + 16)?; // syncword, crc1
        let fscod = bits.byte(2)?;
        let frmsizecod = bits.byte(6)?;
        let bsid = bits.byte(5)?;
        let bsmod = bits.byte(3)?;
        let acmod = bits.byte(3)?;
        bits.skip(mix_levels(acmod))?;
        let lfeon = bits.flag()?;
        let base = *RATES.get(usize::from(fscod))?;
        let kbits = *KBITS.get(usize::from(frmsizecod / 2))?;
        // Words of 16 bits; at 44.1 kHz an odd code has one more.
        let odd = u32::from(fscod == 1) * u32::from(frmsizecod & 1);
        let words = kbits * 96_000 / base + odd;
        Some(Self {
            is_enhanced: false,
            bytes: words as usize * 2,
            blocks: FRAME_BLOCKS,
            rate: base >> bsid.saturating_sub(FULL_RATE_BSID),
            fscod,
            bsid,
            bsmod,
            acmod,
            lfeon,
            bit_rate_code: frmsizecod / 2,
            is_dependent: false,
            substream: 0,
            chanmap: None,
        })
    }

    /// The start of `bsi()` of E-AC-3 (§E.1.2.2).
    fn parse_eac3(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        bits.skip(16)?;
        let strmtyp = bits.byte(2)?;
        let substream = bits.byte(3)?;
        let frmsiz = bits.take(11)?;
        let fscod = bits.byte(2)?;
        let (rate, blocks) = if fscod == 3 {
            let halved = RATES.get(usize::from(bits.byte(2)?))? / 2;
            (halved, FRAME_BLOCKS)
        } else {
            let rate = *RATES.get(usize::from(fscod))?;
            let blocks = [1, 2, 3, FRAME_BLOCKS];
            (rate, *blocks.get(usize::from(bits.byte(2)?))?)
        };
        let acmod = bits.byte(3)?;
        let lfeon = bits.flag()?;
        let bsid = bits.byte(5)?;
        let is_dependent = strmtyp == 1;
        let chanmap = if is_dependent {
            chanmap(&mut bits, acmod)?
        } else {
            None
        };
        (strmtyp < 3).then_some(Self {
            is_enhanced: true,
            bytes: (frmsiz as usize + 1) * 2,
            blocks,
            rate,
            fscod,
            bsid,
            bsmod: 0,
            acmod,
            lfeon,
            bit_rate_code: 0,
            is_dependent,
            substream,
            chanmap,
        })
    }

    fn begins_unit(&self) -> bool {
        !self.is_dependent && self.substream == 0
    }

    fn channels(&self) -> u16 {
        let full = CHANNELS.get(usize::from(self.acmod)).copied();
        full.unwrap_or(2) + u16::from(self.lfeon)
    }

    /// The sample that it is, with its `AC3SpecificBox` (§F.4).
    fn ac3(&self) -> Option<Unit> {
        let mut bits = Writer::default();
        bits.fixed(self.fscod.into(), 2);
        bits.fixed(self.bsid.into(), 5);
        bits.fixed(self.bsmod.into(), 3);
        bits.fixed(self.acmod.into(), 3);
        bits.flag(self.lfeon);
        bits.fixed(self.bit_rate_code.into(), 5);
        bits.fixed(0, 5);
        Some(Unit {
            bytes: self.bytes,
            is_enhanced: false,
            samples: self.blocks * BLOCK_SAMPLES,
            rate: self.rate,
            channels: self.channels(),
            configuration: Configuration::new(bits.bytes())?,
        })
    }
}

/// Bits of the mixing levels that go with a channel mode.
fn mix_levels(acmod: u8) -> u32 {
    let centre = acmod & 1 != 0 && acmod != 1;
    let surround = acmod & 4 != 0;
    2 * (u32::from(centre) + u32::from(surround) + u32::from(acmod == 2))
}

/// From behind `bsid` up to `chanmap` of a dependent substream, if it has one.
fn chanmap(bits: &mut Bits<'_>, acmod: u8) -> Option<Option<u32>> {
    let programmes = if acmod == 0 { 2 } else { 1 };
    for _ in 0..programmes {
        bits.skip(5)?; // dialnorm
        if bits.flag()? {
            bits.skip(8)?; // compr
        }
    }
    let has_map = bits.flag()?;
    Some(match has_map {
        true => Some(bits.take(16)?),
        false => None,
    })
}

/// An access unit of E-AC-3 in the making.
#[derive(Default)]
struct Draft {
    blocks: u32,
    substreams: [Option<Substream>; MOST_SUBSTREAMS],
}

#[derive(Clone, Copy)]
struct Substream {
    frame: Syncframe,
    /// Numbers of the substreams that depend on it, one bit each.
    dependents: u8,
    chan_loc: u32,
}

impl Draft {
    /// Takes the next frame; `false` if it does not go there.
    fn add(&mut self, frame: &Syncframe) -> bool {
        if !frame.is_dependent {
            let Some(place) = self.substreams.get_mut(usize::from(frame.substream)) else {
                return false;
            };
            place.get_or_insert(Substream {
                frame: *frame,
                dependents: 0,
                chan_loc: 0,
            });
            self.blocks += if frame.substream == 0 {
                frame.blocks
            } else {
                0
            };
            return self.blocks > 0;
        }
        // It belongs to the independent one before it.
        let mut before = self.substreams.iter_mut().rev().flatten();
        let Some(parent) = before.next() else {
            return false;
        };
        parent.dependents |= 1 << frame.substream;
        parent.chan_loc |= chan_loc(frame.chanmap.unwrap_or(0));
        true
    }

    /// With its `EC3SpecificBox` (§F.6.2).
    fn unit(&self, bytes: usize) -> Option<Unit> {
        let first = self.substreams.first().copied().flatten()?.frame;
        let independent = || self.substreams.iter().flatten();
        let samples = self.blocks * BLOCK_SAMPLES;
        let kbits = bytes as u64 * 8 * u64::from(first.rate) / u64::from(samples.max(1)) / 1000;
        let kbits = (kbits + RATE_STEP_KBITS / 2) / RATE_STEP_KBITS * RATE_STEP_KBITS;
        let mut bits = Writer::default();
        bits.fixed(u32::try_from(kbits).unwrap_or(0).min((1 << 13) - 1), 13);
        bits.fixed(independent().count().saturating_sub(1) as u32, 3);
        for Substream {
            frame,
            dependents,
            chan_loc,
        } in independent()
        {
            bits.fixed(frame.fscod.into(), 2);
            bits.fixed(frame.bsid.into(), 5);
            bits.fixed(0, 2); // reserved, asvc
            bits.fixed(frame.bsmod.into(), 3);
            bits.fixed(frame.acmod.into(), 3);
            bits.flag(frame.lfeon);
            bits.fixed(0, 3);
            bits.fixed(dependents.count_ones(), 4);
            match dependents {
                0 => bits.fixed(0, 1),
                _ => bits.fixed(*chan_loc, 9),
            }
        }
        Some(Unit {
            bytes,
            is_enhanced: true,
            samples,
            rate: first.rate,
            channels: first.channels(),
            configuration: Configuration::new(bits.bytes())?,
        })
    }
}

/// `chan_loc` (table F.6.1) of a `chanmap` (§E.1.3.1.8), whose first bit is the highest.
fn chan_loc(chanmap: u32) -> u32 {
    const PLACES: [u32; 9] = [5, 6, 7, 8, 9, 10, 11, 12, 14];
    let is_there = |place: u32| chanmap & (0x8000 >> place) != 0;
    let places = PLACES.iter().enumerate();
    places
        .filter(|(_, place)| is_there(**place))
        .fold(0, |loc, (bit, _)| loc | 1 << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A syncframe of E-AC-3 at 48 kHz: stream type, number, blocks code, 5.1 channels.
    fn enhanced(strmtyp: u32, substream: u32, numblkscod: u32, bytes: usize) -> Vec<u8> {
        let mut bits = Writer::default();
        bits.fixed(SYNC, 16);
        bits.fixed(strmtyp, 2);
        bits.fixed(substream, 3);
        bits.fixed(bytes as u32 / 2 - 1, 11);
        bits.fixed(0, 2);
        bits.fixed(numblkscod, 2);
        bits.fixed(7, 3);
        bits.flag(true);
        bits.fixed(16, 5);
        bits.fixed(31, 5); // dialnorm
        bits.flag(false);
        bits.flag(true);
        bits.fixed(0x0200, 16); // Lrs/Rrs
        let mut frame = bits.bytes().to_vec();
        frame.resize(bytes, 0);
        frame
    }

    fn unit(bytes: &[u8]) -> Unit {
        match find(bytes) {
            Found::Unit(unit) => unit,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_frame_of_ac3_says_how_long_it_is_and_what_mp4_writes_of_it() {
        // 48 kHz, 192 kbit/s, bsid 8, 2/0 without LFE.
        let mut frame = vec![0x0B, 0x77, 0, 0, 0x14, 0x40, 0x40, 0];
        assert_eq!(find(&frame), Found::Part);
        frame.resize(768, 0);
        let found = unit(&frame);
        assert_eq!(
            (found.bytes, found.samples, found.rate),
            (768, 1536, 48_000)
        );
        assert_eq!((found.channels, found.is_enhanced), (2, false));
        // What ffmpeg writes in `dac3` of such a stream.
        assert_eq!(found.configuration.body(), [0x10, 0x11, 0x40]);
        for length in 0..12 {
            assert_eq!(find(&frame[..length]), Found::Part, "{length}");
        }
        assert_eq!(find(&[0x0B, 0x78]), Found::Nothing);
        frame[5] = 17 << 3;
        assert_eq!(find(&frame), Found::Nothing);
    }

    #[test]
    fn an_access_unit_of_eac3_is_six_blocks_with_what_depends_on_them() {
        let next = enhanced(0, 0, 3, 400);
        let alone = unit(&next);
        assert_eq!((alone.bytes, alone.samples, alone.channels), (400, 1536, 6));
        // 400 bytes in 32 ms are 100 kbit/s.
        assert_eq!(alone.configuration.body(), [0x03, 0x00, 0x20, 0x0F, 0x00]);
        let with_dependent = [next.clone(), enhanced(1, 0, 3, 200), next.clone()].concat();
        let found = unit(&with_dependent);
        assert_eq!((found.bytes, found.samples), (600, 1536));
        let body = found.configuration.body();
        assert_eq!(&body[4..], [0x02, 0x02], "one dependent, Lrs and Rrs");
        let by_two_blocks = enhanced(0, 0, 1, 100).repeat(3);
        assert_eq!(unit(&by_two_blocks).bytes, 300);
        assert_eq!(find(&by_two_blocks[..200]), Found::Part);
        assert_eq!(find(&enhanced(1, 0, 3, 200)), Found::Nothing, "an orphan");
    }
}
