// SPDX-License-Identifier: MPL-2.0
//! Where a server leaves what its clients need to find it: its address, and one token per session.
//!
//! A folder of the user's own that does not outlive a restart of the machine
//! (`$XDG_RUNTIME_DIR/pipeline-runner/credentials`), and in it one folder per definition and kind
//! of server. Who holds the lock in it is alive; the kernel lets go of the lock when its process
//! dies, however it dies. So what a killed server left is known for what it is, and its successor
//! takes over address and tokens: clients that know them from their environment go on.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gstawscreds::session::Secret;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;
/// Their length in base64.
const TOKEN_CHARS: usize = 43;
/// How the name of a folder begins that is for one process, and no definition.
const APART: &str = "process-";
/// The largest description of a server.
const MAX_ENDPOINT_BYTES: u64 = 1 << 20;

/// What a server tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The server's process.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// The definition whose sessions it serves.
    pub definition: String,
    /// The sessions.
    pub sessions: Vec<Offered>,
}

/// A session of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// It gives access tokens, not keys for AWS.
    pub gives_tokens: bool,
}

/// A server that runs.
pub struct Server {
    /// Its folder.
    pub folder: PathBuf,
    /// What it tells about itself.
    pub endpoint: Endpoint,
}

/// What kind of server a folder is for: a definition may be served and run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `credentials serve`.
    Serve,
    /// `run`.
    Run,
}

/// A folder of one's own; it goes with its owner.
pub struct Claim {
    folder: PathBuf,
    lock: Option<File>,
    /// What a dead server of the same definition left.
    pub left: Option<Endpoint>,
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another server has it.
    #[error("{}", taken(.0))]
    Taken(Option<Endpoint>),
    /// The file system.
    #[error("{}: {why}", folder.display())]
    Io {
        /// Where.
        folder: PathBuf,
        /// What.
        why: io::Error,
    },
}

fn taken(by: &Option<Endpoint>) -> String {
    match by {
        Some(Endpoint { pid, address, .. }) => {
            format!("these credentials are served already, by process {pid} at http://{address}")
        }
        None => "these credentials are served already, by a process that is starting".to_owned(),
    }
}

/// The folder of all servers of this user; `given` on the command line, or the system's.
///
/// # Errors
/// When it cannot be made, or others could change what is in it.
pub fn base(given: Option<&Path>) -> Result<PathBuf, ClaimError> {
    let folder = match given {
        Some(folder) => folder.to_owned(),
        None => by_default(|name| std::env::var_os(name)),
    };
    let servers = folder.join("credentials");
    let failed = |why| ClaimError::Io {
        folder: servers.clone(),
        why,
    };
    for folder in [&folder, &servers] {
        private_folder(folder).map_err(failed)?;
    }
    Ok(servers)
}

/// systemd's `RuntimeDirectory=`, the user's own, or one in the folder for temporary files.
fn by_default(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    if let Some(folders) = variable("RUNTIME_DIRECTORY").filter(|value| !value.is_empty()) {
        return std::env::split_paths(&folders).next().unwrap_or_default();
    }
    if let Some(folder) = variable("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        return Path::new(&folder).join("pipeline-runner");
    }
    let uid = rustix::process::geteuid().as_raw();
    let users = PathBuf::from(format!("/run/user/{uid}"));
    match users.metadata() {
        Ok(metadata) if metadata.uid() == uid => users.join("pipeline-runner"),
        _ => std::env::temp_dir().join(format!("pipeline-runner-{uid}")),
    }
}

/// Makes a folder for us alone, or makes sure that one that is there is.
fn private_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => {}
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
        Err(why) => return Err(why),
    }
    let metadata = folder.symlink_metadata()?;
    let uid = rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || metadata.uid() != uid || metadata.mode() & 0o022 != 0 {
        let message = format!(
            "{} must be a folder of user {uid} that nobody else can write to",
            folder.display()
        );
        return Err(io::Error::other(message));
    }
    Ok(())
}

