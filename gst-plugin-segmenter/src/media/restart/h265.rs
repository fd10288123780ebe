// SPDX-License-Identifier: MPL-2.0
//! H.265: a CRA picture becomes a BLA picture.
//!
//! A CRA (H.265 §3.29) may be followed by leading pictures that refer to pictures before it
//! (RASL), and where it stands first or after an end of sequence, decoders leave those out and
//! count picture order anew (§8.1.3). A BLA picture means that wherever it stands, and `BLA_N_LP`
//! that no leading pictures follow (table 7-1). Slice headers of both are the same (§7.3.6.1):
//! only the type in the NAL unit's header changes (§7.3.1.2), and no later picture at all, as
//! none refers to anything before (§8.3.2). A flag that means nothing in a CRA would keep a
//! decoder from showing what is before a BLA (§C.5.2.2), so it is cleared.

use super::sample::{Recipe, Sample, Unit};
use super::{Part, RestartError, Unsupported};
use crate::media::nal::h265::{BLA_N_LP, CRA, kind};

/// The recipe for a CRA picture of `sample_bytes` bytes, of which `read` has been read, as the
/// start of a copy. Its leading pictures, RASL and RADL, must not be copied.
///
/// # Errors
/// If more must be read, or the sample is no whole CRA picture.
pub fn enter(
    read: &[u8],
    sample_bytes: usize,
    length_bytes: usize,
) -> Result<Vec<Part>, RestartError> {
    let sample = Sample {
        read,
        bytes: sample_bytes,
        length_bytes,
    };
    let mut recipe = Recipe::default();
    let mut has_cra = false;
    for unit in sample.units() {
        let unit = unit?;
        if kind(unit.read) == CRA {
            has_cra = true;
            recipe.source(unit.whole.start..unit.place.start);
            recipe.bytes(&head(&unit)?);
            recipe.source(unit.place.start + HEAD_BYTES..unit.place.end);
        } else {
            recipe.source(unit.whole);
        }
    }
    if has_cra {
        Ok(recipe.parts())
    } else {
        Err(Unsupported::NotAnEntry("it has no slice of a CRA picture").into())
    }
}

/// The header of a NAL unit and the first byte of a slice header.
const HEAD_BYTES: usize = 3;
/// `no_output_of_prior_pics_flag`, behind `first_slice_segment_in_pic_flag`.
const NO_OUTPUT: u8 = 0x40;

fn head(unit: &Unit) -> Result<[u8; HEAD_BYTES], RestartError> {
    let Some([kind, layer, slice]) = unit.read.first_chunk() else {
        return Err(if unit.is_whole() {
            Unsupported::Damaged("a slice has no header").into()
        } else {
            unit.short(HEAD_BYTES)
        });
    };
    let cleared = slice & !NO_OUTPUT;
    // A new zero could need emulation prevention behind it (§7.4.2): only picture parameter set
    // 63 makes one.
    if cleared == 0 && *slice != 0 {
        return Err(Unsupported::NotAnEntry("it hides what is before").into());
    }
    Ok([(kind & 0x81) | (BLA_N_LP << 1), *layer, cleared])
}
