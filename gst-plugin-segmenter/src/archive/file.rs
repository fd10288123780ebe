// SPDX-License-Identifier: MPL-2.0
//! Writing one growing segment.
//!
//! A segment grows under a `temp` name and gets its final name, which holds the hash of its bytes,
//! by one rename when it is complete. What is appended is there as a whole or not at all, so that
//! a full disk costs the chunk that did not fit and nothing that was written before.
//!
//! Whether a `temp` file is alive is told by an advisory lock on it and nothing else: no process
//! id, no age. The kernel drops the lock with the process, however that ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::name::{Container, Id, Kind, SegmentName, variant_folder};
use crate::utc::UtcNs;

/// How many slices one `pwritev` takes (`IOV_MAX` of Linux).
const IOV_MAX: usize = 1024;
/// How often creating is tried again when a sweep or a recovery got in between.
const CREATE_ATTEMPTS: usize = 16;

/// A name like those of segments, which some file systems do not take for its `:`.
const TRIED: &str = ".00:00.000000-tried";
/// The same without.
const PLAIN: &str = ".tried";

/// Whether `folder` takes files with the names that segments have, tried with such a name. A full
/// disk is another matter, and passes.
///
/// # Errors
/// [`Unsupported`](io::ErrorKind::Unsupported) where other names are taken, with what would be
/// right; else what the file system says.
pub fn try_names(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    match try_name(&folder.join(TRIED)) {
        Ok(()) => return Ok(()),
        Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => return Ok(()),
        Err(error) if try_name(&folder.join(PLAIN)).is_err() => return Err(error),
        Err(_) => {}
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "its file system takes no names with `:`, as segments have; keep the archive on one that \
         does (ext4, XFS, Btrfs, NFS; not exFAT or FAT; SMB only with the mount option mapposix)",
    ))
}

/// Makes a file and takes it away again; another recorder may do so at the same time.
fn try_name(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A segment while it is being written. Dropped without [`finish`](Self::finish), it leaves the
/// file as it is for a recovery.
#[derive(Debug)]
pub struct SegmentFile {
    /// Holds the lock as long as it is open.
    file: File,
    path: PathBuf,
    name: SegmentName,
    /// The end of the last whole append.
    bytes: u64,
    /// Of exactly those bytes.
    hash: Sha256,
    /// Whether bytes of an append that failed may lie behind `bytes`.
    torn: bool,
    /// The folders in which this segment made new ones, which a sync has to reach.
    changed_folders: Vec<PathBuf>,
}

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called.
    pub name: SegmentName,
    /// How long the file is.
    pub bytes: u64,
}

impl SegmentFile {
    /// Starts a segment, making the folders it needs. `nominal_duration_ns` is how long it is
    /// meant to become; readers go by it while the file grows.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a stream or variant that is no name, else
    /// what the file system says.
    pub fn create(
        root: &Path,
        stream: &str,
        variant: &str,
        start: UtcNs,
        nominal_duration_ns: i64,
        container: Container,
    ) -> io::Result<Self> {
        let variant_folder = variant_folder(root, stream, variant)?;
        fs::create_dir_all(root)?;
        let mut name = SegmentName {
            start: UtcNs(start.0.saturating_sub(start.0.rem_euclid(1_000))),
            duration_ns: nominal_duration_ns.max(0),
            kind: Kind::Temp,
            id: Id::Temp(Uuid::nil()),
            container,
        };
        let folder = variant_folder.join(name.hour_folder());
        let mut changed_folders = Vec::new();
        for _ in 0..CREATE_ATTEMPTS {
            make_folders(root, &folder, &mut changed_folders)?;
            name.id = Id::Temp(Uuid::new_v4());
            let path = folder.join(name.to_string());
            if let Some(file) = create_locked(&path)? {
                return Ok(Self {
                    file,
                    path,
                    name,
                    bytes: 0,
                    hash: Sha256::new(),
                    torn: false,
                    changed_folders,
                });
            }
        }
        Err(io::Error::other(format!(
            "{}: every file made here was taken away at once; something deletes empty files",
            folder.display()
        )))
    }

    /// Writes all of `slices` behind what is there, or nothing.
    ///
    /// # Errors
    /// What the file system says (a full disk, say). The file then still ends where the append
    /// before ended, and appending may be tried again.
    pub fn append(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut hash = self.hash.clone();
        let mut length = 0;
        for slice in slices.iter() {
            hash.update(&**slice);
            length += slice.len() as u64;
        }
        if length == 0 {
            return Ok(());
        }
        if let Err(error) = self.write_all_behind(slices) {
            self.torn = true;
            self.cut_torn()?;
            return Err(error);
        }
        self.hash = hash;
        self.bytes += length;
        Ok(())
    }

