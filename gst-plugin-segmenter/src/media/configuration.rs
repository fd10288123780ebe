// SPDX-License-Identifier: MPL-2.0
//! Sample entries with other parameter sets in them than they came with.

use super::boxes::children;
use super::nal::{Sets, h265};

/// Size and kind, then the fixed fields of a visual sample entry (ISO/IEC 14496-12 §12.1.3).
const VISUAL_ENTRY_BYTES: usize = 8 + 78;

/// An `avc1` or `avc3` sample entry that holds these parameter sets besides its own; their ids must
/// differ from those. `None` if the entry is damaged or has no room.
///
/// Its own sequence set comes first and its own picture set last: in MPEG-TS hls.js keeps these two
/// for a pair, whatever their ids.
pub fn with_h264_sets(entry: &[u8], sps: &[Vec<u8>], pps: &[Vec<u8>]) -> Option<Vec<u8>> {
    replace(entry, b"avcC", |avcc| add_sets(avcc, sps, pps))
}

/// An `hvc1` or `hev1` sample entry that holds these picture parameter sets besides its own; their
/// ids must differ from those. `None` if it is damaged or has no array of them.
pub fn with_h265_pps(entry: &[u8], pps: &[Vec<u8>]) -> Option<Vec<u8>> {
    replace(entry, b"hvcC", |hvcc| {
        let mut has_place = false;
        let new = hvcc_arrays(hvcc, |kind, sets| {
            if kind == h265::PPS && !std::mem::replace(&mut has_place, true) {
                sets.extend(pps.iter().cloned());
            }
        })?;
        (has_place || pps.is_empty()).then_some(new)
    })
}

/// A visual sample entry without its picture parameter sets: what of it must be the same for
/// pictures that one entry can stand for. That of another codec than H.264 and H.265 is its own;
/// `None` if it is damaged.
pub fn without_pps(entry: &[u8]) -> Option<Vec<u8>> {
    match of(entry)?.0.as_slice() {
        b"avcC" => replace(entry, b"avcC", |avcc| {
            let mut new = avcc.get(..6)?.to_vec();
            let sps = usize::from(*avcc.get(5)? & 0x1f);
            let rest = copy_sets(avcc.get(6..)?, sps, &mut new)?;
            let (count, rest) = rest.split_first()?;
            new.push(0);
            let tail = copy_sets(rest, usize::from(*count), &mut Vec::new())?;
            new.extend_from_slice(tail);
            Some(new)
        }),
        _ => replace(entry, b"hvcC", |hvcc| {
            hvcc_arrays(hvcc, |kind, sets| {
                if kind == h265::PPS {
                    sets.clear();
                }
            })
        }),
    }
}

/// The parameter sets of a visual sample entry of H.264 or H.265; `None` if it is damaged.
pub fn sets_of(entry: &[u8]) -> Option<Sets> {
    let (kind, record) = of(entry)?;
    match &kind {
        b"avcC" => Sets::from_avcc(record),
        _ => Sets::from_hvcc(record),
    }
}

/// An H.265 sample entry as `hev1`: what is in the samples comes before what is in the record
/// (ISO/IEC 14496-15 §8.3.3.1.2, `array_completeness` 0). `None` if it is damaged.
pub fn with_h265_sets_in_band(entry: &[u8]) -> Option<Vec<u8>> {
    let mut entry = replace(entry, b"hvcC", |hvcc| {
        let mut hvcc = hvcc.to_vec();
        let arrays = *hvcc.get(22)?;
        let mut at = 23;
        for _ in 0..arrays {
            *hvcc.get_mut(at)? &= 0x7f;
            let count = u16::from_be_bytes(*hvcc.get(at + 1..)?.first_chunk()?);
            at += 3;
            for _ in 0..count {
                let bytes = u16::from_be_bytes(*hvcc.get(at..)?.first_chunk()?);
                at += 2 + usize::from(bytes);
            }
        }
        Some(hvcc)
    })?;
    entry.get_mut(4..8)?.copy_from_slice(b"hev1");
    Some(entry)
}

