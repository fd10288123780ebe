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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
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
    unfinished: Arc<Unfinished>,
}

/// The file while it is being written.
#[derive(Default)]
struct Unfinished {
    /// Whoever takes it decides what becomes of it.
    path: Mutex<Option<TempPath>>,
    /// The signal that came, or 0.
    signal: Arc<AtomicUsize>,
}

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
        let unfinished = Arc::new(Unfinished::default());
        attend_signals(&unfinished, progress).map_err(said)?;
        let file = create(&args.output, &unfinished).map_err(said)?;
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
        let mut path = target.unfinished.lock();
        target.unfinished.heed_signal(&mut path);
        let Some(temporary) = path.take() else {
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
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            // Removes it, if it has not got its name.
            target.unfinished.lock().take();
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

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, Option<TempPath>> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If there was a signal, removes the file and ends the process the way it would have without
    /// anybody attending. The lock is held to the end, so that nobody gives the file its name.
    fn heed_signal(&self, path: &mut Option<TempPath>) {
        let signal = self.signal.load(Ordering::SeqCst);
        if let Ok(signal @ 1..) = i32::try_from(signal) {
            path.take();
            let _ = emulate_default_handler(signal);
        }
    }
}

fn create(output: &Path, unfinished: &Unfinished) -> io::Result<File> {
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Held so that no signal comes between the file and knowing about it.
    let mut held = unfinished.lock();
    let created = tempfile::Builder::new()
        .prefix(HIDDEN_PREFIX)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        .map_err(|error| bare(&error))?;
    let (file, path) = created.into_parts();
    *held = Some(path);
    Ok(file)
}

/// Without the temporary name, which nobody knows.
fn bare(error: &io::Error) -> io::Error {
    let source = error.get_ref().and_then(|error| error.source());
    let inner = source.and_then(|source| source.downcast_ref::<io::Error>());
    let code = inner.and_then(io::Error::raw_os_error);
    code.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// From here on the signals that end a process remove the file first. One that comes while it is
/// written is heeded at once, by a thread: whatever takes long, an encoder or a slow disk, is not
/// waited for. One that comes at the very end is known by then, whenever that thread gets its turn.
fn attend_signals(unfinished: &Arc<Unfinished>, progress: &Progress) -> io::Result<()> {
    let wanted = [SIGINT, SIGTERM, SIGHUP];
    let wanted: Vec<_> = wanted.into_iter().filter(|it| !is_ignored(*it)).collect();
    for signal in &wanted {
        let number = usize::try_from(*signal).unwrap_or_default();
        flag::register_usize(*signal, Arc::clone(&unfinished.signal), number)?;
    }
    let mut signals = Signals::new(wanted)?;
    let (unfinished, progress) = (Arc::clone(unfinished), progress.clone());
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                progress.clear();
                unfinished.heed_signal(&mut unfinished.lock());
            }
        })
        .map(|_| ())
}
