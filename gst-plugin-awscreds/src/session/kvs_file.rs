// SPDX-License-Identifier: MPL-2.0
//! The file from which `kvssink` takes its credentials (its property `credential-path`).
//!
//! The Kinesis Video C producer reads it with one `fscanf` of five words:
//!
//! ```text
//! CREDENTIALS <access key id> <secret access key>
//! CREDENTIALS <access key id> <expiration> <secret access key> <session token>
//! ```
//!
//! It reads while we write, cuts a word that is too long without a word, takes a file that ends
//! early for the first form, and comes back only shortly before the expiration it read. So what is
//! written here is checked field by field, appears whole or not at all, and declares an expiration
//! of our choosing: early enough that the next credentials are there when the sink comes back, and
//! no earlier than it accepts.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::secret::Secret;
use super::view::Credentials;

/// The longest access key id and secret access key that the sink's buffers take.
const LONGEST_KEY_BYTES: usize = 128;
/// The longest session token it can send: its buffer takes one byte more, its HTTP header does not.
const LONGEST_TOKEN_BYTES: usize = 2047;
/// Its whole read buffer is 10,000 bytes.
const LONGEST_FILE_BYTES: usize = 9_999;

/// The sink refuses to start with credentials whose declared life is shorter than 30 s; three more
/// are for the way there.
pub const SHORTEST_LIFE: Duration = Duration::from_secs(33);
/// The sink reads the file again only when the expiration it knows is nearer than this.
pub const REREAD_WINDOW: Duration = Duration::from_secs(38);
/// Declared life past the next renewal: the file is new 22 s before the sink may come for it.
const GRACE: Duration = Duration::from_secs(60);
/// Declared for a session token of which nobody knows how long it lives. The sink comes back after
/// 40 minutes at the latest whatever is declared.
const UNKNOWN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Why the file was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field that the sink would cut off, misread or refuse.
    #[error("the {field} {problem}, so kvssink cannot use it from a credentials file")]
    Field {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The file system said no.
    #[error("cannot write the credentials file {}: {action}: {source}{}", .path.display(), remedy(.path, .source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is something else at its place.
    #[error("{} is no regular file; give credential-path the name of a file", .path.display())]
    NoFile {
        /// The place.
        path: PathBuf,
    },
}

/// What to do where that is known.
fn remedy(path: &Path, error: &io::Error) -> String {
    let folder = folder_of(path).display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("; create the folder {folder}"),
        io::ErrorKind::PermissionDenied => {
            format!("; this process must be able to write to {folder}")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there".into(),
        _ => String::new(),
    }
}

/// The expiration to declare at `now` for credentials that end at `expires_at` and are renewed at
/// `next_renewal`: 60 s after the renewal, so that the new file is there before the sink comes, and
/// never after the true end. `None` where the first form will do: nothing ends.
///
/// When a renewal fails, `next_renewal` is the next attempt; written again then, the file declares
/// a later expiration for the same credentials, and the stream lives as long as AWS would let it.
#[must_use]
pub fn declared_expiry(
    credentials: &Credentials,
    expires_at: Option<SystemTime>,
    next_renewal: Option<SystemTime>,
    now: SystemTime,
) -> Option<SystemTime> {
    let wanted = next_renewal.map(|renewal| renewal.max(now) + GRACE);
    match (expires_at, wanted) {
        (Some(end), Some(wanted)) => Some(wanted.max(now + SHORTEST_LIFE + GRACE).min(end)),
        (Some(end), None) => Some(end),
        (None, _) if credentials.session_token.is_none() => None,
        (None, _) => Some(now + UNKNOWN_LIFE),
    }
}

