// SPDX-License-Identifier: MPL-2.0
//! Recording as a user does it, with `gst-launch-1.0` and the plugin in a folder, and what is in
//! the archive afterwards, read by its names and by other people's demuxers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use gstsegmenter::archive::{Kind, SegmentName};
use gstsegmenter::utc::UtcNs;

/// The folder in which cargo puts plugins and programs.
pub fn built() -> PathBuf {
    let mut folder = std::env::current_exe().expect("a test knows where it is");
    // target/debug/deps/test: two up.
    folder.pop();
    folder.pop();
    folder
}

/// A `gst-launch-1.0` that ends with the test.
pub struct Launch(Child);

impl Launch {
    /// Starts a launch line, with the plugin found as a user would have it found. `-e` is given.
    ///
    /// # Panics
    /// When the plugin has not been built: `cargo build --workspace`.
    pub fn start(line: &str) -> Self {
        let plugins = built();
        let plugin = plugins.join("libgstsegmenter.so");
        assert!(
            plugin.exists(),
            "{} is not there: cargo build --workspace",
            plugin.display()
        );
        let child = Command::new("gst-launch-1.0")
            .arg("-e")
            .args(line.split_whitespace())
            .env("GST_PLUGIN_PATH", &plugins)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("gst-launch-1.0 is installed"))
    }

    /// Its process id.
    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        let _ = rustix::process::kill_process(self.id(), rustix::process::Signal::INT);
    }

    /// Waits for its end; none when it takes longer.
    pub fn wait_for(&mut self, longest: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + longest;
        loop {
            match self.0.try_wait().expect("it is our child") {
                Some(status) => return Some(status),
                None if Instant::now() > until => return None,
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A segment found in an archive.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// When its first frame was, by its name, in nanoseconds since 1970.
    pub start_ns: i64,
    /// How long it is, by its name.
    pub duration_ns: i64,
    /// Its type, by its name.
    pub kind: Kind,
}

impl Recorded {
    /// The moment after its last frame.
    pub fn end_ns(&self) -> i64 {
        self.start_ns + self.duration_ns
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Every segment of a variant, oldest first.
///
/// # Panics
/// When there is no such variant, or something in it has no segment's name.
pub fn segments(root: &Path, stream: &str, variant: &str) -> Vec<Recorded> {
    let mut found = Vec::new();
    for folder in entries(&root.join(stream).join(variant)) {
        let hour = UtcNs::parse(&format!("{}:00:00Z", file_name(&folder))).expect("an hour");
        for path in entries(&folder) {
            let name = SegmentName::parse(hour, &file_name(&path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push(Recorded {
                path,
                start_ns: name.start.0,
                duration_ns: name.duration_ns,
                kind: name.kind,
            });
        }
    }
    found.sort_by_key(|segment| segment.start_ns);
    found
}
