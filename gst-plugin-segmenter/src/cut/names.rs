// SPDX-License-Identifier: MPL-2.0
//! What codecs are called, for people.

/// The codec of a sample entry with what tells it from others of its kind: `H.264 1920x1080`.
pub fn of_entry(entry: &[u8]) -> String {
    let kind = entry.get(4..8).unwrap_or_default();
    let field = |at: usize| {
        let bytes = entry.get(at..).and_then(<[u8]>::first_chunk::<2>);
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    };
    let name = codec(kind);
    match kind {
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"av01" | b"vp09" => {
            format!("{name} {}x{}", field(32), field(34))
        }
        _ => format!("{name} {} Hz, {} channels", field(32), field(24)),
    }
}

/// The name of the codec that a sample entry's four characters stand for.
pub fn codec(kind: &[u8]) -> &'static str {
    match kind {
        b"avc1" | b"avc3" => "H.264",
        b"hvc1" | b"hev1" => "H.265",
        b"av01" => "AV1",
        b"vp09" => "VP9",
        b"mp4a" => "AAC or MPEG audio",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"Opus" => "Opus",
        b"fLaC" => "FLAC",
        b"alaw" => "A-law",
        b"ulaw" => "µ-law",
        _ => "an unknown codec",
    }
}
