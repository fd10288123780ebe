// SPDX-License-Identifier: MPL-2.0
//! Where a cut is written to: standard output, or a file that is whole or not there.
//!
//! A file is written under a hidden name in the folder of the output and renamed when it is whole,
//! which the kernel does at once, and without replacing anything unless that is wanted. Whatever
//! ends the command before, an error or a signal, removes it (`kill -9` alone cannot be attended).
//! That folder is where the room is needed and where renaming works; that it can be written to shows
//! before any work is done.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::TempPath;

use super::arguments::Args;
use super::progress::Progress;
use crate::cli::failure::Failure;
use crate::cli::text;
use crate::signals::is_ignored;

/// What the files being written are called in front; independent of the output's name, which may
/// be as long as names can be.
const HIDDEN_PREFIX: &str = ".pipeline-runner-cut-";
/// As any program creates files; the umask takes its part away.
const MODE: u32 = 0o666;

/// Where a cut is written to.
pub(super) struct Destination {
    /// To be written to.
    pub(super) file: File,
    target: Option<Target>,
    name: String,
}

/// A file to be.
struct Target {
    path: PathBuf,
    replaces: bool,
    unfinished: Unfinished,
}

/// The file while it is being written, if it is; whoever takes it decides what becomes of it.
type Unfinished = Arc<Mutex<Option<TempPath>>>;

impl Destination {
    /// Makes sure that writing is possible.
    ///
    /// # Errors
    /// If it is not, or there is a file already that is not to be replaced.
    pub(super) fn prepare(args: &Args, progress: &Progress) -> Result<Self, Failure> {
        if args.is_stdout() {
            let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
            return Ok(Self {
                file: File::from(descriptor),
                target: None,
                name: "standard output".to_owned(),
            });
        }
        let name = text::path(&args.output);
        let said = |error: io::Error| Failure::Message(not_written(&name, &error));
        check(&args.output, args.force)?;
        let unfinished = Unfinished::default();
        attend_signals(Arc::clone(&unfinished), progress.clone()).map_err(said)?;
        let file = create(args.folder(), &unfinished).map_err(said)?;
        Ok(Self {
            file,
            target: Some(Target {
                path: args.output.clone(),
                replaces: args.force,
                unfinished,
            }),
            name,
        })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If there is one of that name by now, or it cannot be renamed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        // Held until it has its name: a signal finds it unfinished, or finished.
        let mut unfinished = lock(&target.unfinished);
        let Some(temporary) = unfinished.take() else {
            return Ok(());
        };
        let named = match target.replaces {
            true => temporary.persist(&target.path),
            false => temporary.persist_noclobber(&target.path),
        };
        named.map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.name),
            _ => self.not_written(&failed.error),
        })
    }

    /// Whether the reader of standard output has gone away.
    pub(super) fn is_abandoned(&self, error: &io::Error) -> bool {
        self.target.is_none() && error.kind() == io::ErrorKind::BrokenPipe
    }

    /// What to say of an error while writing. What went wrong on the other side, in a segment, has
    /// been put in words there.
    pub(super) fn not_written(&self, error: &io::Error) -> Failure {
        Failure::Message(match error.raw_os_error() {
            Some(_) => not_written(&self.name, error),
            None => text::clean(&error.to_string()),
        })
    }

    /// What to say of an error while pictures that are encoded are put aside: beside the output, or
    /// where temporary files go if it has no folder.
    pub(super) fn not_put_aside(&self, error: &io::Error) -> Failure {
        match (&self.target, error.raw_os_error()) {
            (None, Some(_)) => Failure::Message(format!(
                "cannot put aside what is encoded in {}: {error}; TMPDIR names another folder",
                text::path(&std::env::temp_dir())
            )),
            _ => self.not_written(error),
        }
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            // Removes it, if it has not got its name.
            lock(&target.unfinished).take();
        }
    }
}

/// Refuses what cannot be replaced by a file, or is not to be.
fn check(path: &Path, force: bool) -> Result<(), Failure> {
    let name = text::path(path);
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    if is_folder || path.file_name().is_none() {
        return Err(Failure::Message(format!(
            "`{name}` names a folder, not a file to write"
        )));
    }
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::Message(not_written(&name, &error))),
    };
    if !found.is_file() && !found.is_symlink() {
        return Err(Failure::Message(format!(
            "{name} is no regular file; to write into it, use --output - and redirect that"
        )));
    }
    match force {
        true => Ok(()),
        false => Err(exists(&name)),
    }
}

fn exists(name: &str) -> Failure {
    Failure::Message(format!("{name} exists; --force replaces it"))
}

fn not_written(name: &str, error: &io::Error) -> String {
    let folder = "the folder is not there, or is none";
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            format!("cannot write {name}: {folder}")
        }
        _ => format!("cannot write {name}: {error}"),
    }
}

fn create(folder: &Path, unfinished: &Unfinished) -> io::Result<File> {
    // Held so that no signal comes between the file and knowing about it.
    let mut unfinished = lock(unfinished);
    let created = tempfile::Builder::new()
        .prefix(HIDDEN_PREFIX)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        .map_err(|error| bare(&error))?;
    let (file, path) = created.into_parts();
    *unfinished = Some(path);
    Ok(file)
}

/// Without the temporary name, which nobody knows.
fn bare(error: &io::Error) -> io::Error {
    let source = error.get_ref().and_then(|error| error.source());
    let inner = source.and_then(|source| source.downcast_ref::<io::Error>());
    let code = inner.and_then(io::Error::raw_os_error);
    code.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// Ends the process the way it would without this, but removes what is unfinished first.
fn attend_signals(unfinished: Unfinished, progress: Progress) -> io::Result<()> {
    let wanted = [SIGINT, SIGTERM, SIGHUP];
    let wanted = wanted.into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // Held for ever, so that what is being removed is not given its name.
                let mut unfinished = lock(&unfinished);
                unfinished.take();
                progress.clear();
                let _ = emulate_default_handler(signal);
            }
        })
        .map(|_| ())
}

fn lock(unfinished: &Unfinished) -> MutexGuard<'_, Option<TempPath>> {
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}