/// The configuration box of a visual sample entry, `avcC` or `hvcC`: its four characters and its
/// body.
pub fn of(entry: &[u8]) -> Option<([u8; 4], &[u8])> {
    let mut boxes = children(entry.get(VISUAL_ENTRY_BYTES..)?);
    let found = boxes.find(|child| matches!(&child.kind, b"avcC" | b"hvcC"))?;
    Some((found.kind, found.body))
}

/// The entry with the body of one of its boxes replaced.
fn replace(
    entry: &[u8],
    kind: &[u8; 4],
    with: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (fixed, boxes) = entry.split_at_checked(VISUAL_ENTRY_BYTES)?;
    let mut new = fixed.to_vec();
    let mut with = Some(with);
    for child in children(boxes) {
        match with.take_if(|_| child.kind == *kind) {
            Some(with) => {
                let body = with(child.body)?;
                new.extend_from_slice(&u32::try_from(body.len() + 8).ok()?.to_be_bytes());
                new.extend_from_slice(kind);
                new.extend_from_slice(&body);
            }
            None => new.extend_from_slice(child.whole),
        }
    }
    let bytes = u32::try_from(new.len()).ok()?;
    new.get_mut(..4)?.copy_from_slice(&bytes.to_be_bytes());
    with.is_none().then_some(new)
}

/// An AVCDecoderConfigurationRecord (§5.3.3.1.2) with more sets; what stands behind them stays.
fn add_sets(avcc: &[u8], sps: &[Vec<u8>], pps: &[Vec<u8>]) -> Option<Vec<u8>> {
    const MOST_SPS: usize = 31;
    let (head, rest) = avcc.split_first_chunk::<6>()?;
    let [version, profile, compatible, level, length, count] = *head;
    // The level is one that all sets keep to.
    let levels = sps.iter().filter_map(|set| set.get(3).copied());
    let level = levels.fold(level, u8::max);
    let own_sps = usize::from(count & 0x1f);
    let sps_count = own_sps + sps.len();
    let mut new = vec![version, profile, compatible, level, length];
    new.push(
        (count & 0xe0)
            | u8::try_from(sps_count)
                .ok()
                .filter(|_| sps_count <= MOST_SPS)?,
    );
    let rest = copy_sets(rest, own_sps, &mut new)?;
    push_sets(&mut new, sps)?;
    let (count, rest) = rest.split_first()?;
    new.push(u8::try_from(usize::from(*count) + pps.len()).ok()?);
    push_sets(&mut new, pps)?;
    let rest = copy_sets(rest, usize::from(*count), &mut new)?;
    new.extend_from_slice(rest);
    Some(new)
}

/// An HEVCDecoderConfigurationRecord (§8.3.3.1.2) whose arrays of units, each with their type, were
/// changed.
fn hvcc_arrays(hvcc: &[u8], mut change: impl FnMut(u8, &mut Vec<Vec<u8>>)) -> Option<Vec<u8>> {
    let (head, mut rest) = hvcc.split_first_chunk::<23>()?;
    let mut new = head.to_vec();
    for _ in 0..*head.last()? {
        let ([kind, high, low], after) = rest.split_first_chunk::<3>()?;
        rest = after;
        let mut sets = Vec::new();
        for _ in 0..u16::from_be_bytes([*high, *low]) {
            let (bytes, after) = rest.split_first_chunk::<2>()?;
            let (set, after) = after.split_at_checked(u16::from_be_bytes(*bytes).into())?;
            sets.push(set.to_vec());
            rest = after;
        }
        change(kind & 0x3f, &mut sets);
        new.push(*kind);
        new.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
        push_sets(&mut new, &sets)?;
    }
    new.extend_from_slice(rest);
    Some(new)
}

fn copy_sets<'a>(rest: &'a [u8], count: usize, new: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut at = 0;
    for _ in 0..count {
        let bytes = u16::from_be_bytes(*rest.get(at..)?.first_chunk()?);
        at += 2 + usize::from(bytes);
    }
    let (sets, rest) = rest.split_at_checked(at)?;
    new.extend_from_slice(sets);
    Some(rest)
}

