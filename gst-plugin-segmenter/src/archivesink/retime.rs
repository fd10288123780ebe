// SPDX-License-Identifier: MPL-2.0
//! Moving a closed segment in time, file and name.
//!
//! The moved segment is written whole under its new name before the old one goes: whatever
//! happens in between, nothing is lost, only there twice for a moment.

use std::io::{self, IoSlice};
use std::path::Path;

use crate::archive::{Container, Finished, SegmentFile};
use crate::media;

use super::settings::{Fsync, Settings};

/// Moves a segment by `shift_ns` and returns where it is now.
///
/// # Errors
/// What the file system says; the segment is then where it was.
pub fn retime(settings: &Settings, finished: &Finished, shift_ns: i64) -> io::Result<Finished> {
    let root = settings.location.as_deref().unwrap_or(Path::new("."));
    let name = &finished.name;
    let mut bytes = std::fs::read(&finished.path)?;
    if name.container == Container::Mp4 {
        media::retime(&mut bytes, shift_ns).map_err(io::Error::other)?;
    }
    let mut file = SegmentFile::create(
        root,
        settings.stream.as_deref().unwrap_or_default(),
        &settings.variant,
        name.start + shift_ns,
        name.duration_ns,
        name.container,
    )?;
    file.append(&mut [IoSlice::new(&bytes)])?;
    let moved = file.finish(name.duration_ns, name.kind, settings.fsync != Fsync::Never)?;
    if moved.path != finished.path {
        std::fs::remove_file(&finished.path)?;
    }
    Ok(moved)
}
