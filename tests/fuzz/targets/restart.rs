// SPDX-License-Identifier: MPL-2.0
//! The rewriter of slice headers: whatever the pictures hold, what comes of one is a whole sample,
//! made of ranges that are there, and the same however much of the picture was read.
#![no_main]

use fuzz::media::nal::{self, Sets, h264};
use fuzz::media::restart::h264::Rewriter;
use fuzz::media::restart::{Part, RestartError, Unsupported, h265};
use libfuzzer_sys::fuzz_target;

/// Bytes of each NAL unit's length.
const LENGTH_BYTES: usize = 4;

fuzz_target!(|input: &[u8]| {
    let Some(([first_bytes, entry], stream)) = input.split_first_chunk::<2>() else {
        return;
    };
    let (sets, samples) = pictures(stream);
    let mut frugal = Rewriter::new(&sets);
    let mut lavish = Rewriter::new(&sets);
    for (number, sample) in samples.iter().enumerate() {
        let role = number.cmp(&usize::from(*entry));
        let ask = |rewriter: &mut Rewriter, read: &[u8]| match role {
            std::cmp::Ordering::Less => rewriter.follow(read, sample.len()).map(|()| Vec::new()),
            std::cmp::Ordering::Equal => rewriter.enter(read, sample.len()),
            std::cmp::Ordering::Greater => rewriter.rewrite(read, sample.len()),
        };
        let made = asked(sample, usize::from(*first_bytes), |read| {
            ask(&mut frugal, read)
        });
        let again = asked(sample, sample.len(), |read| ask(&mut lavish, read));
        assert_eq!(made, again, "however much is read");
        if made == Err(Unsupported::Leading.into()) {
            // A caller leaves it out.
            let read = |rewriter: &mut Rewriter| rewriter.follow(sample, sample.len());
            assert_eq!(read(&mut frugal), read(&mut lavish));
            continue;
        }
        let Ok(recipe) = made else {
            return;
        };
        if role.is_lt() {
            continue;
        }
        let cooked = cooked(sample, &recipe);
        let kinds = whole_units(&cooked).map(h264::kind);
        if role.is_eq() {
            let mut slices = kinds.filter(|kind| matches!(*kind, h264::SLICE | h264::IDR));
            assert!(slices.all(|kind| kind == h264::IDR), "the entry is an IDR");
        }
    }
    for sample in &samples {
        let made = asked(sample, sample.len(), |read| {
            h265::enter(read, sample.len(), LENGTH_BYTES)
        });
        if let Ok(recipe) = made {
            assert_eq!(cooked(sample, &recipe).len(), sample.len());
        }
    }
});

/// The parameter sets before the first slice, and the pictures as samples: each begins with what
/// stands before a slice of its first macroblock.
fn pictures(stream: &[u8]) -> (Sets, Vec<Vec<u8>>) {
    let mut sets = Sets {
        length_bytes: LENGTH_BYTES,
        ..Sets::default()
    };
    let (mut samples, mut sample, mut has_slice) = (Vec::new(), Vec::new(), false);
    for unit in nal::in_byte_stream(stream) {
        let kind = h264::kind(unit);
        let is_slice = matches!(kind, h264::SLICE | h264::IDR);
        let begins = is_slice && unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && (begins || !is_slice) {
            samples.push(std::mem::take(&mut sample));
            has_slice = false;
        }
        has_slice |= is_slice;
        match kind {
            h264::SPS if samples.is_empty() && !has_slice => sets.sps.push(unit.to_vec()),
            h264::PPS if samples.is_empty() && !has_slice => sets.pps.push(unit.to_vec()),
            _ => {
                nal::push(&mut sample, unit, LENGTH_BYTES);
            }
        }
    }
    samples.push(sample);
    (sets, samples)
}

/// Asks with more and more of the sample, as it is wanted.
fn asked(
    sample: &[u8],
    first_bytes: usize,
    mut ask: impl FnMut(&[u8]) -> Result<Vec<Part>, RestartError>,
) -> Result<Vec<Part>, RestartError> {
    let mut bytes = first_bytes.min(sample.len());
    loop {
        match ask(&sample[..bytes]) {
            Err(RestartError::Short { needs }) => {
                assert!(needs > bytes && needs <= sample.len(), "{needs} of {bytes}");
                bytes = needs;
            }
            made => return made,
        }
    }
}

fn cooked(sample: &[u8], recipe: &[Part]) -> Vec<u8> {
    let part = |part: &Part| match part {
        Part::Bytes(bytes) => bytes.clone(),
        Part::Source(range) => sample[range.clone()].to_vec(),
    };
    recipe.iter().flat_map(part).collect()
}

/// The NAL units of a sample, which end where it ends.
fn whole_units(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lengths = nal::in_sample(sample, LENGTH_BYTES).map(|unit| LENGTH_BYTES + unit.len());
    assert!(lengths.sum::<usize>() <= sample.len());
    let mut rest = sample;
    while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        rest = &after[u32::from_be_bytes(*length) as usize..];
    }
    assert!(rest.is_empty(), "{} bytes are in no unit", rest.len());
    nal::in_sample(sample, LENGTH_BYTES)
}
