// SPDX-License-Identifier: MPL-2.0
//! What a command prints: the contract of `credential_process` in AWS's configuration files.
//!
//! The SDK has a provider of its own for this, which leaves a command that hangs running and starts
//! the next beside it. Here the command has a process group that ends when nobody waits any more.

use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroize;
use serde::Deserialize;
use tokio::process::Command;

use super::{Expiry, Keys, json};
use crate::session::error::Error;
use crate::session::secret::Secret;
use crate::session::view::Credentials;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<String>,
}

/// Runs `command` with `sh -c`.
pub async fn fetch(command: &str) -> Result<Keys, Error> {
    let output = run(command).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("the credential process failed ({}): {said}", output.status);
        // 126 and 127 are the shell's: not executable, not found.
        return Err(match output.status.code() {
            Some(126 | 127) => Error::user(message, "check the command of credential_process"),
            _ => Error::temporary(message),
        });
    }
    let mut text = output.stdout;
    let parsed = parse(&text);
    text.zeroize();
    parsed.map_err(|problem| {
        Error::user(
            format!("what the credential process printed {problem}"),
            "it must print the JSON that AWS's credential_process asks for",
        )
    })
}

fn parse(text: &[u8]) -> Result<Keys, String> {
    let printed: Printed = json::parse(text)?;
    if printed.version != 1 {
        return Err(format!("has version {}, not 1", printed.version));
    }
    Ok(Keys {
        credentials: Credentials {
            access_key_id: printed.access_key_id,
            secret_access_key: printed.secret_access_key,
            session_token: printed.session_token,
        },
        expiry: match &printed.expiration {
            Some(text) => Expiry::AwsTime(json::time(text)?),
            None => Expiry::Unknown,
        },
    })
}

async fn run(command: &str) -> Result<Output, Error> {
    let child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::temporary(format!("the credential process cannot be started: {error}"))
        })?;
    let mut group = Group::of(&child);
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| Error::temporary(format!("the credential process broke off: {error}")))?;
    // What it left running on purpose, an agent perhaps, may stay.
    group.0 = None;
    Ok(output)
}

/// Everything a command started; killed when nobody waits for it any more.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_be_temporary_or_not() {
        let printed = br#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SK"}"#;
        let keys = parse(printed).unwrap();
        assert_eq!(keys.credentials.secret_access_key.expose(), "SK");
        assert_eq!(keys.credentials.session_token, None);
        assert_eq!(keys.expiry, Expiry::Unknown);
        let printed = br#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SK",
            "SessionToken":"ST","Expiration":"2026-11-25T09:30:50+00:00"}"#;
        let keys = parse(printed).unwrap();
        let end = json::time("2026-11-25T09:30:50Z").unwrap();
        assert_eq!(keys.expiry, Expiry::AwsTime(end));
    }

    #[test]
    fn another_version_and_a_missing_field_are_said_without_quoting_a_key() {
        let version = br#"{"Version":2,"AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#;
        assert_eq!(parse(version).unwrap_err(), "has version 2, not 1");
        let no_id = br#"{"Version":1,"SecretAccessKey":"hunter2"}"#;
        let error = parse(no_id).unwrap_err();
        assert!(
            error.contains("lacks a field") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
