// SPDX-License-Identifier: MPL-2.0
//! AAC in LATM with LOAS headers (ISO/IEC 14496-3 §1.7): frames that begin at any bit, behind a
//! configuration that comes now and then. MP4 holds them by bytes, and the configuration aside.
//!
//! Taken are streams of one programme and one layer with one frame in each element, which is what
//! is broadcast: where the frame lies is then told without the configuration, which may come later.

use super::super::bits::{Bits, Writer};
use super::sounds::{Configuration, Found, Sound, Specific};

/// `AudioSyncStream()` (§1.7.2): 11 bits of sync word and 13 of length.
const HEADER_BYTES: usize = 3;
const SYNC: u32 = 0x2B7;
/// Samples of a frame, or, with `frameLengthFlag`, of a shorter one.
const FRAME_SAMPLES: u32 = 1024;
const SHORT_FRAME_SAMPLES: u32 = 960;
const OBJECT_SBR: u32 = 5;
const OBJECT_PS: u32 = 29;

/// What starts with these bytes; `known` is the configuration that came before.
pub fn find(bytes: &[u8], known: Option<Configuration>) -> Found {
    let is = |at: usize, mask: u8, value: u8| bytes.get(at).is_none_or(|byte| byte & mask == value);
    if !is(0, 0xFF, 0x56) || !is(1, 0xE0, 0xE0) {
        return Found::Nothing;
    }
    let Some(bytes_in_all) = element_end(bytes) else {
        return Found::Part;
    };
    let Some(element) = bytes.get(HEADER_BYTES..bytes_in_all) else {
        return Found::Part;
    };
    match Element::parse(element) {
        Ok(Some(element)) => {
            let configuration = element.configuration.or(known);
            Found::Frame(Sound {
                header_bytes: 0,
                coded_bytes: bytes_in_all,
                sample_bytes: element.payload_bytes,
                samples: match configuration {
                    Some(Configuration::Aac { samples, .. }) => samples,
                    _ => FRAME_SAMPLES,
                },
                configuration: configuration.unwrap_or(Configuration::Pending),
            })
        }
        Ok(None) => Found::Nothing,
        Err(reason) => Found::Unsuited(reason),
    }
}

/// The frame in a whole LOAS element, by bytes.
pub fn payload(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = bytes.get(HEADER_BYTES..element_end(bytes)?)?;
    let element = Element::parse(bytes).ok().flatten()?;
    let end = element.payload_from + element.payload_bytes * 8;
    let mut payload = Writer::default();
    payload.copy(bytes, element.payload_from, end);
    (payload.length() == element.payload_bytes * 8).then(|| payload.bytes().to_vec())
}

/// Where the element ends that starts with these bytes.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let mut bits = Bits::new(bytes.get(..HEADER_BYTES)?);
    let is_sync = bits.take(11)? == SYNC;
    let length = bits.take(13)? as usize;
    is_sync.then_some(HEADER_BYTES + length)
}

/// `AudioMuxElement(1)` (§1.7.3).
struct Element {
    /// Where the frame begins, in bits.
    payload_from: usize,
    payload_bytes: usize,
    configuration: Option<Configuration>,
}

impl Element {
    /// `None` if it is damaged.
    ///
    /// # Errors
    /// What of it has no place in MP4.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let mut bits = Bits::new(bytes);
        let configuration = match bits.flag() {
            None => return Ok(None),
            Some(true) => None,
            Some(false) => match stream_mux_config(bytes, &mut bits)? {
                Some(configuration) => Some(configuration),
                None => return Ok(None),
            },
        };
        Ok(Self::parse_payload(bytes, bits, configuration))
    }

    /// `PayloadLengthInfo()` and `PayloadMux()` (§1.7.3.1, table 1.44).
    fn parse_payload(
        bytes: &[u8],
        mut bits: Bits<'_>,
        configuration: Option<Configuration>,
    ) -> Option<Self> {
        let mut payload_bytes = 0;
        loop {
            let more = bits.byte(8)?;
            payload_bytes += usize::from(more);
            if more != 0xFF {
                break;
            }
        }
        let payload_from = bits.position();
        let is_there = payload_from + payload_bytes * 8 <= bytes.len() * 8;
        (is_there && payload_bytes > 0).then_some(Self {
            payload_from,
            payload_bytes,
            configuration,
        })
    }
}