    fn write_all_behind(&self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut position = self.bytes;
        // Takes empty slices off the front, so that a batch is never empty.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let batch = slices.get(..IOV_MAX).unwrap_or(slices);
            match rustix::io::pwritev(&self.file, batch, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes away what a failed append left. Should that fail too, nothing is lost: the next
    /// append writes over it, and a file that is still torn is not renamed.
    fn cut_torn(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.bytes)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Waits until what was appended is on the disk (`fdatasync`).
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The bytes appended so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file while it grows.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The start as the name has it: cut to microseconds.
    pub fn start(&self) -> UtcNs {
        self.name.start
    }

    /// Closes the segment under its final name. With `sync`, returns when a power cut can no
    /// longer undo it.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if nothing was appended (the file is removed)
    /// or `kind` is [`Kind::Temp`]; else what the file system says. Anything but an empty file is
    /// then left for a recovery.
    pub fn finish(mut self, duration_ns: i64, kind: Kind, sync: bool) -> io::Result<Finished> {
        if self.bytes == 0 {
            fs::remove_file(&self.path)?;
            return Err(invalid(&self.path, "nothing was recorded; removed"));
        }
        if kind == Kind::Temp {
            return Err(invalid(&self.path, "a closed segment is no temp"));
        }
        self.cut_torn()?;
        if sync {
            self.file.sync_data()?;
        }
        let name = SegmentName {
            duration_ns: duration_ns.max(0),
            kind,
            id: Id::Hash(self.hash.clone().finalize().into()),
            ..self.name
        };
        let path = self.path.with_file_name(name.to_string());
        rename_to_content(&self.path, &path, self.bytes)?;
        if sync {
            for folder in self.path.parent().into_iter().chain(self.changed()) {
                sync_folder(folder)?;
            }
        }
        Ok(Finished {
            path,
            name,
            bytes: self.bytes,
        })
    }

    fn changed(&self) -> impl Iterator<Item = &Path> {
        self.changed_folders.iter().rev().map(PathBuf::as_path)
    }
}

fn invalid(path: &Path, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{}: {what}", path.display()),
    )
}

/// Makes what is missing between `root` and `folder`, and notes in which folders.
pub(super) fn make_folders(
    root: &Path,
    folder: &Path,
    changed: &mut Vec<PathBuf>,
) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    make_folders(root, parent, changed)?;
    match fs::create_dir(folder) {
        Ok(()) => changed.push(parent.to_owned()),
        // Another writer was faster; or it is no folder, which creating the file will say.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Creates and locks a new file. `None` if a sweep removed the folder, or a recovery found the file
/// before it was locked, and it has to be tried again.
fn create_locked(path: &Path) -> io::Result<Option<File>> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Whoever else takes this lock removes the file, as it is empty.
    Ok((try_lock(&file)? && file.metadata()?.nlink() > 0).then_some(file))
}

/// Locks a segment's file for this process; `false` if another holds it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        return match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(Errno::INTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Opens a file that nobody is writing, and locks it. `None` if somebody is, or if it is gone.
///
/// The path still names the file that was locked: a writer that closed its segment in between has
/// renamed it.
pub(super) fn open_abandoned(path: &Path, write: bool) -> io::Result<Option<File>> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(no_follow)
        .open(path);
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match opened {
        Ok(file) => file,
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !try_lock(&file)? {
        return Ok(None);
    }
    let locked = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (locked.dev(), locked.ino()) => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Renames a file to a name that holds the hash of its content, without ever replacing one.
///
/// A file that has this name already has this content: then `from` is one too many and removed.
/// Only if it is not even as long (somebody's copy broke off) both are kept.
pub(super) fn rename_to_content(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    match rename_noreplace(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::symlink_metadata(to)?.len() != bytes {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!(
                        "{} is not the {bytes} bytes its name promises; {} is kept beside it",
                        to.display(),
                        from.display()
                    ),
                ));
            }
            fs::remove_file(from)
        }
        result => result,
    }
}

/// Renames, or fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists).
pub(super) fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system (NFS) can do it in one step. The two steps are good enough: only
        // the same content can come in between, as names hold hashes.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        result => result.map_err(io::Error::from),
    }
}

/// Waits until the names in a folder are on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
