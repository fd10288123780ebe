// SPDX-License-Identifier: MPL-2.0
//! Reading the samples of an assembly one by one, in the form of MP4.
//!
//! Samples come mostly in the order of one file after the other, so a few files are kept open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::assembly::{Assembly, AssemblySample, Part, SourceFile};
use super::ts;

/// Files that are kept open.
const MOST_OPEN: usize = 8;

/// The files of an assembly, opened as they are needed.
#[derive(Debug, Default)]
pub struct OpenFiles {
    open: Mutex<Vec<(u32, Arc<File>)>>,
}

impl OpenFiles {
    /// File `number`, and what it is for errors.
    ///
    /// # Errors
    /// If it cannot be opened, or has changed since the cut was planned.
    pub fn get<'a>(
        &self,
        assembly: &'a Assembly,
        number: u32,
    ) -> io::Result<(&'a SourceFile, Arc<File>)> {
        let source = source(assembly, number)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, opened)) = open.iter().find(|(held, _)| *held == number) {
            return Ok((source, Arc::clone(opened)));
        }
        let opened = Arc::new(open_source(source)?);
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        open.push((number, Arc::clone(&opened)));
        Ok((source, opened))
    }

    /// A sample of a transport stream, in the form of MP4.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pes_sample(&self, assembly: &Assembly, number: u32) -> io::Result<Vec<u8>> {
        let Some(sample) = assembly.pes.get(number as usize) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (source, opened) = self.get(assembly, sample.frame.file)?;
        ts::read_sample(&opened, &sample.frame, &sample.entry)
            .map_err(|error| about(source, &error))
    }

    /// Reads a sample, replacing what is in `out`.
    ///
    /// # Errors
    /// Which segment cannot be read, and why.
    pub fn read(
        &self,
        assembly: &Assembly,
        sample: &AssemblySample,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        out.clear();
        for part in assembly.parts_of(sample) {
            match *part {
                Part::Memory { offset, bytes } => {
                    out.extend_from_slice(range(&assembly.memory, offset, bytes)?);
                }
                Part::Spool { offset, bytes } => {
                    let start = out.len();
                    out.resize(start + bytes as usize, 0);
                    let rest = out.get_mut(start..).unwrap_or_default();
                    spool(assembly)?.read_exact_at(rest, offset)?;
                }
                Part::Pes {
                    sample,
                    from,
                    bytes,
                } => {
                    let whole = self.pes_sample(assembly, sample)?;
                    out.extend_from_slice(range(&whole, from.into(), bytes)?);
                }
                Part::File {
                    file,
                    offset,
                    bytes,
                } => {
                    let (source, opened) = self.get(assembly, file)?;
                    let start = out.len();
                    out.resize(start + bytes as usize, 0);
                    let read =
                        opened.read_exact_at(out.get_mut(start..).unwrap_or_default(), offset);
                    read.map_err(|error| about(source, &error))?;
                }
            }
        }
        Ok(())
    }
}

fn range(bytes: &[u8], offset: u64, length: u32) -> io::Result<&[u8]> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let found = bytes.get(start..start.saturating_add(length as usize));
    found.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The file without a name.
///
/// # Errors
/// If there is none.
pub fn spool(assembly: &Assembly) -> io::Result<&File> {
    assembly
        .spool
        .as_deref()
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// What file `number` is.
///
/// # Errors
/// If there is none of that number.
pub fn source(assembly: &Assembly, number: u32) -> io::Result<&SourceFile> {
    let source = assembly.files.get(number as usize);
    source.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Opens a segment, if it still is what it was.
///
/// # Errors
/// If it cannot be opened, or has another length now.
pub fn open_source(source: &SourceFile) -> io::Result<File> {
    let file = File::open(&source.path).map_err(|error| about(source, &error))?;
    let bytes = file
        .metadata()
        .map_err(|error| about(source, &error))?
        .len();
    if bytes != source.bytes {
        let error = io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it has {bytes} bytes now and had {}", source.bytes),
        );
        return Err(about(source, &error));
    }
    Ok(file)
}

/// Says which segment an error is about.
pub fn about(source: &SourceFile, error: &io::Error) -> io::Error {
    let path = source.path.display();
    io::Error::new(error.kind(), format!("cannot read segment {path}: {error}"))
}
