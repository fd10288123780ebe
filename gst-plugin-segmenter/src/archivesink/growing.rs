// SPDX-License-Identifier: MPL-2.0
//! The file of the segment that is being recorded, whichever container it holds.
//!
//! It comes to be with the first chunk (a stream that never sends a frame leaves no file), is
//! forced to the disk as often as the user asked, and gets its final name when it closes.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::{Container, Finished, Kind, SegmentFile, mount};
use crate::utc::UtcNs;

use super::settings::Fsync;

/// Where the segments of a stream go, and how hard they are pressed onto the disk.
#[derive(Clone, Debug)]
pub struct Place {
    /// Root of the archive.
    pub root: PathBuf,
    /// Name of the stream.
    pub stream: String,
    /// Name of the variant.
    pub variant: String,
    /// What a segment file is.
    pub container: Container,
    /// The duration a growing file is named with, in nanoseconds.
    pub target_duration_ns: i64,
    /// When a growing segment is forced to the disk.
    pub fsync: Fsync,
    /// Where the disk of the root was mounted at the start; `None` for the system's own.
    pub mount_point: Option<PathBuf>,
}

/// One segment on its way to the archive.
#[derive(Debug)]
pub struct Growing {
    place: Arc<Place>,
    start: UtcNs,
    file: Option<SegmentFile>,
}

impl Growing {
    /// A segment that starts at `start`; nothing is on disk yet.
    pub fn new(place: Arc<Place>, start: UtcNs) -> Self {
        Self {
            place,
            start,
            file: None,
        }
    }

    /// Appends all of `slices`, or nothing.
    ///
    /// # Errors
    /// What the file system said; the file then ends where it ended before.
    pub fn append(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let place = &self.place;
                if let Some(mount_point) = &place.mount_point {
                    mount::check(mount_point)?;
                }
                none.insert(SegmentFile::create(
                    &place.root,
                    &place.stream,
                    &place.variant,
                    self.start,
                    place.target_duration_ns,
                    place.container,
                )?)
            }
        };
        file.append(slices)?;
        if self.place.fsync == Fsync::Chunk {
            file.sync()?;
        }
        Ok(())
    }

    /// Closes the segment under its final name; `None` if it never came to be.
    ///
    /// # Errors
    /// What the file system said; the file is then left for recovery.
    pub fn finish(self, duration_ns: i64, kind: Kind) -> io::Result<Option<Finished>> {
        let sync = self.place.fsync != Fsync::Never;
        match self.file {
            Some(file) if file.bytes() > 0 => file.finish(duration_ns, kind, sync).map(Some),
            // Made, but the disk took none of it: finishing removes it, and says so.
            Some(file) => {
                let _ = file.finish(duration_ns, kind, false);
                Ok(None)
            }
            None => Ok(None),
        }
    }
}