/// `StreamMuxConfig()` (§1.7.3.1, table 1.42).
fn stream_mux_config(
    bytes: &[u8],
    bits: &mut Bits<'_>,
) -> Result<Option<Configuration>, &'static str> {
    let Some(is_newer) = bits.flag() else {
        return Ok(None);
    };
    if is_newer && bits.flag() != Some(false) {
        return Err("a multiplex of a later version of LATM");
    }
    let layout = (|| {
        if is_newer {
            latm_value(bits)?; // taraBufferFullness
        }
        Some((bits.flag()?, bits.byte(6)?, bits.byte(4)?, bits.byte(3)?))
    })();
    match layout {
        None => return Ok(None),
        Some((true, 0, 0, 0)) => {}
        Some(_) => return Err("several programmes, layers or frames in one element of LATM"),
    }
    let from = bits.position();
    let declared = match is_newer.then(|| latm_value(bits)) {
        Some(None) => return Ok(None),
        Some(Some(length)) => Some((bits.position(), length)),
        None => None,
    };
    let Some(specific) = specific_config(bits)? else {
        return Ok(None);
    };
    // The length, where there is one, counts extensions behind it too.
    let (from, to) = match declared {
        Some((from, length)) => (from, from.saturating_add(length as usize)),
        None => (from, bits.position()),
    };
    Ok(rest_of_config(bits, is_newer, to).and_then(|()| specific.configuration(bytes, from, to)))
}

/// From behind the configuration, which ends at bit `to`, to the end.
fn rest_of_config(bits: &mut Bits<'_>, is_newer: bool, to: usize) -> Option<()> {
    let filling = to.checked_sub(bits.position())?;
    bits.skip(u32::try_from(filling).ok()?)?;
    // frameLengthType 0: each frame tells its length.
    if bits.byte(3)? != 0 {
        return None;
    }
    bits.skip(8)?; // latmBufferFullness
    let has_other_data = bits.flag()?;
    if has_other_data && is_newer {
        latm_value(bits)?;
    } else if has_other_data {
        while bits.flag()? {
            bits.skip(8)?;
        }
        bits.skip(8)?;
    }
    let has_checksum = bits.flag()?;
    bits.skip(if has_checksum { 8 } else { 0 })
}

/// `LatmGetValue()` (table 1.43).
fn latm_value(bits: &mut Bits<'_>) -> Option<u32> {
    let bytes = bits.take(2)? + 1;
    bits.take(8 * bytes)
}

/// What an AudioSpecificConfig says that matters here.
struct Said {
    rate: u32,
    channels: u16,
    has_short_frames: bool,
}

impl Said {
    fn configuration(&self, bytes: &[u8], from: usize, to: usize) -> Option<Configuration> {
        let mut copied = Writer::default();
        copied.copy(bytes, from, to);
        Some(Configuration::Aac {
            specific: Specific::new(copied.bytes())?,
            channels: self.channels,
            rate: self.rate,
            samples: match self.has_short_frames {
                true => SHORT_FRAME_SAMPLES,
                false => FRAME_SAMPLES,
            },
        })
    }
}

