// SPDX-License-Identifier: MPL-2.0
//! Names in an archive: whatever a folder holds, reading its name returns, and a name that was
//! read is written and read back as the same segment.
#![no_main]

use fuzz::archive::SegmentName;
use fuzz::archive::name::{check_folder_name, hour_folder, parse_hour_folder};
use fuzz::utc::UtcNs;
use libfuzzer_sys::fuzz_target;

/// 2026-11-20T10:00:00Z.
const HOUR: UtcNs = UtcNs(1_795_168_800_000_000_000);

fuzz_target!(|name: &str| {
    if let Ok(hour) = parse_hour_folder(name) {
        assert_eq!(hour_folder(hour), name);
    }
    if check_folder_name("stream", name).is_ok() {
        assert!(!name.contains('/') && name != "." && name != "..");
    }
    let Ok(segment) = SegmentName::parse(HOUR, name) else {
        return;
    };
    assert_eq!(segment.start.hour(), HOUR);
    assert!(segment.duration_ns >= 0);
    let written = segment.to_string();
    assert_eq!(SegmentName::parse(HOUR, &written), Ok(segment), "{written}");
});
