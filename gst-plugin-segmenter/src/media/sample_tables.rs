// SPDX-License-Identifier: MPL-2.0
//! The samples of a plain MP4 (ISO/IEC 14496-12 §8.6, §8.7): tables in `moov`, not fragments.
//!
//! The tables are gone through by hand: their counts are claims of the file, and what is kept is
//! bounded by the bytes that are there.

use super::boxes::child;
use super::scan::ChunkSample;

/// Of sound that is not packed, each sample of which is one of the table's, so many are one here.
const GATHERED: u32 = 1024;

/// The samples of track number `track`, in decoding order, as far as the file of `length` bytes
/// holds them; `None` if the tables contradict each other or name more than `most`.
pub fn samples(track: usize, table: &[u8], length: u64, most: usize) -> Option<Vec<ChunkSample>> {
    let sizes = Sizes::read(table)?;
    let mut deltas = Runs::new(child(table, b"stts").unwrap_or_default());
    let mut offsets = Runs::new(child(table, b"ctts").unwrap_or_default());
    let mut keyframes = child(table, b"stss").map(Keyframes::new);
    let mut samples = Vec::new();
    let (mut number, mut dts) = (0_u32, 0_i64);
    for chunk in chunks(table) {
        let mut place = chunk.offset;
        let end = number.saturating_add(chunk.samples).min(sizes.count);
        while number < end {
            let (bytes, taken) = sizes.at(number, deltas.peek(), end - number)?;
            let duration = deltas.next(taken)?.saturating_mul(taken);
            let shift = offsets.next(taken).unwrap_or(0).cast_signed();
            let after = place.checked_add(bytes.into())?;
            if after > length {
                // What is behind the end of the file cannot be followed by anything.
                return Some(samples);
            }
            if samples.len() >= most {
                return None;
            }
            let is_sync = |keyframes: &mut Keyframes<'_>| keyframes.is_one(number + 1);
            samples.push(ChunkSample {
                track,
                dts,
                pts: dts.checked_add(shift.into())?,
                duration,
                bytes,
                offset: place,
                sync: keyframes.as_mut().is_none_or(is_sync),
                description: chunk.description,
            });
            number += taken;
            dts = dts.checked_add(duration.into())?;
            place = after;
        }
    }
    Some(samples)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// The entries of a table: version, flags and their number stand before them.
fn entries<const BYTES: usize>(body: &[u8]) -> &[[u8; BYTES]] {
    let count = u32_at(body, 4).unwrap_or(0) as usize;
    let (entries, _) = body.get(8..).unwrap_or_default().as_chunks::<BYTES>();
    entries.get(..count.min(entries.len())).unwrap_or_default()
}

/// `stsz` or `stz2` (§8.7.3).
struct Sizes<'a> {
    count: u32,
    /// Of all samples; 0 if each has its own.
    each: u32,
    /// Bits of an entry.
    bits: u32,
    table: &'a [u8],
}

impl<'a> Sizes<'a> {
    fn read(table: &'a [u8]) -> Option<Self> {
        if let Some(body) = child(table, b"stsz") {
            return Some(Self {
                count: u32_at(body, 8)?,
                each: u32_at(body, 4)?,
                bits: 32,
                table: body.get(12..)?,
            });
        }
        let body = child(table, b"stz2")?;
        Some(Self {
            count: u32_at(body, 8)?,
            each: 0,
            bits: u32_at(body, 4)? & 0xFF,
            table: body.get(12..)?,
        })
    }

    /// Bytes of sample `number`, and how many are taken with it: more than one only of those that
    /// last a tick each.
    fn at(&self, number: u32, delta: Option<(u32, u32)>, left: u32) -> Option<(u32, u32)> {
        if self.each > 0 {
            let alike = delta.filter(|(delta, _)| *delta == 1).map_or(1, |(_, n)| n);
            let taken = alike.min(left).clamp(1, GATHERED);
            return Some((self.each.checked_mul(taken)?, taken));
        }
        let index = number as usize;
        let bytes = match self.bits {
            32 => u32_at(self.table, index.checked_mul(4)?)?,
            16 => {
                let entry = self.table.get(index.checked_mul(2)?..)?;
                u16::from_be_bytes(*entry.first_chunk()?).into()
            }
            8 => (*self.table.get(index)?).into(),
            4 => {
                let pair = self.table.get(index / 2)?;
                u32::from(if index.is_multiple_of(2) {
                    pair >> 4
                } else {
                    pair & 0x0F
                })
            }
            _ => return None,
        };
        Some((bytes, 1))
    }
}

