// SPDX-License-Identifier: MPL-2.0
//! Which credentials kvssink takes: the first of its properties, the environment and the file.

use std::path::PathBuf;

/// What kvssink's properties are until someone sets them.
pub const UNSET_ACCESS_KEY: &str = "access_key";
/// As [`UNSET_ACCESS_KEY`].
pub const UNSET_SECRET_KEY: &str = "secret_key";
/// As [`UNSET_ACCESS_KEY`].
pub const UNSET_SESSION_TOKEN: &str = "session_token";

/// What kvssink looks at.
#[derive(Debug, Default)]
pub struct Sources {
    /// Whether `iot-certificate` is set.
    pub iot_certificate: bool,
    /// The property `access-key`.
    pub access_key: String,
    /// The property `secret-key`.
    pub secret_key: String,
    /// The property `session-token`.
    pub session_token: String,
    /// `AWS_ACCESS_KEY_ID`, which counts when it is set, even if it is empty.
    pub env_access_key: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub env_secret_key: Option<String>,
    /// `AWS_SESSION_TOKEN`.
    pub env_session_token: Option<String>,
    /// The property `credential-path`.
    pub credential_path: Option<PathBuf>,
}

/// What kvssink goes by.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// The certificate; never this process's file.
    Iot,
    /// Keys that it keeps as long as it runs.
    Static {
        /// The access key.
        access_key: String,
        /// The secret key.
        secret_key: String,
        /// The session token; the environment's is mixed with the keys of the properties.
        session_token: String,
    },
    /// The file, read again and again.
    File(PathBuf),
}

/// The order of kvssink 3.6.0.
///
/// # Errors
/// kvssink's words when there are none.
pub fn choose(sources: Sources) -> Result<Choice, &'static str> {
    let session_token = if sources.session_token == UNSET_SESSION_TOKEN {
        sources.env_session_token.unwrap_or_default()
    } else {
        sources.session_token
    };
    if sources.iot_certificate {
        return Ok(Choice::Iot);
    }
    if sources.access_key != UNSET_ACCESS_KEY {
        return Ok(Choice::Static {
            access_key: sources.access_key,
            secret_key: sources.secret_key,
            session_token,
        });
    }
    match (
        sources.env_access_key,
        sources.env_secret_key,
        sources.credential_path,
    ) {
        (Some(access_key), Some(secret_key), _) => Ok(Choice::Static {
            access_key,
            secret_key,
            session_token,
        }),
        (_, _, Some(path)) if std::fs::File::open(&path).is_ok() => Ok(Choice::File(path)),
        _ => Err("Could not find any AWS credentials!"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset() -> Sources {
        Sources {
            access_key: UNSET_ACCESS_KEY.into(),
            secret_key: UNSET_SECRET_KEY.into(),
            session_token: UNSET_SESSION_TOKEN.into(),
            ..Sources::default()
        }
    }

    #[test]
    fn variables_beat_the_file_even_when_they_are_empty() {
        let file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
        let with_file = || Sources {
            credential_path: Some(file.path().into()),
            ..unset()
        };
        assert_eq!(choose(with_file()), Ok(Choice::File(file.path().into())));
        let one = Sources {
            env_access_key: Some("AKIA".into()),
            ..with_file()
        };
        assert_eq!(choose(one), Ok(Choice::File(file.path().into())));
        let both = Sources {
            env_access_key: Some(String::new()),
            env_secret_key: Some(String::new()),
            ..with_file()
        };
        assert!(
            matches!(choose(both), Ok(Choice::Static { access_key, .. }) if access_key.is_empty())
        );
    }

    #[test]
    fn the_token_of_the_environment_is_mixed_with_the_keys_of_the_properties() {
        let sources = Sources {
            access_key: "AKIA".into(),
            secret_key: "secret".into(),
            env_session_token: Some("stale".into()),
            ..unset()
        };
        let chosen = choose(sources).expect("keys are set");
        assert!(matches!(chosen, Choice::Static { session_token, .. } if session_token == "stale"));
    }

    #[test]
    fn a_file_that_is_not_there_is_no_source() {
        let sources = Sources {
            credential_path: Some("/nowhere/credentials".into()),
            ..unset()
        };
        assert_eq!(choose(sources), Err("Could not find any AWS credentials!"));
    }
}
