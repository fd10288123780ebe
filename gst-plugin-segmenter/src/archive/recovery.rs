// SPDX-License-Identifier: MPL-2.0
//! Recovery of what a crash left: each `temp` file without a writer becomes a `partial` segment.
//!
//! The file is cut back to what is whole in it, and gets the duration and the hash of that. Which
//! bytes are whole, only somebody who knows the container can tell, so that is asked of a function.
//! Nothing with content is ever deleted: what holds nothing whole is put aside under a hidden name.
//!
//! Every step may be the last: cutting back twice is cutting back once, and the rename to the final
//! name comes when everything else is done. The writer's lock is held throughout, so a recovery
//! beside a living writer leaves its file alone, and of two recoveries one gets the file.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{make_folders, open_abandoned, rename_noreplace, rename_to_content, sync_folder};
use super::listing::{about, scan};
use super::name::{Container, Id, Kind, SegmentName};
use super::walk::{HourFolder, hour_folders};
use crate::utc::{HOUR_NS, UtcNs};

/// Before the old name of a file in which nothing could be recovered.
pub const QUARANTINE_PREFIX: &str = ".unrecoverable-";

/// The start that media claims is believed if it is that near to what the name says.
const PLAUSIBLE_START_NS: i64 = HOUR_NS;
const HASH_BUFFER_BYTES: usize = 256 * 1024;

/// What is whole in a file that was not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The length to cut the file back to; 0 if nothing in it is whole.
    pub whole_bytes: u64,
    /// How long that lasts; 0 if there is no frame.
    pub duration_ns: i64,
    /// The moment of the first frame, if the media says.
    pub start: Option<UtcNs>,
}

/// What became of one file.
#[derive(Debug)]
pub struct Recovered {
    /// The file as a crash left it.
    pub from: PathBuf,
    /// What became of it.
    pub outcome: Outcome,
}

/// See [`Recovered`].
#[derive(Debug)]
pub enum Outcome {
    /// It is a segment now.
    Partial {
        /// Where.
        path: PathBuf,
        /// What it is called.
        name: SegmentName,
        /// How long the file is.
        bytes: u64,
        /// How much was cut off its end.
        cut_bytes: u64,
    },
    /// It holds nothing whole, and lies aside under a hidden name.
    Quarantined {
        /// Where.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// It was empty, and is gone.
    RemovedEmpty,
    /// It is as it was; the next recovery will try again.
    Failed(io::Error),
}

/// Recovers what is in the archive at `root` and not being written. Files that are, are not
/// mentioned.
///
/// `measure` gets a file at its beginning. An error of [`InvalidData`](io::ErrorKind::InvalidData)
/// or [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) is about its content, any other about the disk.
///
/// # Errors
/// If `root` itself cannot be read. What is wrong further down is among the results, as
/// [`Outcome::Failed`] of the folder or file.
pub fn recover(
    root: &Path,
    measure: &dyn Fn(&File, Container) -> io::Result<Measured>,
) -> io::Result<Vec<Recovered>> {
    fs::read_dir(root).map_err(|error| about(root, error))?;
    let mut errors = Vec::new();
    let folders = hour_folders(root, &mut errors);
    let failed = |from: &Path, error| Recovered {
        from: from.to_owned(),
        outcome: Outcome::Failed(error),
    };
    let mut results: Vec<_> = errors
        .into_iter()
        .map(|error| failed(root, error))
        .collect();
    for folder in folders {
        let temps = match temps_in(&folder) {
            Ok(temps) => temps,
            Err(error) if super::listing::is_absent(&error) => continue,
            Err(error) => {
                results.push(failed(&folder.path, error));
                continue;
            }
        };
        for (name, path) in temps {
            let outcome = recover_file(&name, &path, measure);
            match outcome.map_err(|error| about(&path, error)) {
                Ok(None) => {}
                Ok(Some(outcome)) => results.push(Recovered {
                    from: path,
                    outcome,
                }),
                Err(error) => results.push(failed(&path, error)),
            }
        }
    }
    Ok(results)
}

fn temps_in(folder: &HourFolder) -> io::Result<Vec<(SegmentName, PathBuf)>> {
    let mut temps = Vec::new();
    scan(&folder.path, |file_name| {
        let Ok(file_name) = std::str::from_utf8(file_name) else {
            return;
        };
        match SegmentName::parse(folder.hour, file_name) {
            Ok(name) if name.kind == Kind::Temp => temps.push((name, folder.path.join(file_name))),
            _ => {}
        }
    })?;
    temps.sort_by_key(|(name, _)| name.start);
    Ok(temps)
}

/// `None` if somebody else has the file.
fn recover_file(
    name: &SegmentName,
    path: &Path,
    measure: &dyn Fn(&File, Container) -> io::Result<Measured>,
) -> io::Result<Option<Outcome>> {
    // Locked until it has its final name.
    let Some(mut file) = open_abandoned(path, true)? else {
        return Ok(None);
    };
    let length = file.metadata()?.len();
    if length == 0 {
        fs::remove_file(path)?;
        return Ok(Some(Outcome::RemovedEmpty));
    }
    let measured = match measure(&file, name.container) {
        Ok(measured) if measured.whole_bytes == 0 || measured.duration_ns <= 0 => {
            return quarantine(path, "there is not one whole frame in it".into()).map(Some);
        }
        Ok(measured) => measured,
        Err(error) if is_about_content(&error) => {
            return quarantine(path, error.to_string()).map(Some);
        }
        Err(error) => return Err(error),
    };
    let bytes = measured.whole_bytes.min(length);
    if bytes < length {
        file.set_len(bytes)?;
    }
    file.rewind()?;
    let name = SegmentName {
        start: plausible_start(name.start, measured.start),
        duration_ns: measured.duration_ns,
        kind: Kind::Partial,
        id: Id::Hash(hash(&mut file)?),
        container: name.container,
    };
    file.sync_all()?;
    let path = rename_to_partial(path, &name, bytes)?;
    let cut_bytes = length - bytes;
    Ok(Some(Outcome::Partial {
        path,
        name,
        bytes,
        cut_bytes,
    }))
}

fn is_about_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

fn plausible_start(named: UtcNs, measured: Option<UtcNs>) -> UtcNs {
    let is_near =
        |measured: &UtcNs| (*measured - named).unsigned_abs() <= PLAUSIBLE_START_NS as u64;
    let start = measured.filter(is_near).unwrap_or(named);
    UtcNs(start.0.saturating_sub(start.0.rem_euclid(1_000)))
}

fn hash(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => hash.update(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Moves a file to its name, into another hour if the media says so, and waits for the disk.
fn rename_to_partial(from: &Path, name: &SegmentName, bytes: u64) -> io::Result<PathBuf> {
    let variant = from.parent().and_then(Path::parent);
    let variant = variant.ok_or(io::ErrorKind::InvalidInput)?;
    let folder = variant.join(name.hour_folder());
    let to = folder.join(name.to_string());
    let mut changed = vec![folder.clone()];
    // Should retention remove the still empty folder meanwhile, the next recovery tries again.
    make_folders(variant, &folder, &mut changed)?;
    rename_to_content(from, &to, bytes)?;
    changed.extend(from.parent().map(Path::to_owned));
    changed.dedup();
    for folder in &changed {
        sync_folder(folder)?;
    }
    Ok(to)
}

fn quarantine(path: &Path, reason: String) -> io::Result<Outcome> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(QUARANTINE_PREFIX);
    hidden.push(name);
    let aside = path.with_file_name(hidden);
    rename_noreplace(path, &aside)?;
    Ok(Outcome::Quarantined {
        path: aside,
        reason,
    })
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
