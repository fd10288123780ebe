// SPDX-License-Identifier: MPL-2.0
//! Archives of files whose names are all that matters.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Archive, Container, Id, Kind, SegmentName};
use crate::utc::{SECOND_NS, UtcNs};

/// 2026-11-20T10:00:00Z.
pub(super) const TEN: UtcNs = UtcNs(1_795_168_800 * SECOND_NS);
pub(super) const MS: i64 = 1_000_000;

pub(super) struct TestArchive {
    pub(super) root: tempfile::TempDir,
}

impl TestArchive {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("s/v")).unwrap();
        Self { root }
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn open(&self) -> Archive {
        Archive::open(self.path()).unwrap()
    }

    /// Adds a segment from and to so many milliseconds after [`TEN`]; `salt` sets it apart.
    pub(super) fn add(&self, kind: Kind, from_ms: i64, to_ms: i64, salt: u8) -> SegmentName {
        self.add_bytes(kind, from_ms, to_ms, salt, b"").0
    }

    pub(super) fn add_bytes(
        &self,
        kind: Kind,
        from_ms: i64,
        to_ms: i64,
        salt: u8,
        bytes: &[u8],
    ) -> (SegmentName, PathBuf) {
        let name = SegmentName {
            start: TEN + from_ms * MS,
            duration_ns: (to_ms - from_ms) * MS,
            kind,
            id: match kind {
                Kind::Temp => Id::Temp(uuid::Uuid::from_u128(salt.into())),
                _ => Id::Hash([salt; 32]),
            },
            container: Container::Ts,
        };
        let folder = self.path().join("s/v").join(name.hour_folder());
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name.to_string());
        fs::write(&path, bytes).unwrap();
        written_at(&path, name.end());
        (name, path)
    }
}

/// Makes a file one that was last written then.
pub(super) fn written_at(path: &Path, at: UtcNs) {
    let since = std::time::Duration::from_nanos(at.0.unsigned_abs());
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + since).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs `test` with folders of these modes, as somebody whom that stops: root it does not.
pub(super) fn as_nobody<R: Send>(
    archive: &TestArchive,
    modes: &[(&Path, u32)],
    test: impl FnOnce() -> R + Send,
) -> R {
    let mut folders = vec![archive.path().to_owned()];
    while let Some(folder) = folders.pop() {
        set_mode(&folder, 0o777);
        let entries = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        folders.extend(entries.filter(|path| path.is_dir()));
    }
    for (folder, mode) in modes {
        set_mode(folder, *mode);
    }
    let result = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                // Of this thread alone.
                rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
            }
            test()
        });
        thread.join().unwrap()
    });
    for (folder, _) in modes {
        set_mode(folder, 0o777);
    }
    result
}
