// SPDX-License-Identifier: MPL-2.0
//! The shape of the YAML: what keys there are and what they take.
//!
//! Steps are externally tagged (`- archive: {…}`): with an inner tag the reader could point only
//! at the start of the mapping, not at the key that is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::units::{Bytes, Framerate, Time};
use super::{Policy, Tracks};

/// Keys of a file, in the order in which they are suggested.
pub(super) const TOP_LEVEL: [&str; 3] = ["archive", "credentials", "pipelines"];
/// Keys that the design has and this version does not.
pub(super) const LATER_TOP_LEVEL: [&str; 1] = ["http"];

/// `archive:`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Archive {
    pub root: Spanned<PathBuf>,
    #[serde(default)]
    pub require_mount: bool,
    #[serde(default)]
    pub retention: Retention,
}

/// `archive: retention:`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub age: Option<Time>,
    pub bytes: Option<Bytes>,
    pub min_free: Option<Bytes>,
}

/// One of `pipelines:`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pipeline {
    pub launch: Option<Spanned<String>>,
    pub source: Option<Spanned<Source>>,
    pub outputs: Option<Spanned<Vec<Spanned<Output>>>>,
    pub credentials: Option<Spanned<String>>,
    pub live: Option<bool>,
    #[serde(default)]
    pub restart: Restart,
    pub stall_timeout: Option<Spanned<Time>>,
    pub start_timeout: Option<Spanned<Time>>,
}

/// `restart:`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    pub policy: Option<Policy>,
    pub initial: Option<Spanned<Time>>,
    pub max: Option<Spanned<Time>>,
    pub reset_after: Option<Spanned<Time>>,
}

/// `source:`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Rtsp(Rtsp),
    File(File),
    Test(Test),
    Uri(Uri),
}

/// `source: rtsp:`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rtsp {
    pub uri: Spanned<String>,
    pub user: Option<Spanned<String>>,
    pub password: Option<Spanned<String>>,
    #[serde(default)]
    pub protocols: Protocols,
    pub latency: Option<Spanned<Time>>,
    #[serde(default)]
    pub tracks: Tracks,
}

/// How RTP travels.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocols {
    /// Inside the RTSP connection: nothing is lost on the way.
    #[default]
    Tcp,
    /// Packets of their own.
    Udp,
    /// Whatever the camera agrees to, UDP first.
    Auto,
}

/// `source: file:`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub path: Spanned<PathBuf>,
    #[serde(default, rename = "loop")]
    pub again: bool,
    #[serde(default)]
    pub tracks: Tracks,
}

/// `source: uri:`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Uri {
    pub uri: Spanned<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub tracks: Tracks,
}

/// `source: test:`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Test {
    pub width: Spanned<u32>,
    pub height: Spanned<u32>,
    pub framerate: Framerate,
    pub bitrate_kbit: Spanned<u32>,
    pub keyframe_interval: Spanned<Time>,
    pub pattern: Pattern,
    pub clock: bool,
    pub audio: bool,
    pub tone_hz: Spanned<u32>,
    pub live: bool,
}

/// What the test picture shows: patterns of `videotestsrc`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pattern {
    #[default]
    Smpte,
    Smpte75,
    Smpte100,
    Ball,
    Bar,
    Black,
    Blink,
    Circular,
    Colors,
    Gradient,
    Pinwheel,
    Snow,
    Spokes,
    White,
}

/// One of `outputs:`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Output {
    /// `- archive: {…}`, or `- archive` alone: all by default.
    Archive(Option<ArchiveOutput>),
    /// `- kvs: {…}`, or `- kvs` alone.
    Kvs(Option<KvsOutput>),
}

/// `- kvs:`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KvsOutput {
    pub stream: Option<Spanned<String>>,
    pub credentials: Option<Spanned<String>>,
    pub region: Option<Spanned<String>>,
    pub retention: Option<Spanned<Time>>,
    #[serde(default)]
    pub create: bool,
    pub kms_key: Option<Spanned<String>>,
    pub tags: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
}

/// `- archive:`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArchiveOutput {
    pub stream: Option<Spanned<String>>,
    pub variant: Option<Spanned<String>>,
    pub container: Option<Container>,
    pub target_duration: Option<Spanned<Time>>,
    pub chunk_duration: Option<Spanned<Time>>,
    pub align: Option<bool>,
    pub time_source: Option<TimeSource>,
    pub max_clock_offset: Option<Spanned<Time>>,
    pub fsync: Option<Fsync>,
}

/// `container:`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Container {
    Mp4,
    Mpegts,
}

/// `time_source:`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeSource {
    Auto,
    Reference,
    Clock,
}

/// `fsync:`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fsync {
    Never,
    Segment,
    Chunk,
}
