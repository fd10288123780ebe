// SPDX-License-Identifier: MPL-2.0
//! Finding boxes (ISO/IEC 14496-12 §4.2) in files that may be cut off, damaged or hostile.
//!
//! Containers are walked by hand and only leaves are given to `mp4-atom`: its containers decode
//! whatever box they meet inside them, so a file of boxes in boxes would overflow the stack.

use std::io::{self, Read, Seek, SeekFrom};

/// A box that is wholly there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxAt {
    pub kind: [u8; 4],
    /// Where its header starts.
    pub start: u64,
    /// Where its body starts.
    pub body: u64,
    /// The first byte behind it.
    pub end: u64,
}

impl BoxAt {
    pub fn body_bytes(&self) -> u64 {
        self.end - self.body
    }
}

/// The box that starts at `start` of a file of `length` bytes; `None` if it is not wholly there
/// or no box. A size of 0 (up to the end of the file) is none: we never write it, and it is what
/// a power cut leaves where the file had grown but no data had reached the disk.
pub fn read_header<R: Read + Seek>(
    reader: &mut R,
    start: u64,
    length: u64,
) -> io::Result<Option<BoxAt>> {
    let available = length.saturating_sub(start);
    if available < 8 {
        return Ok(None);
    }
    reader.seek(SeekFrom::Start(start))?;
    let mut header = [0; 16];
    let wanted = usize::try_from(available.min(16)).unwrap_or(16);
    let header = header.get_mut(..wanted).unwrap_or_default();
    reader.read_exact(header)?;
    Ok(
        parse_header(header).and_then(|(kind, header_bytes, bytes)| {
            let end = start.checked_add(bytes)?;
            (end <= length).then_some(BoxAt {
                kind,
                start,
                body: start + header_bytes,
                end,
            })
        }),
    )
}

/// Kind, bytes of the header, and bytes of the whole box.
fn parse_header(bytes: &[u8]) -> Option<([u8; 4], u64, u64)> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (header_bytes, size) = match u32::from_be_bytes(*size) {
        1 => (16, u64::from_be_bytes(*rest.first_chunk::<8>()?)),
        size => (8, u64::from(size)),
    };
    (size >= header_bytes).then_some((*kind, header_bytes, size))
}

/// The body of a box, unless it is larger than `limit`.
pub fn read_body<R: Read + Seek>(
    reader: &mut R,
    at: &BoxAt,
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    if at.body_bytes() > limit {
        return Ok(None);
    }
    reader.seek(SeekFrom::Start(at.body))?;
    let mut body = Vec::new();
    reader.take(at.body_bytes()).read_to_end(&mut body)?;
    Ok((body.len() as u64 == at.body_bytes()).then_some(body))
}

/// A box in memory.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    pub kind: [u8; 4],
    pub body: &'a [u8],
    /// With its header.
    pub whole: &'a [u8],
}

/// The boxes in the body of a container, up to the first that is not whole.
pub fn children(mut body: &[u8]) -> impl Iterator<Item = Child<'_>> {
    std::iter::from_fn(move || {
        let (kind, header_bytes, bytes) = parse_header(body)?;
        let (whole, rest) = body.split_at_checked(usize::try_from(bytes).ok()?)?;
        body = rest;
        Some(Child {
            kind,
            body: whole.get(usize::try_from(header_bytes).ok()?..)?,
            whole,
        })
    })
}

/// The body of the first box of a kind.
pub fn child<'a>(body: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(body)
        .find(|child| child.kind == *kind)
        .map(|child| child.body)
}

/// Decodes the body of a leaf box; `None` if it is not one.
pub fn leaf<T: mp4_atom::Atom>(mut body: &[u8]) -> Option<T> {
    T::decode_body(&mut body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[track_caller]
    fn header(bytes: &[u8]) -> Option<BoxAt> {
        let length = bytes.len() as u64;
        read_header(&mut Cursor::new(bytes), 0, length).expect("memory is readable")
    }

    #[test]
    fn a_box_that_is_cut_off_empty_or_shorter_than_its_header_is_none() {
        assert!(header(b"\0\0\0\x0cfreeabcd").is_some());
        assert!(header(b"\0\0\0\x0cfreeabc").is_none());
        assert!(header(b"\0\0\0\x07free").is_none());
        assert!(header(&[0; 64]).is_none());
        assert!(header(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f").is_none());
        assert!(header(b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff").is_none());
    }

    #[test]
    fn a_size_of_64_bits_is_understood() {
        let found = header(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab").expect("a box");
        assert_eq!((found.body, found.end), (16, 18));
    }
}
