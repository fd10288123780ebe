// SPDX-License-Identifier: MPL-2.0
//! Tracks of other people's MP4 that are not taken: neither video nor audio, encrypted, or
//! uncompressed sound. And sample entries of those that are, without what differs from file to file.

use super::boxes::children;
use super::entry;
use super::entry_reading::{EntryError, codec_of_entry, entry_kind};
use super::skipped::Skipped;

/// Sound without compression (QuickTime File Format, "Sound Sample Descriptions"; ISO/IEC 23003-5):
/// its samples are single ones, which cuts are not made of.
const PCM: [&[u8; 4]; 11] = [
    b"sowt", b"twos", b"lpcm", b"in24", b"in32", b"fl32", b"fl64", b"raw ", b"NONE", b"ipcm",
    b"fpcm",
];

/// Why track `id` with this handler (ISO/IEC 14496-12 §8.4.3) and sample entry is left out, if so.
pub fn reason_to_skip(id: u32, handler: [u8; 4], entry: &[u8]) -> Option<Skipped> {
    let kind = entry_kind(entry);
    let reason = match (&handler, &kind) {
        (b"vide", b"encv") | (b"soun", b"enca") => "it is encrypted".to_owned(),
        (b"vide", _) => return None,
        (b"soun", kind) if PCM.contains(&kind) => {
            "uncompressed sound cannot be cut; AAC, MP2, MP3, AC-3, E-AC-3, Opus and FLAC can"
                .to_owned()
        }
        (b"soun", _) => match codec_of_entry(entry) {
            // MP4 holds it all the same.
            Ok(_) | Err(EntryError::Unknown(_)) => return None,
            Err(error) => error.to_string(),
        },
        _ => "it is neither video nor audio".to_owned(),
    };
    Some(skipped(id, entry, reason))
}

/// Track `id`, left out.
pub fn skipped(id: u32, entry: &[u8], reason: String) -> Skipped {
    Skipped {
        track: format!("track {id}"),
        codec: entry_kind(entry).escape_ascii().to_string(),
        reason,
    }
}

/// Size and kind, then the fixed fields of a visual sample entry (§12.1.3).
const VISUAL_ENTRY_BYTES: usize = 8 + 78;

/// A sample entry as the same for all files of a stream: muxers put the bit rate of each file into
/// it (`btrt`, `esds`), which would be a change of format from segment to segment.
pub fn without_rates(entry: &[u8], is_video: bool) -> Vec<u8> {
    let rewritten = match is_video {
        true => without_btrt(entry),
        false => codec_of_entry(entry).ok().and_then(|codec| {
            let mut bytes = Vec::with_capacity(entry.len());
            entry::check(&codec).ok()?;
            entry::encode(&codec, &mut bytes).ok()?;
            Some(bytes)
        }),
    };
    rewritten.unwrap_or_else(|| entry.to_vec())
}

fn without_btrt(entry: &[u8]) -> Option<Vec<u8>> {
    let (fixed, boxes) = entry.split_at_checked(VISUAL_ENTRY_BYTES)?;
    let mut new = fixed.to_vec();
    for child in children(boxes).filter(|child| child.kind != *b"btrt") {
        new.extend_from_slice(child.whole);
    }
    let bytes = u32::try_from(new.len()).ok()?;
    new.get_mut(..4)?.copy_from_slice(&bytes.to_be_bytes());
    Some(new)
}
