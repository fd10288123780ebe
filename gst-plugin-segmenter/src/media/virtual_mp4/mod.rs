// SPDX-License-Identifier: MPL-2.0
//! A virtual MP4: a generated head and slices of segments, which together are a file that nobody
//! wrote.
//!
//! Its length and every byte of it are known beforehand, so it is served like a file: any range at
//! random, with a validator ([`VirtualMp4::etag`]) that changes when the bytes would. In memory is
//! the head only, and what no segment holds. The tables come before the media, so playing starts
//! with the first bytes.

mod layout;
mod moov;
mod times;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use mp4_atom::{Encode, FourCC, Ftyp};
use sha2::{Digest, Sha256};

use self::layout::{Layout, SliceSource};
use self::times::Starts;
use super::MediaError;
use super::assembly::{Assembly, SourceFile};
use super::sample_reader::{self, OpenFiles, about, open_source};
use crate::utc::UtcNs;

/// Goes into the validator: to be raised when the same samples come to be written otherwise.
const FORMAT_VERSION: u32 = 2;

/// What a sample takes of the head where its size, time and offset differ from those before, and what
/// the rest of it takes, mostly.
const SAMPLE_BYTES: usize = 12;
const HEAD_BYTES: usize = 64 << 10;
/// Segments that are open while bytes are written: around a border, the tracks take turns.
const MOST_OPEN: usize = 2;

/// A file that nobody wrote.
pub struct VirtualMp4 {
    head: Vec<u8>,
    layout: Layout,
    assembly: Assembly,
    etag: String,
    open: OpenFiles,
}

impl VirtualMp4 {
    /// Of the samples of `assembly`; `created` is the time that the file's head tells.
    ///
    /// # Errors
    /// If there is no track, or a table does not fit its box.
    pub fn new(mut assembly: Assembly, created: UtcNs) -> Result<Self, MediaError> {
        if assembly.tracks.is_empty() {
            return Err(MediaError::NoTracks);
        }
        let starts: Vec<Starts> = assembly.tracks.iter_mut().map(times::settle).collect();
        let layout = Layout::of(&assembly, &starts);
        let head = head(&assembly, &starts, &layout, created)?;
        let etag = etag(&head, &layout, &assembly);
        Ok(Self {
            head,
            layout,
            assembly,
            etag,
            open: OpenFiles::default(),
        })
    }

    /// Bytes of the whole file.
    pub fn bytes(&self) -> u64 {
        self.head.len() as u64 + self.layout.bytes
    }

    /// A strong validator (RFC 9110 §8.8.3), without its quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Bytes that are held in memory.
    pub fn memory_bytes(&self) -> usize {
        self.head.len() + self.assembly.memory.len()
    }

    /// Reads from byte `at` on, as much as fits; 0 only at the end.
    ///
    /// # Errors
    /// What the file system says of which segment; [`InvalidData`](io::ErrorKind::InvalidData) if
    /// a segment has changed since the cut was planned.
    pub fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let wanted = (self.bytes().saturating_sub(at)).min(out.len() as u64);
        let wanted = usize::try_from(wanted).unwrap_or(out.len());
        let mut rest = out.get_mut(..wanted).unwrap_or_default();
        let mut at = at;
        while !rest.is_empty() {
            let read = self.read_piece(at, rest)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += read as u64;
            rest = rest.get_mut(read..).unwrap_or_default();
        }
        Ok(wanted)
    }

    /// Reads of the one slice that holds byte `at`.
    fn read_piece(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let head_bytes = self.head.len() as u64;
        let Some(at) = at.checked_sub(head_bytes) else {
            return copy(&self.head, at, out);
        };
        let Some((source, skipped, left)) = self.slice_at(at) else {
            return Ok(0);
        };
        let length = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let out = out.get_mut(..length).unwrap_or_default();
        match source {
            SliceSource::Memory { offset } => copy(&self.assembly.memory, offset + skipped, out),
            SliceSource::Spool { offset } => {
                sample_reader::spool(&self.assembly)?.read_exact_at(out, offset + skipped)?;
                Ok(out.len())
            }
            SliceSource::File { file, offset } => {
                let (source, opened) = self.open.get(&self.assembly, file)?;
                let read = opened.read_exact_at(out, offset + skipped);
                read.map_err(|error| about(source, &error))?;
                Ok(out.len())
            }
            SliceSource::Pes { sample, from } => {
                let bytes = self.open.pes_sample(&self.assembly, sample)?;
                copy(&bytes, u64::from(from) + skipped, out)
            }
        }
    }

    /// The slice that holds byte `at` of the media, how much of it lies before, and behind.
    fn slice_at(&self, at: u64) -> Option<(SliceSource, u64, u64)> {
        let slices = &self.layout.slices;
        let number = slices.partition_point(|slice| slice.end <= at);
        let start = number
            .checked_sub(1)
            .and_then(|before| slices.get(before))
            .map_or(0, |before| before.end);
        let slice = slices.get(number)?;
        Some((slice.source, at - start, slice.end - at))
    }

    /// Writes bytes `from` to `to` to `out`. Between files the kernel moves them by itself.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at), and what `out` says.
    pub fn copy_to<W: Write>(&self, from: u64, to: u64, out: &mut W) -> io::Result<()> {
        let to = to.min(self.bytes());
        let head_bytes = self.head.len() as u64;
        let mut at = from;
        if at < head_bytes {
            let end = to.min(head_bytes);
            let range = usize::try_from(at).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
            out.write_all(self.head.get(range).unwrap_or_default())?;
            at = end;
        }
        let mut open: VecDeque<(u32, File)> = VecDeque::with_capacity(MOST_OPEN);
        while at < to {
            let Some((source, skipped, left)) = self.slice_at(at - head_bytes) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let length = left.min(to - at);
            match source {
                SliceSource::Memory { offset } => {
                    write_range(&self.assembly.memory, offset + skipped, length, out)?;
                }
                SliceSource::Spool { offset } => {
                    let mut spool = sample_reader::spool(&self.assembly)?;
                    spool.seek(SeekFrom::Start(offset + skipped))?;
                    let copied = io::copy(&mut spool.take(length), out)?;
                    if copied != length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                SliceSource::Pes { sample, from } => {
                    let bytes = self.open.pes_sample(&self.assembly, sample)?;
                    write_range(&bytes, u64::from(from) + skipped, length, out)?;
                }
                SliceSource::File { file, offset } => {
                    let source = sample_reader::source(&self.assembly, file)?;
                    if !open.iter().any(|(number, _)| *number == file) {
                        open.truncate(MOST_OPEN - 1);
                        open.push_front((file, open_source(source)?));
                    }
                    let found = open.iter().find(|(number, _)| *number == file);
                    let (_, opened) = found.ok_or(io::ErrorKind::NotFound)?;
                    copy_from(source, opened, offset + skipped, length, out)?;
                }
            }
            at += length;
        }
        Ok(())
    }
}

