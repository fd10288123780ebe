// SPDX-License-Identifier: MPL-2.0
//! YAML to checked definitions, with the line and column of what is wrong.
//!
//! Whoever runs tens of pipelines unattended must learn of a mistake before anything starts, at
//! the place where it was made, with what would be right beside it. So this room reads a file,
//! puts in `${VARIABLES}`, checks everything that can be checked without starting anything, and
//! hands over types that need no more checking. [`load`] needs no GStreamer; [`check_elements`]
//! asks it about every element, property and value.

mod address;
mod assemble;
mod check;
mod compose;
mod credentials;
mod elements;
mod file;
mod launch;
mod nearest;
mod outputs;
mod packages;
mod problem;
mod redact;
mod section;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod units;
mod values;
mod vars;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use assemble::view_branch;
pub use compose::{Branch, Tracks, branch, sink_pad};
pub use credentials::Credentials;
pub use problem::explain;
pub use redact::{learn_secret, redact};
pub use tokens::{is_token, mark as token_mark, put_in as put_tokens_in};

/// The session of outputs that name none: credentials as every AWS SDK finds them.
pub const DEFAULT_SESSION: &str = "default";

/// A checked file.
#[derive(Debug)]
pub struct Definitions {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The archive that pipelines record into, if there is one.
    pub archive: Option<Archive>,
    /// The credentials sessions by name.
    pub credentials: BTreeMap<String, Credentials>,
    /// Names of variables that hold secrets, which are put in where they belong: no process that
    /// is started has any use for them.
    pub secret_variables: BTreeSet<String>,
    /// The pipelines by name.
    pub pipelines: BTreeMap<String, Pipeline>,
    source: problem::Source,
    origins: BTreeMap<String, check::Origin>,
}

/// Where recordings go and how long they stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The archive's folder; a relative one is relative to the current directory.
    pub root: PathBuf,
    /// Record only while the root is on a mounted disk, not on the system's own.
    pub require_mount: bool,
    /// What may be deleted, and when.
    pub retention: Retention,
}

/// Limits above which the oldest segments go; none means nothing is ever deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments older than this go.
    pub age: Option<Duration>,
    /// The archive takes no more than this many bytes.
    pub bytes: Option<u64>,
    /// The file system keeps at least this many bytes free.
    pub min_free: Option<u64>,
}

/// One pipeline, ready to be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name in the file.
    pub name: String,
    /// What to build.
    pub build: Build,
    /// Whether the source is live: its end of stream is a failure, and silence a stall.
    pub live: bool,
    /// When to start again.
    pub restart: Restart,
    /// No buffer for this long is a failure (live pipelines).
    pub stall_timeout: Duration,
    /// No first buffer within this time is a failure.
    pub start_timeout: Duration,
    /// Variables the worker's process needs in its environment (`TZ=UTC` for a burned-in clock).
    pub environment: BTreeMap<String, String>,
    /// The session whose AWS credentials the worker's process uses.
    pub credentials: Option<String>,
    /// The worker may use the AWS credentials of the environment: its text names an element that
    /// looks there, and no session.
    pub aws_environment: bool,
    /// The sessions whose access tokens are put into the texts and headers.
    pub tokens: BTreeSet<String>,
    /// Where the pictures go beside the archive, or in its stead. The branch of each ends in the
    /// `appsink` that [`view_sink`] names.
    pub views: Vec<Kvs>,
}

/// A stream of Amazon Kinesis Video Streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kvs {
    /// Its name.
    pub stream: String,
    /// Its region; where none is given, that of the worker's environment.
    pub region: Option<String>,
    /// What it keeps, at least.
    pub retention_hours: Option<u32>,
    /// Make it, if there is no such stream.
    pub create: bool,
    /// The key that AWS encrypts it with, if it is made.
    pub kms_key: Option<String>,
    /// What it is tagged with, if it is made.
    pub tags: BTreeMap<String, String>,
}

/// The name of the `appsink` at the end of a view's branch.
pub fn view_sink(index: usize) -> String {
    format!("view_{index}")
}

/// How a pipeline is built. Texts are in the syntax of `gst-launch-1.0`, with secrets in them:
/// `Debug` prints them redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Build {
    /// The text is the whole pipeline.
    Launch(String),
    /// Which streams there are is known only when the source runs.
    ///
    /// The worker builds `source` (one element with sometimes pads); behind each pad it puts what
    /// [`branch`] says for its caps; each parsed stream that results goes to the request pad of
    /// `sink` that [`sink_pad`] names, others are ignored with one log line.
    Dynamic {
        /// Text of the source element.
        source: String,
        /// What an HTTP source asks with: names and values, which may hold marks of tokens.
        headers: BTreeMap<String, String>,
        /// Text of the sink element that records, unless there are views alone.
        sink: Option<String>,
        /// Which media to take.
        tracks: Tracks,
        /// Put a `clocksync` in front of each pad of the sink: a file plays at its own pace.
        paced: bool,
    },
}

/// When to start a pipeline again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// After what.
    pub policy: Policy,
    /// The first delay.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// So long flowing buffers make the next delay the first again.
    pub reset_after: Duration,
}

/// After what a pipeline is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// After any end, a clean one included.
    Always,
    /// After a failure only.
    OnFailure,
    /// Never.
    Never,
}

impl Pipeline {
    /// It has views and an archive, which must not suffer from them.
    pub fn is_shown_beside(&self) -> bool {
        let recorded = match &self.build {
            Build::Launch(text) => text.contains("archivesink"),
            Build::Dynamic { sink, .. } => sink.is_some(),
        };
        recorded && !self.views.is_empty()
    }
}

impl Build {
    /// The texts in it, for logs: without secrets.
    pub fn redacted(&self) -> String {
        match self {
            Self::Launch(text) => redact(text),
            Self::Dynamic { source, sink, .. } => {
                let sink = sink.as_deref().unwrap_or("views");
                format!("{} ! {}", redact(source), redact(sink))
            }
        }
    }
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// Reads a file (`-` is standard input), puts in variables, and checks everything that needs no
/// GStreamer.
///
/// # Errors
///
/// All that is wrong, each with its line and column.
pub fn load(path: &Path) -> miette::Result<Definitions> {
    let text = file::read(path)?;
    file::definitions(path, text, &|name| std::env::var(name).ok())
}

/// Checks every element, property and value; starts nothing. Needs `gst::init` and the plugins.
///
/// # Errors
///
/// All that is wrong, each with its line and column.
pub fn check_elements(definitions: &Definitions) -> miette::Result<()> {
    let mut problems = Vec::new();
    for (name, pipeline) in &definitions.pipelines {
        if let Some(origin) = definitions.origins.get(name) {
            problems.extend(elements::pipeline(&definitions.source, pipeline, origin));
        }
    }
    problem::report(&definitions.source, problems)
}