fn push_sets(new: &mut Vec<u8>, sets: &[Vec<u8>]) -> Option<()> {
    for set in sets {
        new.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
        new.extend_from_slice(set);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &[u8; 4], configuration: &[u8; 4], record: &[u8]) -> Vec<u8> {
        let mut entry = vec![0; VISUAL_ENTRY_BYTES];
        entry[4..8].copy_from_slice(kind);
        entry.extend((record.len() as u32 + 8).to_be_bytes());
        entry.extend(configuration);
        entry.extend(record);
        entry.extend([0, 0, 0, 9, b'p', b'a', b's', b'p', 1]);
        let bytes = (entry.len() as u32).to_be_bytes();
        entry[..4].copy_from_slice(&bytes);
        entry
    }

    fn record<'a>(entry: &'a [u8], kind: &[u8; 4]) -> &'a [u8] {
        let boxes = &entry[VISUAL_ENTRY_BYTES..];
        super::super::boxes::child(boxes, kind).expect("a record")
    }

    #[test]
    fn sets_are_added_within_those_that_are_there_and_the_tail_stays() {
        let avcc = [
            1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2, 0xfd, 0xf8,
        ];
        let entry = entry(b"avc1", b"avcC", &avcc);
        let new =
            with_h264_sets(&entry, &[vec![0x67, 100, 0, 40]], &[vec![0x68, 4]]).expect("room");
        let sets = Sets::from_avcc(record(&new, b"avcC")).expect("a record");
        assert_eq!(sets.sps, [vec![0x67, 1], vec![0x67, 100, 0, 40]]);
        assert_eq!(sets.pps, [vec![0x68, 4], vec![0x68, 2]]);
        assert_eq!(record(&new, b"avcC")[3], 40, "the level of the higher set");
        assert!(record(&new, b"avcC").ends_with(&[0xfd, 0xf8]));
        assert_eq!(
            u32::from_be_bytes(*new.first_chunk().expect("a box")) as usize,
            new.len()
        );
        assert!(new.ends_with(&[b'p', b'a', b's', b'p', 1]));
        for length in 0..entry.len() - 9 {
            assert_eq!(with_h264_sets(&entry[..length], &[], &[]), None);
        }
    }

    #[test]
    fn a_picture_set_of_h265_is_added_to_its_array_and_all_of_them_are_left_out() {
        let mut hvcc = vec![1; 21];
        hvcc.extend([3, 2, 0x80 | 33, 0, 1, 0, 1, 0x42]);
        hvcc.extend([0x80 | 34, 0, 1, 0, 2, 0x44, 1]);
        let entry = entry(b"hvc1", b"hvcC", &hvcc);
        let new = with_h265_pps(&entry, &[vec![0x44, 9]]).expect("whole");
        let sets = sets_of(&new).expect("a record");
        assert_eq!(sets.sps, [vec![0x42]]);
        assert_eq!(sets.pps, [vec![0x44, 1], vec![0x44, 9]]);
        assert_eq!(without_pps(&new), without_pps(&entry));
        let without = without_pps(&entry).expect("whole");
        assert_eq!(sets_of(&without).expect("a record").pps, [[0_u8; 0]; 0]);
        for length in 0..entry.len() - 9 {
            assert_eq!(with_h265_pps(&entry[..length], &[]), None);
            assert_eq!(without_pps(&entry[..length]), None);
        }
    }

    #[test]
    fn an_entry_for_sets_in_band_does_not_call_its_own_complete() {
        let mut hvcc = vec![1; 22];
        hvcc.extend([2, 0x80 | 32, 0, 1, 0, 1, 0x40, 0x80 | 33, 0, 1, 0, 1, 0x42]);
        let new = with_h265_sets_in_band(&entry(b"hvc1", b"hvcC", &hvcc)).expect("whole");
        assert_eq!(&new[4..8], b"hev1");
        let record = record(&new, b"hvcC");
        assert_eq!((record[23], record[29]), (32, 33));
    }
}
