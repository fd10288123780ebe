// SPDX-License-Identifier: MPL-2.0
//! What went wrong with a session, whose turn it is, and what to do about it.

use std::fmt;
use std::time::Duration;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Somebody has to change something: a policy, a profile, a secret. Reported at once and
    /// retried slowly, because it may be put right at any time.
    User,
    /// The network or a service: retried until it is over.
    Temporary,
    /// This machine's clock is so far from AWS's that AWS refuses what it signs.
    Clock,
}

/// A failure to get credentials. Holds no secret, so it may be shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Whose turn it is.
    pub kind: ErrorKind,
    /// What happened, in one sentence without a full stop.
    pub message: String,
    /// What to do about it, likewise; empty where there is nothing to do but wait.
    pub remedy: String,
}

impl Error {
    /// Somebody has to do `remedy`.
    pub fn user(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message, remedy)
    }

    /// Goes away by itself.
    pub fn temporary(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Temporary, message, "")
    }

    /// Any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error {
            kind,
            message: one_line(&message.into()),
            remedy: one_line(&remedy.into()),
        }
    }

    /// A request that had no answer in `limit`.
    #[must_use]
    pub fn timed_out(what: &str, limit: Duration) -> Self {
        Self::temporary(format!(
            "{what} did not answer within {} s",
            limit.as_secs()
        ))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.remedy)
        }
    }
}

impl std::error::Error for Error {}

/// Messages go to logs and buses, where a line is an event: what servers and commands say is made
/// one line of reasonable length.
fn one_line(text: &str) -> String {
    const LONGEST_CHARS: usize = 600;
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
        if line.chars().count() > LONGEST_CHARS {
            return line.chars().take(LONGEST_CHARS).chain(['…']).collect();
        }
    }
    line
}

/// Settings that cannot work, whatever the network says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct SettingsError {
    /// The setting's name as users write it, such as `role_arn`.
    pub setting: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl SettingsError {
    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        SettingsError {
            setting,
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_becomes_one_line_of_reasonable_length() {
        let error = Error::user("no\r\n\tsuch \u{1b}[31mrole", "a ".repeat(2000));
        assert_eq!(error.message, "no such [31mrole");
        assert_eq!(error.remedy.chars().count(), 601);
    }

    #[test]
    fn an_error_says_what_happened_and_what_to_do() {
        let error = Error::user("access denied", "allow it");
        assert_eq!(error.to_string(), "access denied; allow it");
        assert_eq!(Error::temporary("STS is down").to_string(), "STS is down");
    }
}