/// `AudioSpecificConfig()` of AAC (§1.6.2.1) with `GASpecificConfig()` (§4.4.1), up to its end.
fn specific_config(bits: &mut Bits<'_>) -> Result<Option<Said>, &'static str> {
    let read = (|| {
        let mut object = object_type(bits)?;
        let rate = sampling_frequency(bits)?;
        let channels = bits.byte(4)?;
        if matches!(object, OBJECT_SBR | OBJECT_PS) {
            sampling_frequency(bits)?; // of what SBR makes of it
            object = object_type(bits)?;
        }
        if !(1..=4).contains(&object) || !(1..8).contains(&channels) {
            return Some((object, channels, None));
        }
        let has_short_frames = bits.flag()?;
        let depends_on_core = bits.flag()?;
        bits.skip(if depends_on_core { 14 } else { 0 })?;
        let has_extension = bits.flag()?;
        bits.skip(u32::from(has_extension))?;
        let said = Said {
            rate,
            channels: if channels == 7 { 8 } else { channels.into() },
            has_short_frames,
        };
        Some((object, channels, Some(said)))
    })();
    match read {
        None => Ok(None),
        Some((_, _, Some(said))) => Ok(Some(said)),
        Some((_, 0, None)) => Err("channels told in the stream itself"),
        Some(_) => Err("a kind of MPEG-4 audio that is not AAC"),
    }
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(5)? {
        31 => Some(32 + bits.take(6)?),
        object => Some(object),
    }
}

fn sampling_frequency(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(4)? {
        15 => Some(bits.take(24)?).filter(|rate| *rate > 0),
        index => super::adts::RATES.get(index as usize).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A LOAS element: without a configuration, or with AAC LC of 48 kHz, stereo.
    fn element(with_config: bool, programmes: u32, payload: &[u8]) -> Vec<u8> {
        let mut bits = Writer::default();
        bits.flag(!with_config);
        if with_config {
            bits.flag(false); // audioMuxVersion
            bits.flag(true); // allStreamsSameTimeFraming
            bits.fixed(0, 6);
            bits.fixed(programmes - 1, 4);
            bits.fixed(0, 3);
            bits.fixed(0x1190, 16);
            bits.fixed(0, 3);
            bits.fixed(0xFF, 8);
            bits.fixed(0, 2); // no other data, no checksum
        }
        bits.fixed(payload.len() as u32, 8);
        for byte in payload {
            bits.fixed((*byte).into(), 8);
        }
        let body = bits.bytes();
        let mut whole = vec![0x56, 0xE0 | (body.len() >> 8) as u8, body.len() as u8];
        whole.extend_from_slice(body);
        whole
    }

    fn sound(found: Found) -> Sound {
        match found {
            Found::Frame(sound) => sound,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_frame_is_found_at_whichever_bit_it_begins() {
        let told = element(true, 1, &[1, 2, 250]);
        let found = sound(find(&told, None));
        let Configuration::Aac {
            specific,
            rate,
            channels,
            ..
        } = found.configuration
        else {
            panic!("{found:?}");
        };
        assert_eq!(
            (specific.bytes(), channels, rate),
            (&[0x11, 0x90][..], 2, 48_000)
        );
        assert_eq!((found.coded_bytes, found.sample_bytes), (told.len(), 3));
        assert_eq!(payload(&told), Some(vec![1, 2, 250]));
        let untold = element(false, 1, &[7; 40]);
        assert_eq!(payload(&untold), Some(vec![7; 40]));
        let pending = sound(find(&untold, None)).configuration;
        assert_eq!(pending, Configuration::Pending);
        let known = sound(find(&untold, Some(found.configuration))).configuration;
        assert_eq!(known, found.configuration);
        for length in 0..told.len() {
            assert_eq!(find(&told[..length], None), Found::Part);
        }
    }

    #[test]
    fn what_is_no_single_stream_of_aac_is_unsuited_and_noise_is_nothing() {
        let several = element(true, 2, &[1]);
        assert!(matches!(find(&several, None), Found::Unsuited(_)));
        assert_eq!(find(&[0x56, 0xE0, 0], None), Found::Nothing);
        assert_eq!(find(&[0x56, 0xE0, 1, 0xFF], None), Found::Nothing);
        assert_eq!(find(&[0x57, 0xE0, 1, 0xFF], None), Found::Nothing);
    }
}
