// SPDX-License-Identifier: MPL-2.0
//! How pictures are to be shown: the first fields of `vui_parameters()`, which are the same in
//! H.264 (§E.1.1) and H.265 (§E.2.1).

use super::super::bits::Bits;
use super::super::format::Colour;

/// `Extended_SAR`: width and height follow.
const ASPECT_EXTENDED: u8 = 255;
/// Pixel aspects by `aspect_ratio_idc` (H.264 table E-1), from 1 on.
const ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
const UNSPECIFIED: u16 = 2;

/// What is read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vui {
    /// Width to height of one pixel; square where it is not said.
    pub pixel_aspect: (u32, u32),
    pub colour: Option<Colour>,
}

impl Default for Vui {
    fn default() -> Self {
        Self {
            pixel_aspect: (1, 1),
            colour: None,
        }
    }
}

impl Vui {
    /// Reads as far as there is something; from `vui_parameters_present_flag` on.
    pub fn read(bits: &mut Bits<'_>) -> Self {
        let mut vui = Self::default();
        // What is cut off or damaged stays what it is without.
        let _ = vui.read_fields(bits);
        vui
    }

    fn read_fields(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let is_present = bits.flag()?;
        if !is_present {
            return None;
        }
        if bits.flag()? {
            self.pixel_aspect = aspect(bits)?;
        }
        if bits.flag()? {
            bits.skip(1)?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            self.colour = colour(bits)?;
        }
        Some(())
    }
}

fn aspect(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let idc = bits.byte(8)?;
    if idc == ASPECT_EXTENDED {
        let (width, height) = (bits.take(16)?, bits.take(16)?);
        let is_said = width > 0 && height > 0;
        return Some(if is_said { (width, height) } else { (1, 1) });
    }
    let known = usize::from(idc).checked_sub(1);
    let aspect = known.and_then(|index| ASPECTS.get(index));
    Some(aspect.copied().unwrap_or((1, 1)))
}

/// `video_format` up to `matrix_coefficients`; nothing where that says no more than the default.
fn colour(bits: &mut Bits<'_>) -> Option<Option<Colour>> {
    bits.skip(3)?; // video_format
    let full_range = bits.flag()?;
    let mut colour = Colour {
        primaries: UNSPECIFIED,
        transfer: UNSPECIFIED,
        matrix: UNSPECIFIED,
        full_range,
    };
    let is_described = bits.flag()?;
    if is_described {
        colour.primaries = bits.byte(8)?.into();
        colour.transfer = bits.byte(8)?.into();
        colour.matrix = bits.byte(8)?.into();
    }
    Some((is_described || full_range).then_some(colour))
}
