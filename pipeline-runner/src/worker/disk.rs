// SPDX-License-Identifier: MPL-2.0
//! Whether the archive's disk is there: a worker that started while it is not would record below
//! its mount point, on another disk. (What goes away while a worker runs, `archivesink` notices.)
//!
//! The supervisor knows where the disk was when the run began; the worker looks, since a disk that
//! hangs may hold it up and nobody else, and only one that records has to.

use std::path::PathBuf;

use gstsegmenter::archive::mount;
use serde::{Deserialize, Serialize};

use crate::config::Archive;

/// The archive's disk, known by where it was mounted when the runner started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    root: PathBuf,
    /// `archive.require_mount`.
    required: bool,
    mount_point: Option<PathBuf>,
}

impl Disk {
    /// That of `archive`.
    pub fn of(archive: &Archive) -> Self {
        Self {
            root: archive.root.clone(),
            required: archive.require_mount,
            mount_point: mount::mount_point(&archive.root).ok().flatten(),
        }
    }

    /// Why nothing can be recorded now.
    pub fn complaint(&self) -> Option<String> {
        let now = || mount::mount_point(&self.root).ok().flatten();
        match self.mount_point.clone().or_else(now) {
            Some(mount_point) => mount::check(&mount_point)
                .err()
                .map(|error| error.to_string()),
            None if self.required => Some(format!(
                "no disk is mounted for {} (`archive.require_mount`); recording starts once it is",
                self.root.display()
            )),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Retention;

    #[test]
    fn where_a_mount_is_required_the_systems_own_disk_will_not_do() {
        let complaint = |root: &str, require_mount| {
            let archive = Archive {
                root: root.into(),
                require_mount,
                retention: Retention::default(),
            };
            Disk::of(&archive).complaint()
        };
        let said = complaint("/none/such", true).expect("it is on no mounted disk");
        assert!(
            said.contains("/none/such") && said.contains("require_mount"),
            "{said}"
        );
        assert_eq!(complaint("/none/such", false), None);
        assert_eq!(complaint("/proc/none/such", true), None);
    }
}
