// SPDX-License-Identifier: MPL-2.0
//! Reading frames of a clip, in the form of MP4.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::media::assembly::SourceFile;
use crate::media::sample_reader::{about, open_source};
use crate::media::{Frame, Place, ts};

/// Reads frames; those of one file after the other, mostly, so one file is kept open.
pub struct Reader {
    files: Arc<[SourceFile]>,
    open: Option<(u32, File)>,
}

impl Reader {
    /// Of these files.
    pub fn new(files: Arc<[SourceFile]>) -> Self {
        Self { files, open: None }
    }

    /// A whole frame, whose sample entry is `entry`.
    ///
    /// # Errors
    /// Which segment cannot be read, and why.
    pub fn whole(&mut self, held: &Frame, entry: &[u8]) -> io::Result<Vec<u8>> {
        self.start(held, entry, held.bytes)
    }

    /// The first `bytes` of a frame, or more, or all there is.
    ///
    /// # Errors
    /// Which segment cannot be read, and why.
    pub fn start(&mut self, held: &Frame, entry: &[u8], bytes: u32) -> io::Result<Vec<u8>> {
        let files = Arc::clone(&self.files);
        let source = files
            .get(held.file as usize)
            .ok_or(io::ErrorKind::NotFound)?;
        let file = match self.open.take() {
            Some((number, file)) if number == held.file => file,
            _ => open_source(source)?,
        };
        let read = match held.place {
            Place::Pes { .. } => ts::read_sample(&file, held, entry),
            Place::Plain { offset } => {
                let mut out = vec![0; bytes.min(held.bytes) as usize];
                file.read_exact_at(&mut out, offset).map(|()| out)
            }
        };
        self.open = Some((held.file, file));
        read.map_err(|error| about(source, &error))
    }
}
