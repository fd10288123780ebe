// SPDX-License-Identifier: MPL-2.0
//! What needs no material: the watchdog, and that no bytes make a parser panic. How results fit
//! and what faults do is tested from outside, in `tests/cut_encode`.

use std::sync::mpsc;

use proptest::prelude::*;

use super::hevc::{HevcSps, vps_like};
use super::sps::Sps;
use super::{EncodeError, Encoder, Job, Options};

/// A sample entry of H.264 whose record has no parameter sets.
fn bare_entry() -> Vec<u8> {
    let mut entry = [&[0, 0, 0, 101][..], b"avc1", &[0; 78]].concat();
    entry.extend([0, 0, 0, 15]);
    entry.extend(b"avcC");
    entry.extend([1, 66, 0, 10, 0xff, 0xe0, 0]);
    entry
}

#[test]
fn a_feed_that_gives_nothing_for_long_is_an_error() {
    let (hold, held) = mpsc::channel::<()>();
    let feed = std::iter::from_fn(move || {
        let _ = held.recv();
        None
    });
    let job = Job {
        entry: bare_entry(),
        timescale: 90_000,
        options: Options::default(),
    };
    let mut encoder = Encoder::start(job, feed).expect("it starts");
    assert!(matches!(encoder.next(), Err(EncodeError::Stalled)));
    drop(hold);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(mut unit in proptest::collection::vec(any::<u8>(), 0..96)) {
        for head in [&[0x67, 100, 0, 31][..], &[0x67, 66, 0, 31], &[0x42, 1, 1], &[]] {
            let at = head.len().min(unit.len());
            unit.splice(..at, head.iter().copied());
            if let Some(sps) = Sps::parse(&unit) {
                prop_assert!(Sps::parse(&sps.like(&sps)).is_some());
            }
            if let Some(sps) = HevcSps::parse(&unit) {
                let _ = sps.like(&sps);
                unit.splice(..2.min(unit.len()), [0x40, 1]);
                let _ = vps_like(&unit, &sps);
            }
        }
    }
}
