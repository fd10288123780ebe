// SPDX-License-Identifier: MPL-2.0
//! Supplemental enhancement information that display hangs on (H.264 Annex D, H.265 Annex D): it
//! goes from the source's pictures to those that are encoded in their place.
//!
//! What holds until the next keyframe (how bright the mastering display was and the content is,
//! which transfer characteristics are meant, how the picture is turned or packed) stands before each
//! encoded keyframe, and before the first picture for which it is another. What is of one picture
//! (captions, dynamic metadata) stays with it. What an encoder says of itself is left out.

use std::sync::Arc;

use super::source::Codec;
use crate::media::bits::{push_payload, without_emulation_prevention};
use crate::media::nal::{h264, h265};

/// Frame packing, display orientation, mastering display, colour remapping, content light level,
/// alternative transfer characteristics, ambient light, content colour volume, and the projections
/// of pictures all around: both standards number them alike (H.264 §D.1.1, H.265 §D.2.1).
const LASTING: [u32; 12] = [45, 47, 137, 142, 144, 147, 148, 149, 150, 151, 154, 155];
/// User data registered by ITU-T T.35: captions, active format, dynamic metadata.
const OF_ONE_PICTURE: u32 = 4;

/// A message: its type and payload.
pub type Message = (u32, Vec<u8>);

/// What pictures bring that lasts.
#[derive(Debug, Default)]
pub struct Information {
    lasting: Arc<[Message]>,
}

/// What goes with a picture that is encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What holds from a keyframe on.
    pub lasting: Arc<[Message]>,
    /// What is its own.
    pub own: Vec<Message>,
}

impl Information {
    /// Takes the next picture in decoding order; what lasts ends with a keyframe.
    pub fn take<'a>(
        &mut self,
        codec: Codec,
        units: impl Iterator<Item = &'a [u8]>,
        is_entry: bool,
    ) -> Carried {
        let found: Vec<Message> = units.flat_map(|unit| messages(unit, codec)).collect();
        let lasting = found.iter().filter(|(kind, _)| LASTING.contains(kind));
        let lasting: Vec<Message> = lasting.cloned().collect();
        if is_entry || !lasting.is_empty() {
            self.lasting = lasting.into();
        }
        let own = found.into_iter();
        Carried {
            lasting: Arc::clone(&self.lasting),
            own: own.filter(|(kind, _)| *kind == OF_ONE_PICTURE).collect(),
        }
    }
}

/// The messages of a unit, unescaped (H.264 §7.3.2.3.1, H.265 §7.3.5); none if it is another. Ends
/// at damage.
pub fn messages(unit: &[u8], codec: Codec) -> Vec<Message> {
    let header_bytes = match codec {
        Codec::H264 if h264::kind(unit) == h264::SEI => 1,
        Codec::H265 if h265::kind(unit) == h265::SEI => 2,
        _ => return Vec::new(),
    };
    let payload = without_emulation_prevention(unit);
    let mut rest = payload.get(header_bytes..).unwrap_or_default();
    let mut messages = Vec::new();
    while let Some(message) = message(&mut rest) {
        messages.push(message);
    }
    messages
}

fn message(rest: &mut &[u8]) -> Option<Message> {
    let (kind, bytes) = (number(rest)?, number(rest)?);
    let (body, next) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
    *rest = next;
    Some((kind, body.to_vec()))
}

/// Numbers are written as so many bytes of 255 and a last one.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let mut sum = 0_u32;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        sum = sum.checked_add(u32::from(*byte))?;
        if *byte < 255 {
            return Some(sum);
        }
    }
}

/// A unit of these messages; `None` if there are none.
pub fn unit<'a>(codec: Codec, messages: impl Iterator<Item = &'a Message>) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    for (kind, body) in messages {
        let bytes = u32::try_from(body.len()).ok()?;
        for number in [*kind, bytes] {
            payload.extend((0..number / 255).map(|_| 255));
            payload.push(u8::try_from(number % 255).unwrap_or_default());
        }
        payload.extend(body);
    }
    if payload.is_empty() {
        return None;
    }
    payload.push(0x80); // rbsp_trailing_bits
    let mut unit = match codec {
        Codec::H264 => vec![h264::SEI],
        Codec::H265 => vec![h265::SEI << 1, 1],
    };
    push_payload(&mut unit, &payload);
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written_and_damage_ends_them() {
        let long: Vec<u8> = (0..600).map(|byte| (byte % 3) as u8).collect();
        let messages_in = [(137, vec![0; 24]), (4, long), (300, Vec::new())];
        for codec in [Codec::H264, Codec::H265] {
            let unit = unit(codec, messages_in.iter()).expect("there are some");
            assert_eq!(messages(&unit, codec), messages_in);
            assert_eq!(messages(&unit[..unit.len() / 2], codec).len(), 1);
        }
        assert_eq!(unit(Codec::H264, [].iter()), None);
    }

    #[test]
    fn what_lasts_goes_on_until_the_next_keyframe_and_the_rest_with_its_picture() {
        let sei = |messages: &[Message]| unit(Codec::H265, messages.iter()).expect("some");
        let first = sei(&[(147, vec![18]), (4, vec![1]), (5, vec![9])]);
        let mut information = Information::default();
        let mut take = |units: &[Vec<u8>], is_entry| {
            let units = units.iter().map(Vec::as_slice);
            let carried = information.take(Codec::H265, units, is_entry);
            (carried.lasting.len(), carried.own.len())
        };
        assert_eq!(take(&[first], true), (1, 1));
        assert_eq!(take(&[], false), (1, 0));
        assert_eq!(take(&[sei(&[(4, vec![2])])], false), (1, 1));
        assert_eq!(take(&[], true), (0, 0));
    }
}
