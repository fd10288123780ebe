// SPDX-License-Identifier: MPL-2.0
//! Transport streams: whatever the bytes, measuring returns whole packets that are there.
#![no_main]

use std::io::Cursor;

use fuzz::media::measure_ts_from;
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
});
