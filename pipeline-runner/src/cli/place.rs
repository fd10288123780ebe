// SPDX-License-Identifier: MPL-2.0
//! The archive that a command is about.

use std::io;
use std::path::PathBuf;

use gstsegmenter::archive::Archive;

use super::failure::Failure;
use super::text;

/// Which archive.
#[derive(clap::Args)]
pub(super) struct Place {
    /// The folder of the archive
    #[arg(
        long = "archive",
        value_name = "DIR",
        default_value = "./archive",
        hide_default_value = true
    )]
    pub(super) root: PathBuf,
}

impl Place {
    /// Opens it.
    pub(super) fn open(&self) -> Result<Archive, Failure> {
        Archive::open(&self.root).map_err(|error| self.not_there(&error))
    }

    /// What to say if it cannot be.
    pub(super) fn not_there(&self, error: &io::Error) -> Failure {
        let root = text::path(&self.root);
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such folder".to_owned(),
            io::ErrorKind::NotADirectory => "it is not a folder".to_owned(),
            _ => error.to_string(),
        };
        Failure::Message(format!(
            "no archive at {root}: {reason}; name the archive's folder with --archive"
        ))
    }
}
