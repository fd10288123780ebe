// SPDX-License-Identifier: MPL-2.0
//! Byte streams of H.264 and H.265 taken apart into access units, by the first slices of pictures.

use crate::frames::{Codec, Hash, nal_units};

/// A NAL unit, without start code.
pub type Unit = Vec<u8>;

/// All NAL units of one picture and those that come before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// In the order sent.
    pub units: Vec<Unit>,
}

/// What a NAL unit is, as far as a camera has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A slice; `is_first` of its picture.
    Slice {
        /// Whether it begins a picture.
        is_first: bool,
    },
    /// A parameter set of either kind.
    ParameterSet,
    /// A delimiter, SEI or anything else.
    Other,
}

/// The type in a NAL unit's header (ITU-T H.264 7.3.1, ITU-T H.265 7.3.1.2).
pub fn unit_type(codec: Codec, unit: &[u8]) -> u8 {
    let header = unit.first().copied().unwrap_or(0);
    match codec {
        Codec::H264 => header & 0x1f,
        _ => (header >> 1) & 0x3f,
    }
}

/// What a NAL unit is.
pub fn role(codec: Codec, unit: &[u8]) -> Role {
    let kind = unit_type(codec, unit);
    // first_mb_in_slice is 0, or first_slice_segment_in_pic_flag is set: a bit of 1 in both.
    let begins = |at: usize| unit.get(at).is_some_and(|byte| byte & 0x80 != 0);
    match (codec, kind) {
        (Codec::H264, 1..=5) => Role::Slice {
            is_first: begins(1),
        },
        (Codec::H265, 0..=31) => Role::Slice {
            is_first: begins(2),
        },
        (Codec::H264, 7 | 8) | (Codec::H265, 32..=34) => Role::ParameterSet,
        _ => Role::Other,
    }
}

/// Where decoding can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nowhere here.
    None,
    /// At an IDR picture (or its like), with nothing left over.
    Clean,
    /// At a recovery point of an open GOP or a CRA picture: pictures that lead it are lost.
    Open,
}

impl AccessUnit {
    /// The slices alone, hashed as [`Codec::picture`] does.
    pub fn picture(&self, codec: Codec) -> Hash {
        codec.picture(&self.bytes())
    }

    /// As a byte stream.
    pub fn bytes(&self) -> Vec<u8> {
        let units = self.units.iter();
        units
            .flat_map(|unit| [&[0, 0, 0, 1], unit.as_slice()].concat())
            .collect()
    }

    /// Whether decoding can begin here.
    pub fn entry(&self, codec: Codec) -> Entry {
        let has = |wanted: &[u8]| {
            let mut types = self.units.iter().map(|unit| unit_type(codec, unit));
            types.any(|kind| wanted.contains(&kind))
        };
        match codec {
            Codec::H264 if has(&[5]) => Entry::Clean,
            Codec::H264 if self.units.iter().any(|unit| is_exact_recovery_point(unit)) => {
                Entry::Open
            }
            Codec::H265 if has(&[19, 20]) => Entry::Clean,
            Codec::H265 if has(&[16, 17, 18, 21]) => Entry::Open,
            _ => Entry::None,
        }
    }
}

/// SEI whose first message is a recovery point with recovery_frame_cnt 0 (ITU-T H.264 D.1.8).
fn is_exact_recovery_point(unit: &[u8]) -> bool {
    matches!(unit, [header, 6, _, first, ..] if header & 0x1f == 6 && first & 0x80 != 0)
}

/// Takes a byte stream apart.
pub fn split(codec: Codec, stream: &[u8]) -> Vec<AccessUnit> {
    let (mut all, mut units, mut has_slice) = (Vec::new(), Vec::new(), false);
    for unit in nal_units(stream) {
        let role = role(codec, unit);
        let begins = match role {
            Role::Slice { is_first } => is_first,
            // What ends a picture (end of sequence, suffix SEI) is not in our clips.
            Role::ParameterSet | Role::Other => true,
        };
        if has_slice && begins {
            let units = std::mem::take(&mut units);
            all.push(AccessUnit { units });
            has_slice = false;
        }
        has_slice |= matches!(role, Role::Slice { .. });
        units.push(unit.to_vec());
    }
    if has_slice {
        all.push(AccessUnit { units });
    }
    all
}
