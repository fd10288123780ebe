// SPDX-License-Identifier: MPL-2.0
//! Why a command came to nothing: what to say, and the exit code.

use std::io;
use std::process::ExitCode;

use super::{EXIT_FAILED, EXIT_USAGE, output};

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// What was asked for is not there.
    Message(String),
    /// The file system, or standard output.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// Says it on standard error.
    pub(super) fn explain(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Io(error) => (error.to_string(), EXIT_FAILED),
            Self::Message(message) => (message.clone(), EXIT_FAILED),
            Self::Usage(message) => (message.clone(), EXIT_USAGE),
        };
        output::complain(&message);
        ExitCode::from(code)
    }
}
