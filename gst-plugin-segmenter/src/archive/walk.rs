// SPDX-License-Identifier: MPL-2.0
//! The folders of an archive: streams, variants, hours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::listing::about;
use super::name::{check_folder_name, parse_hour_folder};
use crate::utc::UtcNs;

/// One hour of one variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HourFolder {
    pub(super) hour: UtcNs,
    pub(super) path: PathBuf,
}

/// Every hour folder of every stream, the oldest first. What cannot be read goes to `errors`, and
/// the rest is found all the same.
pub(super) fn hour_folders(root: &Path, errors: &mut Vec<io::Error>) -> Vec<HourFolder> {
    let mut noted = |result: io::Result<Vec<String>>| {
        result.unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        })
    };
    let mut found = Vec::new();
    for stream in noted(folders(root)) {
        let stream = root.join(stream);
        for variant in noted(folders(&stream)) {
            let variant = stream.join(variant);
            found.extend(noted(folders(&variant)).iter().filter_map(|name| {
                let hour = parse_hour_folder(name).ok()?;
                let path = variant.join(name);
                Some(HourFolder { hour, path })
            }));
        }
    }
    found.sort_unstable();
    found
}

/// The hours for which there is a folder in a variant's, sorted.
pub(super) fn hours_in(folder: &Path) -> io::Result<Vec<UtcNs>> {
    let names = folders(folder)?;
    let mut hours: Vec<UtcNs> = names
        .iter()
        .filter_map(|name| parse_hour_folder(name).ok())
        .collect();
    hours.sort_unstable();
    Ok(hours)
}

/// The names of folders in a folder that may be names of ours, sorted.
pub(super) fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| about(folder, error))? {
        let entry = entry.map_err(|error| about(folder, error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A stream may be a link to a folder on another disk.
        let is_folder = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
            Ok(kind) => kind.is_dir(),
            Err(_) => false,
        };
        if is_folder && check_folder_name("folder", &name).is_ok() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
