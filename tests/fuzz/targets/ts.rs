// SPDX-License-Identifier: MPL-2.0
//! Transport streams: whatever the bytes, measuring returns whole packets that are there, and each
//! sample that the index names can be read.
#![no_main]

use std::io::Cursor;

use fuzz::media::{Place, measure_ts_from, read_pes_sample, ts_frames};
use fuzz::utc::UtcNs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let measured = measure_ts_from(Cursor::new(file)).expect("memory is readable");
    let whole = usize::try_from(measured.whole_bytes).expect("as long as memory at most");
    assert!(whole <= file.len());
    assert_eq!(whole % 188, 0);
    assert!(measured.duration_ns >= 0);
    // Cutting never leaves more than there was.
    let again = measure_ts_from(Cursor::new(&file[..whole])).expect("memory is readable");
    assert!(again.whole_bytes <= measured.whole_bytes);
    read_every_sample(file);
});

fn read_every_sample(file: &[u8]) {
    let Ok(found) = ts_frames(file, UtcNs(0)) else {
        return;
    };
    for track in &found.frames.tracks {
        assert!(track.timescale > 0);
        let mut earliest = i64::MIN;
        for frame in &track.frames {
            assert!(earliest <= frame.dts);
            earliest = frame.dts;
            let Place::Pes { start, span, .. } = frame.place else {
                panic!("{frame:?} is not in a PES packet");
            };
            let start = usize::try_from(start).expect("in memory");
            let span = &file[start..start + span as usize];
            let description = &track.descriptions[usize::from(frame.description)];
            let sample = read_pes_sample(span, frame, description);
            let sample = sample.unwrap_or_else(|| panic!("{frame:?} is not there"));
            assert_eq!(sample.len(), frame.bytes as usize);
        }
    }
}