/// The servers that run, and how many have left a folder behind.
pub fn servers(base: &Path) -> (Vec<Server>, usize) {
    let (mut found, mut dead) = (Vec::new(), 0);
    for folder in fs::read_dir(base).into_iter().flatten().flatten() {
        let folder = folder.path();
        match (is_alive(&folder), endpoint(&folder)) {
            (true, Some(endpoint)) => found.push(Server { folder, endpoint }),
            (true, None) => {}
            (false, _) => dead += 1,
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    (found, dead)
}

/// Takes away what processes that are dead left apart: nobody will come back to it.
pub fn sweep(base: &Path) {
    for folder in fs::read_dir(base).into_iter().flatten().flatten() {
        let apart = folder.file_name().to_string_lossy().starts_with(APART);
        if apart && !is_alive(&folder.path()) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// Whether a process holds the folder's lock.
fn is_alive(folder: &Path) -> bool {
    let Ok(lock) = File::open(folder.join("lock")) else {
        return false;
    };
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
}

fn endpoint(folder: &Path) -> Option<Endpoint> {
    use io::Read as _;
    let mut text = Vec::new();
    let file = File::open(folder.join("endpoint.json")).ok()?;
    file.take(MAX_ENDPOINT_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Claim {
    /// The folder for a definition, which nobody else has while the claim lives.
    ///
    /// # Errors
    /// When somebody has it, or the file system refuses.
    pub fn new(base: &Path, definition: &Path, kind: Kind) -> Result<Self, ClaimError> {
        let folder = base.join(folder_name(definition, kind));
        Self::of(folder)
    }

    /// A folder of this process alone, where that of the definition is taken.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn apart(base: &Path) -> Result<Self, ClaimError> {
        Self::of(base.join(format!("{APART}{}", std::process::id())))
    }

    fn of(folder: PathBuf) -> Result<Self, ClaimError> {
        let failed = |why| ClaimError::Io {
            folder: folder.clone(),
            why,
        };
        loop {
            private_folder(&folder).map_err(failed)?;
            let path = folder.join("lock");
            let lock = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path);
            let lock = match lock {
                // Its owner has taken the folder away at this moment.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                lock => lock.map_err(failed)?,
            };
            if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(ClaimError::Taken(endpoint(&folder)));
            }
            // Locked may be what its owner has just taken away.
            let held = lock.metadata().map_err(failed)?.ino();
            if path.metadata().is_ok_and(|there| there.ino() == held) {
                let left = endpoint(&folder);
                return Ok(Self {
                    folder,
                    lock: Some(lock),
                    left,
                });
            }
        }
    }

    /// Lets clients find the server.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn announce(&self, endpoint: &Endpoint) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(endpoint)?;
        write_private(&self.folder.join("endpoint.json"), &text)
    }

    /// The file with the token of a session, and the token: that of a server before, so that
    /// clients that know it go on, else a new one.
    ///
    /// # Errors
    /// When the file system refuses, or there is no randomness.
    pub fn token(&self, session: &str) -> io::Result<(PathBuf, Secret)> {
        let folder = self.folder.join("tokens");
        private_folder(&folder)?;
        let path = folder.join(session);
        if let Some(token) = token_at(&path) {
            return Ok((path, token));
        }
        let mut bytes = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        // No line break: it would become a part of the header that SDKs make of it.
        write_private(&path, token.as_bytes())?;
        Ok((path, Secret::from(token)))
    }

    /// A folder for what a pipeline's outputs need.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn pipeline_folder(&self, index: usize) -> io::Result<PathBuf> {
        let folder = self.folder.join(format!("pipeline-{index}"));
        private_folder(&folder)?;
        Ok(folder)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The folder first: while it is there it is locked.
        let _ = fs::remove_dir_all(&self.folder);
        self.lock.take();
    }
}

/// The token of a session of this server, for a client.
///
/// # Errors
/// When the file is not there or not readable: it is its owner's alone.
pub fn token_of(server: &Server, session: &str) -> io::Result<Secret> {
    let path = server.folder.join("tokens").join(session);
    fs::read_to_string(path).map(Secret::from)
}

/// A token that is there and was readable by its owner only.
fn token_at(path: &Path) -> Option<Secret> {
    let metadata = path.symlink_metadata().ok()?;
    let own = metadata.is_file()
        && metadata.mode() & 0o077 == 0
        && metadata.uid() == rustix::process::geteuid().as_raw();
    let text = own.then(|| fs::read_to_string(path).ok()).flatten()?;
    let whole = text.len() == TOKEN_CHARS && URL_SAFE_NO_PAD.decode(&text).is_ok();
    whole.then(|| Secret::from(text))
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// A name that is the same at each start, and tells people what it is for.
fn folder_name(definition: &Path, kind: Kind) -> String {
    if definition.as_os_str() == "-" {
        return format!("{APART}{}", std::process::id());
    }
    let path = fs::canonicalize(definition).unwrap_or_else(|_| definition.to_owned());
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let hash: String = hash
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let stem: String = stem.chars().take(40).map(plain).collect();
    let kind = match kind {
        Kind::Serve => "serve",
        Kind::Run => "run",
    };
    format!("{stem}-{kind}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(base: &Path) -> Result<Claim, ClaimError> {
        Claim::new(base, Path::new("/etc/cameras.yaml"), Kind::Serve)
    }

    fn announcement() -> Endpoint {
        Endpoint {
            pid: 7,
            address: ([127, 0, 0, 1], 4711).into(),
            definition: "cameras.yaml".to_owned(),
            sessions: Vec::new(),
        }
    }

    #[test]
    fn only_one_server_has_a_definition_and_the_second_is_told_who() {
        let base = tempfile::tempdir().unwrap();
        let first = claim(base.path()).unwrap();
        first.announce(&announcement()).unwrap();
        let said = claim(base.path()).err().unwrap().to_string();
        assert!(
            said.contains("process 7") && said.contains("4711"),
            "{said}"
        );
        assert_eq!(servers(base.path()).0.len(), 1);
        drop(first);
        assert!(servers(base.path()).0.is_empty());
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
        claim(base.path()).unwrap();
    }

    #[test]
    fn what_a_killed_server_left_is_taken_over_with_its_tokens() {
        let base = tempfile::tempdir().unwrap();
        let mut killed = claim(base.path()).unwrap();
        killed.announce(&announcement()).unwrap();
        let (path, token) = killed.token("uploader").unwrap();
        // What the kernel does for a process that is killed.
        killed.lock.take();
        std::mem::forget(killed);
        assert_eq!(servers(base.path()).1, 1);
        let next = claim(base.path()).unwrap();
        assert_eq!(next.left, Some(announcement()));
        let (same_path, same_token) = next.token("uploader").unwrap();
        assert_eq!((path, token), (same_path, same_token));
    }

    #[test]
    fn a_token_is_random_private_and_one_line_without_an_end() {
        let base = tempfile::tempdir().unwrap();
        let claim = claim(base.path()).unwrap();
        let (path, token) = claim.token("a").unwrap();
        let (_, other) = claim.token("b").unwrap();
        assert_ne!(token, other);
        assert_eq!(fs::read_to_string(&path).unwrap(), token.expose());
        assert_eq!(token.expose().len(), TOKEN_CHARS);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(claim.folder.metadata().unwrap().mode() & 0o777, 0o700);
        // One that others could have read is replaced.
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(&path, open).unwrap();
        assert_ne!(claim.token("a").unwrap().1, token);
    }

    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let said = super::base(Some(base.path())).err().unwrap().to_string();
        assert!(said.contains("nobody else can write"), "{said}");
    }

    #[test]
    fn the_folder_is_the_services_or_the_users_own() {
        let service =
            by_default(|name| (name == "RUNTIME_DIRECTORY").then(|| "/run/a:/run/b".into()));
        assert_eq!(service, Path::new("/run/a"));
        let user = by_default(|name| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/9".into()));
        assert_eq!(user, Path::new("/run/user/9/pipeline-runner"));
    }
}