/// The file's content. It is a secret.
///
/// `declared_expiry` is needed where there is a session token: without one the file would have four
/// words, which the sink refuses.
///
/// # Errors
/// The first field that the sink would cut off, misread or refuse.
pub fn text(
    credentials: &Credentials,
    declared_expiry: Option<SystemTime>,
) -> Result<Secret, Error> {
    let key_id = &credentials.access_key_id;
    let secret = credentials.secret_access_key.expose();
    check_field("access key id", key_id, LONGEST_KEY_BYTES)?;
    check_field("secret access key", secret, LONGEST_KEY_BYTES)?;
    let text = match (&credentials.session_token, declared_expiry) {
        (None, _) => Secret::from(format!("CREDENTIALS {key_id} {secret}\n")),
        (Some(token), Some(expiry)) => {
            let token = token.expose();
            check_field("session token", token, LONGEST_TOKEN_BYTES)?;
            let expiry = expiration(expiry)?;
            Secret::from(format!("CREDENTIALS {key_id} {expiry} {secret} {token}\n"))
        }
        (Some(_), None) => {
            return Err(Error::Field {
                field: "expiration",
                problem: "is missing, which a session token needs".into(),
            });
        }
    };
    debug_assert!(text.expose().len() <= LONGEST_FILE_BYTES);
    Ok(text)
}

/// Exactly twenty characters: the sink refuses fractions and offsets.
fn expiration(time: SystemTime) -> Result<String, Error> {
    let refused = || Error::Field {
        field: "expiration",
        problem: "is not from 1970 to 9999".into(),
    };
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| refused())?
        .as_secs();
    let seconds = i64::try_from(seconds).map_err(|_| refused())?;
    let text = Timestamp::from_second(seconds)
        .map_err(|_| refused())?
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    if text.len() == 20 {
        Ok(text)
    } else {
        Err(refused())
    }
}

fn check_field(field: &'static str, text: &str, longest: usize) -> Result<(), Error> {
    let problem = if text.is_empty() {
        "is empty".into()
    } else if text
        .bytes()
        .any(|byte| byte.is_ascii_whitespace() || byte == 0x0b)
    {
        "holds white space".into()
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "holds characters that no header of HTTP can carry".into()
    } else if text.len() > longest {
        format!("has {} characters of {longest} at most", text.len())
    } else {
        return Ok(());
    };
    Err(Error::Field { field, problem })
}

/// Puts `text` at `path`, whole or not at all, readable by its owner only: a temporary file in the
/// same folder, synced, then renamed. A link at `path` is replaced by the file.
///
/// # Errors
/// What the file system said, what was being done, and what to do about it.
pub fn write(path: &Path, text: &Secret) -> Result<(), Error> {
    if let Ok(there) = fs::symlink_metadata(path)
        && !there.is_file()
        && !there.is_symlink()
    {
        return Err(Error::NoFile { path: path.into() });
    }
    let Some(name) = path.file_name() else {
        return Err(Error::NoFile { path: path.into() });
    };
    let failed = |action| {
        move |source| Error::Io {
            path: path.into(),
            action,
            source,
        }
    };
    let folder = folder_of(path);
    let prefix = format!(".{}.", name.to_string_lossy());
    remove_leftovers(folder, &prefix);
    // Mode 0600 is what the crate creates files with.
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(SUFFIX)
        .tempfile_in(folder)
        .map_err(failed("creating a temporary file beside it"))?;
    file.write_all(text.expose().as_bytes())
        .map_err(failed("writing a temporary file beside it"))?;
    file.as_file()
        .sync_data()
        .map_err(failed("writing a temporary file beside it"))?;
    file.persist(path)
        .map_err(|error| failed("renaming a temporary file")(error.error))?;
    Ok(())
}

const SUFFIX: &str = ".awscreds";

/// Temporary files that a process left when it was killed while writing. Files younger than this
/// may belong to another writer.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// Removes what other processes left; failing at that harms nothing that is asked for.
fn remove_leftovers(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFTOVER_AGE))
        };
        if name.starts_with(prefix) && name.ends_with(SUFFIX) && old() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[path = "kvs_file_tests.rs"]
mod tests;
