// SPDX-License-Identifier: MPL-2.0
//! The archive that a command is about.

use std::io;
use std::path::{Path, PathBuf};

use gstsegmenter::archive::{Archive, name};

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
        let archive = Archive::open(&self.root).map_err(|error| self.not_there(&error))?;
        match inside_of(&archive) {
            None => Ok(archive),
            Some((what, above)) => Err(Failure::Message(format!(
                "{} is the folder of a {what}, not of an archive; that is {}: name it with --archive",
                text::path(&self.root),
                text::path(&above)
            ))),
        }
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

/// What of an archive a folder is, if it is none itself, and where that archive is. Folders of hours
/// tell: they are three levels below it.
fn inside_of(archive: &Archive) -> Option<(&'static str, PathBuf)> {
    let root = archive.root();
    if is_hour(root) {
        return Some(("variant's hour", above(&above(&above(root)))));
    }
    let names = archive.streams().ok()?;
    if names.iter().any(|name| is_hour(&root.join(name))) {
        return Some(("variant", above(&above(root))));
    }
    let has_hours = |name: &String| {
        let below = archive.variants(name).unwrap_or_default();
        below
            .iter()
            .any(|each| is_hour(&root.join(name).join(each)))
    };
    names.iter().any(has_hours).then(|| ("stream", above(root)))
}

/// A folder named like an hour and without folders in it: an archive may be named so, too.
fn is_hour(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name::parse_hour_folder(name).is_ok())
        && Archive::open(folder)
            .and_then(|folder| folder.streams())
            .is_ok_and(|folders| folders.is_empty())
}

fn above(folder: &Path) -> PathBuf {
    match (folder.file_name(), folder.parent()) {
        _ if folder == Path::new(".") => PathBuf::from(".."),
        (Some(_), Some(parent)) if parent.as_os_str().is_empty() => PathBuf::from("."),
        (Some(_), Some(parent)) => parent.to_owned(),
        _ => folder.join(".."),
    }
}
