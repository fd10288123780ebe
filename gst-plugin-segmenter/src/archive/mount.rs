// SPDX-License-Identifier: MPL-2.0
//! The disk that an archive lies on. Where one is unmounted (a drive that was pulled out, a share
//! that is gone), its mount point is an ordinary folder, and what is recorded there fills another
//! disk and is hidden once the right one is back. So a recorder remembers where its disk is mounted.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the file system that holds `path` (or the first of its parents that exists) is mounted;
/// `None` for the system's own.
///
/// # Errors
/// What the file system says.
pub fn mount_point(path: &Path) -> io::Result<Option<PathBuf>> {
    let path = std::path::absolute(path)?;
    let existing = path.ancestors().find(|folder| folder.exists());
    let path = fs::canonicalize(existing.unwrap_or(Path::new("/")))?;
    for folder in path.ancestors() {
        if is_mounted(folder)? {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

/// Whether another file system begins at `folder` than its parent's.
///
/// # Errors
/// What the file system says.
pub fn is_mounted(folder: &Path) -> io::Result<bool> {
    let Some(parent) = folder.parent() else {
        return Ok(false);
    };
    Ok(fs::metadata(folder)?.dev() != fs::metadata(parent)?.dev())
}

/// Fails where nothing is mounted at `mount_point` any more.
///
/// # Errors
/// [`NotConnected`](io::ErrorKind::NotConnected), or what the file system says.
pub fn check(mount_point: &Path) -> io::Result<()> {
    if is_mounted(mount_point)? {
        return Ok(());
    }
    let text = format!(
        "the disk of the archive is not mounted at {} any more; recording goes on once it is",
        mount_point.display()
    );
    Err(io::Error::new(io::ErrorKind::NotConnected, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_lies_where_its_parent_does() {
        let proc = mount_point(Path::new("/proc/self/none/such")).expect("it can be told");
        assert_eq!(proc.as_deref(), Some(Path::new("/proc")));
        assert!(is_mounted(Path::new("/proc")).expect("it can be told"));
        assert!(!is_mounted(Path::new("/")).expect("it can be told"));
    }

    #[test]
    fn a_disk_that_is_gone_is_named_by_its_mount_point() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = check(folder.path()).expect_err("nothing is mounted there");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        let said = error.to_string();
        assert!(said.contains(&*folder.path().to_string_lossy()), "{said}");
    }
}