fn copy(bytes: &[u8], at: u64, out: &mut [u8]) -> io::Result<usize> {
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    let mut rest = bytes.get(start..).unwrap_or_default();
    rest.read(out)
}

fn write_range<W: Write>(bytes: &[u8], at: u64, length: u64, out: &mut W) -> io::Result<()> {
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    let end = usize::try_from(at.saturating_add(length)).unwrap_or(usize::MAX);
    let range = bytes.get(start..end);
    out.write_all(range.ok_or(io::ErrorKind::UnexpectedEof)?)
}

fn copy_from<W: Write>(
    source: &SourceFile,
    opened: &File,
    at: u64,
    length: u64,
    out: &mut W,
) -> io::Result<()> {
    let mut reader = opened;
    reader
        .seek(SeekFrom::Start(at))
        .map_err(|error| about(source, &error))?;
    let copied = io::copy(&mut reader.take(length), out)?;
    if copied == length {
        return Ok(());
    }
    Err(about(source, &io::ErrorKind::UnexpectedEof.into()))
}

/// `ftyp`, `moov` and the header of `mdat`.
fn head(
    assembly: &Assembly,
    starts: &[Starts],
    layout: &Layout,
    created: UtcNs,
) -> Result<Vec<u8>, MediaError> {
    let samples: usize = assembly
        .tracks
        .iter()
        .map(|track| track.samples.len())
        .sum();
    let mut buf = Vec::with_capacity(samples.saturating_mul(SAMPLE_BYTES) + HEAD_BYTES);
    file_type(assembly).encode(&mut buf)?;
    let media_header = media_header(layout.bytes);
    let places = moov::encode(&mut buf, &assembly.tracks, starts, layout, created)?;
    let media_at = (buf.len() + media_header.len()) as u64;
    for places in places {
        places.shift(&mut buf, media_at);
    }
    buf.extend_from_slice(&media_header);
    Ok(buf)
}

/// The header of `mdat`, with 64 bits of size where it needs them (§4.2).
fn media_header(bytes: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(16);
    match u32::try_from(bytes + 8) {
        Ok(size) => {
            header.extend_from_slice(&size.to_be_bytes());
            header.extend_from_slice(b"mdat");
        }
        Err(_) => {
            header.extend_from_slice(&1_u32.to_be_bytes());
            header.extend_from_slice(b"mdat");
            header.extend_from_slice(&(bytes + 16).to_be_bytes());
        }
    }
    header
}

fn file_type(assembly: &Assembly) -> Ftyp {
    let mut compatible_brands = vec![
        FourCC::new(b"isom"),
        FourCC::new(b"iso2"),
        FourCC::new(b"mp41"),
    ];
    let entries = assembly.tracks.iter().flat_map(|track| &track.descriptions);
    let kinds: Vec<&[u8]> = entries.filter_map(|entry| entry.get(4..8)).collect();
    if kinds.contains(&&b"avc1"[..]) {
        compatible_brands.push(FourCC::new(b"avc1"));
    }
    if kinds.contains(&&b"av01"[..]) {
        compatible_brands.push(FourCC::new(b"av01"));
    }
    Ftyp {
        major_brand: FourCC::new(b"isom"),
        minor_version: 512,
        compatible_brands,
    }
}

/// Of all that the bytes follow from: the head, the slices, what is in memory, and the segments,
/// whose names hold the hashes of their bytes.
fn etag(head: &[u8], layout: &Layout, assembly: &Assembly) -> String {
    let mut hash = Sha256::new();
    hash.update(FORMAT_VERSION.to_be_bytes());
    hash.update(head);
    hash.update(&assembly.memory);
    for source in &assembly.files {
        let name = source.path.file_name().unwrap_or_default();
        hash.update(name.as_encoded_bytes());
        hash.update(source.bytes.to_be_bytes());
    }
    for slice in &layout.slices {
        hash.update(slice.end.to_be_bytes());
        let (kind, number, at) = match slice.source {
            SliceSource::File { file, offset } => (0_u8, file, offset),
            SliceSource::Memory { offset } => (1, 0, offset),
            SliceSource::Pes { sample, from } => (2, sample, from.into()),
            SliceSource::Spool { offset } => (3, 0, offset),
        };
        hash.update([kind]);
        hash.update(number.to_be_bytes());
        hash.update(at.to_be_bytes());
    }
    use base64::Engine as _;
    let digest = hash.finalize();
    let short = digest.get(..18).unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(short)
}
