// SPDX-License-Identifier: MPL-2.0
//! The pictures in what PES packets hold.
//!
//! A PES packet begins with an access unit and, as muxers write it, is one. Where it holds more,
//! delimiters tell them apart; without delimiters it is taken as one. The two fields of a frame
//! are one picture, delimiter between them or not.

use super::sets::{KnownSets, LENGTH_BYTES};
use super::{Coding, Head, Unit};
use crate::media::frames::FrameKind;
use crate::media::nal;

/// No muxer puts more access units than this into a PES packet.
const MOST_PICTURES: usize = 256;

/// One picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Bytes before it, and its own, in the byte stream.
    pub skip: usize,
    pub take: usize,
    /// Its bytes in the form of MP4.
    pub bytes: usize,
    pub kind: FrameKind,
    pub temporal_id: u8,
    pub pps_id: u32,
    /// What more may go on with.
    pub head: Head,
}

impl Coding {
    /// The pictures of a byte stream; what has no slice is none. Parameter sets are kept.
    pub fn pictures(self, stream: &[u8], known: &mut KnownSets) -> Vec<Picture> {
        let mut pictures = Vec::with_capacity(1);
        let mut open = Open::default();
        for unit in nal::in_byte_stream(stream) {
            let said = self.read(unit, known);
            let is_next = said == Unit::Delimiter && open.head.slice.is_some();
            if is_next && pictures.len() < MOST_PICTURES {
                // The unit is a part of the stream, behind a start code of three bytes or more.
                let at = unit.as_ptr().addr() - stream.as_ptr().addr() - 3;
                add(&mut pictures, &open, at);
                open = Open {
                    skip: at,
                    ..Open::default()
                };
            }
            open.head.add(said);
            if !self.is_left_out(unit) {
                open.bytes += LENGTH_BYTES + unit.len();
            }
        }
        add(&mut pictures, &open, stream.len());
        pictures
    }
}

/// Adds what ends at this byte of the stream, to the picture before if it is its second field.
fn add(pictures: &mut Vec<Picture>, open: &Open, end: usize) {
    let Some(picture) = open.close(end) else {
        return;
    };
    match pictures.last_mut() {
        Some(before) if before.head.goes_on(&picture.head) => before.join(&picture),
        _ => pictures.push(picture),
    }
}

impl Picture {
    /// Takes in what goes on with it, right behind it in the byte stream.
    pub fn join(&mut self, more: &Self) {
        self.take += more.take;
        self.bytes += more.bytes;
        self.head.join(&more.head);
        self.kind = self.head.kind().unwrap_or(self.kind);
    }
}

/// An access unit that more may come of.
#[derive(Default)]
struct Open {
    skip: usize,
    bytes: usize,
    head: Head,
}

impl Open {
    /// The access unit, which ends at this byte of the stream.
    fn close(&self, end: usize) -> Option<Picture> {
        let slice = self.head.slice?;
        Some(Picture {
            skip: self.skip,
            take: end - self.skip,
            bytes: self.bytes,
            kind: self.head.kind()?,
            temporal_id: slice.temporal_id,
            pps_id: slice.pps_id,
            head: self.head,
        })
    }
}
