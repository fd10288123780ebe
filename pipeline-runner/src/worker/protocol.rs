// SPDX-License-Identifier: MPL-2.0
//! What the supervisor and a worker say to each other: one JSON value per line.
//!
//! The first line on the worker's stdin is its [`Job`], not its
//! arguments or environment, because URIs hold passwords and `ps` shows arguments to everybody.
//! [`Order`]s follow; the end of the stream means that the supervisor is gone. The worker's stdout
//! carries nothing but [`Event`]s. Both ends are the same binary, so the format may change with
//! every version.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use crate::config::Pipeline;

/// What a worker is for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// A folder that nobody else can read, for what its outputs need.
    pub folder: Option<PathBuf>,
    /// The archive's disk, if the definition has an archive.
    pub disk: Option<Disk>,
}

/// What a worker may be told after its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Send EOS through the pipeline, let the sinks finish their files, and exit.
    Close,
    /// The access token of a session, each time there is another.
    Token {
        /// The session's name.
        session: String,
        /// The token.
        token: Token,
    },
}

/// An access token; `Debug` shows none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self(token.to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// What was recorded, or went through the sinks' pads; once a second, and the worker's sign of life.
    Flow(Flow),
    /// The segments of an `archivesink` go into this folder (of a variant).
    RecordsInto {
        /// The folder.
        folder: PathBuf,
    },
    /// A segment of the archive was closed.
    Segment(Segment),
    /// The recording pauses for want of room.
    Paused {
        /// Why.
        reason: String,
        /// What could not be written.
        path: String,
    },
    /// The recording goes on.
    Resumed {
        /// What could not be recorded meanwhile.
        lost_frames: u64,
    },
    /// The disk is full, whoever noticed.
    DiskFull,
    /// Something a person should read.
    Log {
        /// How loud.
        level: Level,
        /// What.
        message: String,
    },
    /// The source came to its end, and every sink finished.
    Eos,
    /// The pipeline closed because it was asked to.
    Closed,
    /// The pipeline failed; the worker exits.
    Failed(Failure),
}

/// How loud a worker's log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Something is wrong.
    Warn,
    /// Something happened.
    Info,
    /// For whoever looks closer.
    Debug,
}

/// Totals since the worker started: of what is in segments where there is an `archivesink`, else
/// of what reached the sinks' pads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Since the worker started.
    pub uptime_ms: u64,
    /// Since the last buffer; since the start where there was none yet.
    pub quiet_ms: u64,
    /// Buffers that came, recorded or not.
    pub arrived: u64,
    /// Buffers.
    pub buffers: u64,
    /// Buffers that are pictures.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The archive's own account, where there is an `archivesink`.
    pub archive: Option<ArchiveStats>,
}

/// The property `stats` of `archivesink`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArchiveStats {
    /// Buffers that came after their segment was closed.
    pub late: u64,
    /// Buffers that could not be recorded.
    pub dropped: u64,
    /// How far the stream's clock has run from UTC, in nanoseconds.
    pub drift_ns: i64,
    /// Where the times come from (`reference`, `clock`).
    pub time_source: String,
    /// Why they come from there.
    #[serde(default)]
    pub time_source_reason: String,
}

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The file.
    pub path: String,
    /// RFC 3339.
    pub start: String,
    /// How much video it holds.
    pub duration_ns: u64,
    /// `full`, `partial`, …
    pub kind: String,
    /// The size of the file.
    pub bytes: u64,
    /// Time is not continuous with the segment before.
    pub discontinuity: bool,
}

/// Why a pipeline failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of fault it is, which decides what is done about it.
    pub class: Class,
    /// One line for a person: the element, the reason.
    pub message: String,
}

/// What is done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The definition is wrong: no attempt can ever succeed.
    Definition,
    /// The source refused the credentials: retried, but rarely, since cameras lock out.
    Refused,
    /// Anything that may pass.
    Passing,
}

impl Failure {
    /// A fault that may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Self {
            class: Class::Passing,
            message: message.into(),
        }
    }

    /// A fault of the definition.
    pub fn definition(message: impl Into<String>) -> Self {
        Self {
            class: Class::Definition,
            message: message.into(),
        }
    }
}
