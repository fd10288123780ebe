// SPDX-License-Identifier: MPL-2.0
//! A small disk that a test can fill, in a mount namespace of the test's own, so that it is gone
//! with the test, however that ends.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the process that has the namespace.
const INSIDE: &str = "THIS_TEST_HAS_ITS_OWN_MOUNTS";

/// Runs a test in a process that may mount. `name` is the test's whole name.
///
/// # Panics
/// When the test fails, or when neither root nor user namespaces are there to mount with.
pub fn in_own_namespace(name: &str, test: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let program = std::env::current_exe().expect("a program knows where it is");
    let status = unshare
        .arg(program)
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare is installed (util-linux)");
    assert!(
        status.success(),
        "see above; where it says that unshare or mount is not permitted, this test needs root or \
         user namespaces"
    );
}

/// A mounted tmpfs.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts one; inside of [`in_own_namespace`].
    ///
    /// # Panics
    /// When that is not permitted.
    pub fn mount(bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        mount(
            &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"],
            folder.path(),
        );
        Self { folder }
    }

    /// Mounts one that takes no file names with `:`, as those of cameras and of Windows do not;
    /// inside of [`in_own_namespace`].
    ///
    /// # Panics
    /// When that is not permitted.
    pub fn mount_without_colons(image: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = fs::File::create(image).expect("an image file");
        file.set_len(16 << 20).expect("a sparse file");
        let run = |command: &mut Command| {
            let output = command.output().expect("ntfs-3g is installed");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}: {said}");
        };
        run(Command::new("mkntfs")
            .args(["--fast", "--force", "--quiet"])
            .arg(image));
        let names = ["-o", "windows_names"];
        run(Command::new("ntfs-3g")
            .args(names)
            .arg(image)
            .arg(folder.path()));
        Self { folder }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Writes until nothing more fits.
    ///
    /// # Panics
    /// When nothing fits at all.
    pub fn fill(&self) {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.ballast());
        let mut file = file.expect("a file of no bytes always fits");
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// Unmounts it as a drive that is pulled out, while files on it may be open; it can be put back
    /// with all that is on it.
    ///
    /// # Panics
    /// When that is not permitted.
    pub fn take_away(&self) -> TakenAway {
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        let from = self.path().to_str().expect("UTF-8");
        mount(&["--move", from], elsewhere.path());
        TakenAway { elsewhere }
    }

    /// Mounts it again.
    ///
    /// # Panics
    /// When that is not permitted.
    pub fn put_back(&self, taken: &TakenAway) {
        let from = taken.elsewhere.path().to_str().expect("UTF-8");
        mount(&["--move", from], self.path());
    }

    /// Makes room again.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }
}

/// A disk that is not where it was; put it back before this is dropped.
pub struct TakenAway {
    elsewhere: tempfile::TempDir,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

/// Mounts something; inside of [`in_own_namespace`].
///
/// # Panics
/// When that is not permitted.
pub fn mount(arguments: &[&str], at: &Path) {
    let mounted = Command::new("mount").args(arguments).arg(at).status();
    let mounted = mounted.expect("mount is installed (util-linux)");
    assert!(mounted.success(), "mount {arguments:?} {}", at.display());
}
