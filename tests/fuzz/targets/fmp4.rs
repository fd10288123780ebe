// SPDX-License-Identifier: MPL-2.0
//! Segments of fragmented MP4: whatever the bytes, the reader returns, and what it says is so.
#![no_main]

use std::io::Cursor;

use fuzz::media::{Index, measure_mp4_from};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let measured = measure_mp4_from(Cursor::new(file)).expect("memory is readable");
    let whole = usize::try_from(measured.whole_bytes).expect("as long as memory at most");
    assert!(whole <= file.len());
    assert!(measured.duration_ns >= 0);
    let again = measure_mp4_from(Cursor::new(&file[..whole])).expect("memory is readable");
    assert_eq!(again, measured, "the whole part alone measures the same");
    let Ok(index) = Index::read(Cursor::new(file)) else {
        return;
    };
    assert_eq!(index.whole_bytes, measured.whole_bytes);
    for track in &index.tracks {
        track.configuration();
        for sample in &track.samples {
            assert!(sample.offset + u64::from(sample.bytes) <= index.whole_bytes);
        }
    }
});
