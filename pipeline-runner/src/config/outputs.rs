// SPDX-License-Identifier: MPL-2.0
//! `outputs:`, checked: the archive, and what is shown elsewhere beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_saphyr::Spanned;

use super::check::Checker;
use super::nearest::suggestion;
use super::units::Time;
use super::{DEFAULT_SESSION, Kvs, assemble, yaml};

/// What `archivesink` takes for the durations of segments and chunks, at least.
const MIN_TARGET: Duration = Duration::from_millis(100);
const MIN_CHUNK: Duration = Duration::from_millis(10);
/// Its default.
const DEFAULT_TARGET: Duration = Duration::from_secs(2);
/// The longest that a stream of Kinesis Video Streams keeps anything: ten years.
const MAX_RETENTION_HOURS: u64 = 87_600;
const HOUR: Duration = Duration::from_secs(3600);

/// The outputs of a pipeline.
#[derive(Default)]
pub(super) struct Outputs {
    /// Text of the element that records.
    pub archive: Option<String>,
    /// Where the pictures go beside it, or in its stead.
    pub views: Vec<Kvs>,
    /// The session that the views use.
    pub session: Option<String>,
}

impl Checker<'_> {
    /// The outputs of a pipeline, if they are right. `session` is the pipeline's own.
    pub(super) fn outputs(
        &mut self,
        key: &Spanned<String>,
        pipeline: &yaml::Pipeline,
        session: Option<&str>,
    ) -> Option<Outputs> {
        if pipeline.source.is_none() || pipeline.launch.is_some() {
            return None;
        }
        let help = "record it: `outputs: [ { archive: {} } ]`";
        let Some(outputs) = &pipeline.outputs else {
            let message = format!("the pipeline `{}` has no `outputs`", key.value);
            self.wrong(key.referenced, &message, help);
            return None;
        };
        if outputs.value.is_empty() {
            self.wrong(outputs.referenced, "`outputs` is empty", help);
            return None;
        }
        let before = self.problems.len();
        let mut found = Outputs {
            session: session.map(str::to_owned),
            ..Outputs::default()
        };
        for output in &outputs.value {
            match &output.value {
                yaml::Output::Archive(_) if found.archive.is_some() => self.wrong(
                    output.referenced,
                    "this is the second `archive` of one pipeline",
                    "keep one, or write the whole pipeline as a `launch:` line with a `tee`",
                ),
                yaml::Output::Archive(archive) => {
                    found.archive = self.archive_output(key, output, archive.as_ref());
                }
                yaml::Output::Kvs(kvs) => self.kvs(key, output, kvs.as_ref(), &mut found),
            }
        }
        (self.problems.len() == before && (found.archive.is_some() || !found.views.is_empty()))
            .then_some(found)
    }

    fn archive_output(
        &mut self,
        key: &Spanned<String>,
        output: &Spanned<yaml::Output>,
        archive: Option<&yaml::ArchiveOutput>,
    ) -> Option<String> {
        let by_default = yaml::ArchiveOutput::default();
        let archive = archive.unwrap_or(&by_default);
        for (what, name) in [("stream", &archive.stream), ("variant", &archive.variant)] {
            if let Some(name) = name {
                self.name(what, name);
            }
        }
        self.span(
            "target_duration",
            &archive.target_duration,
            "100ms",
            MIN_TARGET,
        );
        self.span("chunk_duration", &archive.chunk_duration, "10ms", MIN_CHUNK);
        let target = (archive.target_duration.as_ref()).map_or(DEFAULT_TARGET, |time| time.value.0);
        let chunk = archive.chunk_duration.as_ref();
        if let Some(chunk) = chunk.filter(|chunk| chunk.value.0 > target) {
            let help = "a segment is made of chunks: the default is `200ms`";
            self.wrong(
                chunk.referenced,
                "`chunk_duration` is longer than `target_duration`",
                help,
            );
        }
        let folder = |name: &Option<Spanned<String>>, default: &str| {
            name.as_ref()
                .map_or_else(|| default.to_owned(), |name| name.value.clone())
        };
        let (stream, variant) = (
            folder(&archive.stream, &key.value),
            folder(&archive.variant, "source"),
        );
        let place = (stream.clone(), variant.clone());
        if let Some(other) = self.recorded.insert(place, key.value.clone()) {
            let message =
                format!("the pipeline `{other}` records into `{stream}/{variant}` already");
            let help = "give one of them another `stream` or `variant`";
            self.wrong(output.referenced, &message, help);
        }
        match self.archive {
            Some(root) => Some(assemble::archive_sink(&root.root, &key.value, archive)),
            None => {
                if !self.archive_given {
                    self.wrong(
                        output.referenced,
                        "there is no archive to record into",
                        "add it at the top of the file: `archive: { root: ./archive }`",
                    );
                }
                None
            }
        }
    }

    fn kvs(
        &mut self,
        key: &Spanned<String>,
        output: &Spanned<yaml::Output>,
        kvs: Option<&yaml::KvsOutput>,
        found: &mut Outputs,
    ) {
        let by_default = yaml::KvsOutput::default();
        let kvs = kvs.unwrap_or(&by_default);
        let stream = kvs.stream.as_ref().unwrap_or(key);
        if !is_stream_name(&stream.value) {
            let message = "Kinesis Video Streams does not take this stream name";
            let help = "up to 256 letters, digits and `_.-`; `stream: NAME` gives another";
            self.wrong(stream.referenced, message, help);
        }
        let session = match &kvs.credentials {
            Some(name) => self.aws_session(name).map(str::to_owned),
            None => found
                .session
                .clone()
                .or_else(|| Some(DEFAULT_SESSION.to_owned())),
        };
        if let (Some(session), Some(other)) = (&session, &found.session)
            && session != other
        {
            let at = kvs
                .credentials
                .as_ref()
                .map_or(output.referenced, |name| name.referenced);
            let message = format!("this pipeline uses the session `{other}` already");
            let help = "all that one pipeline sends to AWS goes under one session: \
                        another pipeline can use another";
            self.wrong(at, &message, help);
        }
        let retention_hours = kvs.retention.as_ref().and_then(|time| self.retention(time));
        if !kvs.create {
            let key = kvs.kms_key.as_ref().map(|key| ("kms_key", key.referenced));
            let tags = kvs.tags.as_ref().map(|tags| ("tags", tags.referenced));
            for (name, at) in key.into_iter().chain(tags) {
                let message = format!("`{name}` counts only for a stream that is made");
                self.wrong(at, &message, "add `create: true`, or take it away");
            }
        }
        let settings = session.as_ref().and_then(|name| self.sessions.get(name));
        let region = (kvs.region.as_ref().map(|region| region.value.clone()))
            .or_else(|| settings.and_then(|session| session.settings.region.clone()));
        found.views.push(Kvs {
            stream: stream.value.clone(),
            region,
            retention_hours,
            create: kvs.create,
            kms_key: kvs.kms_key.as_ref().map(|key| key.value.clone()),
            tags: kvs.tags.as_ref().map_or_else(BTreeMap::new, |tags| {
                let tags = tags.value.iter();
                tags.map(|(name, value)| (name.clone(), value.value.clone()))
                    .collect()
            }),
        });
        found.session = session.or(found.session.take());
    }

    fn retention(&mut self, time: &Spanned<Time>) -> Option<u32> {
        let hours = time.value.0.as_secs() / HOUR.as_secs();
        let whole = time.value.0.as_nanos().is_multiple_of(HOUR.as_nanos());
        if !whole || hours > MAX_RETENTION_HOURS {
            let message = "Kinesis Video Streams keeps whole hours, up to ten years";
            self.wrong(time.referenced, message, "such as `24h` or `7d`");
            return None;
        }
        u32::try_from(hours).ok()
    }

    /// The session of this name, which must give credentials for AWS.
    pub(super) fn aws_session<'n>(&mut self, name: &'n Spanned<String>) -> Option<&'n str> {
        match self.sessions.get(&name.value) {
            Some(session) if !session.gives_tokens() => Some(&name.value),
            Some(_) => {
                let message = format!("the session `{}` gives an access token", name.value);
                let help = "what is wanted here are credentials for AWS";
                self.wrong(name.referenced, &message, help);
                None
            }
            // What is wrong with it is said where it stands.
            None if self.session_names.contains(&name.value.as_str()) => Some(&name.value),
            None => {
                let message = format!("there is no session `{}`", name.value);
                let help = suggestion(&name.value, "sessions", self.session_names.iter().copied());
                let add = || {
                    format!(
                        "add it: `credentials: {{ {}: {{ aws: {{}} }} }}`",
                        name.value
                    )
                };
                self.wrong(name.referenced, &message, &help.unwrap_or_else(add));
                None
            }
        }
    }
}

/// Kinesis Video Streams, CreateStream, StreamName.
fn is_stream_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=256).contains(&name.len()) && name.chars().all(allowed)
}
