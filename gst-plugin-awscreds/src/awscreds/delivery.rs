// SPDX-License-Identifier: MPL-2.0
//! The three ways of credentials to a target.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gst::glib;
use gst::prelude::*;

use crate::session::{Credentials, Lease, kvs_file};

use super::errors;
use super::settings::{Delivery, Settings};

/// Why credentials were not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// They would stop working there without anybody noticing.
    #[error("{0}")]
    Refused(String),
    /// The file could not be written, or would not be read.
    #[error(transparent)]
    File(#[from] kvs_file::Error),
}

impl DeliveryError {
    /// Tells one failure from another; the text names another temporary file each time.
    pub fn what(&self) -> String {
        match self {
            Self::File(kvs_file::Error::Io { action, source, .. }) => {
                format!("{action}: {:?}", source.kind())
            }
            other => other.to_string(),
        }
    }
}

/// One of the three, with all that it needs.
pub enum Route {
    /// Into a file.
    File {
        /// The file.
        path: PathBuf,
        /// Its folder, where it is ours and goes with us.
        _folder: Option<tempfile::TempDir>,
    },
    /// Into the targets' properties.
    Properties {
        /// The targets.
        targets: Vec<glib::WeakRef<gst::Element>>,
        /// Whether they are restarted when that is asked for.
        restarted: bool,
    },
    /// Into this process's environment.
    Environment,
}

impl Route {
    /// Of these settings to these targets, whose `credential-path` is set where it is not.
    ///
    /// # Errors
    /// The settings do not go together.
    pub fn new(settings: &Settings, targets: &[gst::Element]) -> Result<Self, gst::ErrorMessage> {
        match settings.delivery {
            Delivery::File => file(settings.credential_path.as_deref(), targets),
            Delivery::Properties if targets.is_empty() => Err(errors::settings(
                "delivery=properties needs a kvssink downstream, or its name in the property `target`",
            )),
            Delivery::Properties => Ok(Route::Properties {
                targets: targets.iter().map(ObjectExt::downgrade).collect(),
                restarted: settings.target_is_restarted,
            }),
            Delivery::Environment => Ok(Route::Environment),
        }
    }

    /// The file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Route::File { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Delivers credentials, and says which expiry was declared where one was.
    ///
    /// # Errors
    /// Nothing was delivered.
    pub fn deliver(
        &self,
        lease: &Lease,
        credentials: &Credentials,
        next_renewal: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Option<SystemTime>, DeliveryError> {
        let expires = lease.expires_at.is_some() || credentials.session_token.is_some();
        match self {
            Route::File { path, .. } => {
                let declared =
                    kvs_file::declared_expiry(credentials, lease.expires_at, next_renewal, now);
                kvs_file::write(path, &kvs_file::text(credentials, declared)?)?;
                Ok(declared)
            }
            Route::Properties { restarted: false, .. } if expires => Err(DeliveryError::Refused(
                "delivery=properties: kvssink reads its properties once, when it starts, and these credentials expire; use delivery=file, or restart kvssink whenever `awscreds-expiring` asks for it and say so with target-is-restarted=true".into(),
            )),
            Route::Properties { targets, .. } => {
                for target in targets.iter().filter_map(glib::WeakRef::upgrade) {
                    set_properties(&target, credentials);
                }
                Ok(None)
            }
            Route::Environment if expires => Err(DeliveryError::Refused(
                "delivery=environment: kvssink reads the environment once, when it starts, and these credentials expire; use delivery=file".into(),
            )),
            Route::Environment => {
                set_environment(credentials);
                Ok(None)
            }
        }
    }
}

fn file(path: Option<&Path>, targets: &[gst::Element]) -> Result<Route, gst::ErrorMessage> {
    let theirs = targets.iter().find_map(set_path);
    let (path, folder) = match path.map(Path::to_owned).or(theirs) {
        Some(path) => (path, None),
        None if targets.is_empty() => {
            return Err(errors::settings(
                "property `credential-path` is not set, and there is no kvssink downstream whose path could be taken; set it to the file that kvssink reads",
            ));
        }
        None => {
            let folder = private_folder().map_err(|error| {
                errors::settings(&format!(
                    "cannot make a private folder for the credentials file ({error}); set the property `credential-path`"
                ))
            })?;
            (folder.path().join("credentials"), Some(folder))
        }
    };
    for target in targets {
        match set_path(target) {
            Some(theirs) if theirs != path => {
                return Err(errors::settings(&format!(
                    "{} reads its credentials from {}, and awscreds would write them to {}; set both to the same file, or leave one of them unset",
                    target.name(),
                    theirs.display(),
                    path.display()
                )));
            }
            Some(_) => {}
            None => give_path(target, &path),
        }
    }
    Ok(Route::File {
        path,
        _folder: folder,
    })
}

/// In the user's own runtime folder, which is in memory, where there is one.
fn private_folder() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("awscreds-");
    match std::env::var_os("XDG_RUNTIME_DIR").map(|folder| builder.tempdir_in(folder)) {
        Some(Ok(folder)) => Ok(folder),
        _ => builder.tempdir(),
    }
}

/// The path that somebody gave a target.
pub fn set_path(target: &gst::Element) -> Option<PathBuf> {
    let path = target.property::<Option<String>>("credential-path")?;
    let default = target.find_property("credential-path")?;
    let default = default
        .default_value()
        .get::<Option<String>>()
        .ok()
        .flatten();
    (!path.is_empty() && Some(&path) != default.as_ref()).then(|| path.into())
}

/// Lets a target read from a path.
pub fn give_path(target: &gst::Element, path: &Path) {
    target.set_property("credential-path", path.to_string_lossy().as_ref());
}

/// All three, so that nothing is mixed with a token of the environment.
fn set_properties(target: &gst::Element, credentials: &Credentials) {
    let token = credentials.session_token.as_ref();
    target.set_property("access-key", &credentials.access_key_id);
    target.set_property("secret-key", credentials.secret_access_key.expose());
    target.set_property("session-token", token.map_or("", |token| token.expose()));
}

/// All three; keys that do not expire have no token, and another's must not stay.
fn set_environment(credentials: &Credentials) {
    let secret = credentials.secret_access_key.expose();
    // SAFETY: glibc's setenv is safe beside other setenv and, from C, not beside getenv. This is
    // once, in the state change to READY, because the pipeline's owner asked for it by
    // `delivery=environment`; docs/credentials.md says what that takes.
    unsafe {
        std::env::set_var("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        std::env::set_var("AWS_SECRET_ACCESS_KEY", secret);
        std::env::remove_var("AWS_SESSION_TOKEN");
    }
}