/// Runs of a count and a value: `stts` (§8.6.1.2) and `ctts` (§8.6.1.3).
struct Runs<'a> {
    entries: std::slice::Iter<'a, [u8; 8]>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self {
            entries: entries(body).iter(),
            left: 0,
            value: 0,
        }
    }

    /// The value of the next sample, and for how many that holds. Behind the last run it is the
    /// last one's: files say so for the sample that nothing follows.
    fn peek(&mut self) -> Option<(u32, u32)> {
        while self.left == 0 {
            let [a, b, c, d, value @ ..] = *self.entries.next()?;
            self.left = u32::from_be_bytes([a, b, c, d]);
            self.value = u32::from_be_bytes(value);
        }
        Some((self.value, self.left))
    }

    /// Takes samples, of one run.
    fn next(&mut self, taken: u32) -> Option<u32> {
        let (value, left) = self.peek().unwrap_or((self.value, taken));
        self.left = left.saturating_sub(taken);
        Some(value)
    }
}

/// `stss` (§8.6.2): their numbers, from 1 on, ascending.
struct Keyframes<'a> {
    numbers: std::iter::Peekable<std::slice::Iter<'a, [u8; 4]>>,
}

impl<'a> Keyframes<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self {
            numbers: entries(body).iter().peekable(),
        }
    }

    /// Asked for ascending numbers.
    fn is_one(&mut self, number: u32) -> bool {
        let before = |entry: &&[u8; 4]| u32::from_be_bytes(**entry) < number;
        while self.numbers.next_if(before).is_some() {}
        let next = self.numbers.peek();
        next.is_some_and(|entry| u32::from_be_bytes(**entry) == number)
    }
}

/// Samples that lie one behind the other.
struct Run {
    offset: u64,
    samples: u32,
    description: u16,
}

/// `stco` or `co64` with `stsc` (§8.7.4, §8.7.5).
fn chunks(table: &[u8]) -> impl Iterator<Item = Run> {
    let small = entries::<4>(child(table, b"stco").unwrap_or_default());
    let large = entries::<8>(child(table, b"co64").unwrap_or_default());
    let small = small.iter().map(|at| u64::from(u32::from_be_bytes(*at)));
    let offsets = small.chain(large.iter().map(|at| u64::from_be_bytes(*at)));
    let runs = entries::<12>(child(table, b"stsc").unwrap_or_default());
    let mut runs = runs.iter().map(|[a, b, c, d, e, f, g, h, i, j, k, l]| {
        let field = |bytes: [&u8; 4]| u32::from_be_bytes(bytes.map(|byte| *byte));
        let (first, samples) = (field([a, b, c, d]), field([e, f, g, h]));
        (first, samples, field([i, j, k, l]))
    });
    let (mut current, mut next) = ((0, 0), None);
    offsets.zip(1_u32..).map(move |(offset, number)| {
        loop {
            next = next.take().or_else(|| runs.next());
            match next {
                Some((first, samples, description)) if first <= number => {
                    current = (samples, description);
                    next = None;
                }
                _ => break,
            }
        }
        let (samples, description) = current;
        Run {
            offset,
            samples,
            description: u16::try_from(description.saturating_sub(1)).unwrap_or(0),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(kind: &[u8; 4], fields: &[u32]) -> Vec<u8> {
        let bytes = 8 + 4 + 4 * fields.len() as u32;
        let head = [&bytes.to_be_bytes()[..], kind, &[0; 4]].concat();
        let fields = fields.iter().flat_map(|field| field.to_be_bytes());
        head.into_iter().chain(fields).collect()
    }

    fn tables(stts: &[u32], stsz: &[u32], stsc: &[u32], stco: &[u32]) -> Vec<u8> {
        [
            leaf(b"stts", stts),
            leaf(b"stsz", stsz),
            leaf(b"stsc", stsc),
            leaf(b"stco", stco),
        ]
        .concat()
    }

    #[test]
    fn what_a_table_claims_costs_no_more_than_the_file_holds() {
        const ALL: u32 = u32::MAX;
        // Four thousand million samples of a byte, of none, and in one chunk.
        let endless = tables(&[1, ALL, 1], &[1, ALL], &[1, 1, ALL, 1], &[1, 8]);
        let found = samples(0, &endless, 5000, 100).expect("as far as the file goes");
        assert_eq!(found.len(), 4, "1024 of a tick each are one");
        assert_eq!((found[0].bytes, found[0].duration), (1024, 1024));
        let empty = tables(&[1, ALL, 10], &[0, ALL], &[1, 1, ALL, 1], &[1, 8]);
        assert!(
            samples(0, &empty, 5000, 100).is_none(),
            "no size of its own"
        );
        let many = tables(&[1, ALL, 10], &[1, ALL], &[1, 1, ALL, 1], &[1, 8]);
        assert!(samples(0, &many, 5000, 100).is_none());
        assert_eq!(samples(0, &many, 50, 100).map(|all| all.len()), Some(42));
        assert!(samples(0, &[], 50, 100).is_none());
        let without_chunks = tables(&[1, ALL, 1], &[1, ALL], &[1, 1, ALL, 1], &[0]);
        assert_eq!(
            samples(0, &without_chunks, 50, 100).map(|all| all.len()),
            Some(0)
        );
    }
}
