// SPDX-License-Identifier: MPL-2.0
//! What the user sets: the element's properties and their defaults.

use std::path::PathBuf;

use gst::glib;

/// How long a segment is, in nanoseconds, when keyframes allow.
pub const DEFAULT_TARGET_DURATION_NS: u64 = 2_000_000_000;
/// No duration here is longer than an hour: what one folder of the archive holds.
pub const MOST_DURATION_NS: u64 = 3_600_000_000_000;
/// How much a growing segment gains at a time: the most that a `kill -9` may lose.
pub const DEFAULT_CHUNK_DURATION_NS: u64 = 200_000_000;
/// How far a camera's clock may be from the machine's and be believed: a day, so that one with the
/// wrong time zone is, and one that was never set is not.
pub const DEFAULT_MAX_CLOCK_OFFSET_NS: u64 = 86_400_000_000_000;
/// The variant of a stream that came straight from its source.
pub const DEFAULT_VARIANT: &str = "source";

/// What a segment file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstArchiveSinkContainer")]
#[repr(i32)]
pub enum Container {
    /// Fragmented MP4: carries the UTC of every frame.
    #[default]
    #[enum_value(name = "Fragmented MP4", nick = "mp4")]
    Mp4,
    /// MPEG transport stream: neighbouring segments can be joined by `cat`.
    #[enum_value(name = "MPEG transport stream", nick = "mpegts")]
    MpegTs,
}

/// Where the wall-clock time of frames comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstArchiveSinkTimeSource")]
#[repr(i32)]
pub enum TimeSource {
    /// The frames' reference timestamps where there are any that can be believed, else the clock.
    #[default]
    #[enum_value(
        name = "Reference timestamps where there are any, else the clock",
        nick = "auto"
    )]
    Auto,
    /// The frames' reference timestamps; until the first one arrives, the clock.
    #[enum_value(
        name = "Reference timestamps (GstReferenceTimestampMeta)",
        nick = "reference"
    )]
    Reference,
    /// The pipeline clock mapped to UTC.
    #[enum_value(name = "Pipeline clock mapped to UTC", nick = "clock")]
    Clock,
}

/// When a growing segment is forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstArchiveSinkFsync")]
#[repr(i32)]
pub enum Fsync {
    /// When the kernel likes: a crash of the process loses nothing by it, a power cut may.
    #[default]
    #[enum_value(name = "Left to the kernel", nick = "never")]
    Never,
    /// When a segment closes, before it gets its final name.
    #[enum_value(name = "When a segment closes", nick = "segment")]
    Segment,
    /// After every chunk: a power cut loses no more than one.
    #[enum_value(name = "After every chunk", nick = "chunk")]
    Chunk,
}

/// The properties.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Root of the archive.
    pub location: Option<PathBuf>,
    /// Name of the stream.
    pub stream: Option<String>,
    /// Name of the variant.
    pub variant: String,
    /// What a segment file is.
    pub container: Container,
    /// How long a segment is when keyframes allow, in nanoseconds.
    pub target_duration_ns: i64,
    /// How much a growing segment gains at a time, in nanoseconds.
    pub chunk_duration_ns: i64,
    /// Segments start on multiples of the target in wall-clock time.
    pub align: bool,
    /// Where the wall-clock time of frames comes from.
    pub time_source: TimeSource,
    /// How far a camera's clock may be from the machine's, in nanoseconds; zero for any distance.
    pub max_clock_offset_ns: i64,
    /// When a growing segment is forced to the disk.
    pub fsync: Fsync,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            stream: None,
            variant: DEFAULT_VARIANT.to_owned(),
            container: Container::default(),
            target_duration_ns: DEFAULT_TARGET_DURATION_NS as i64,
            chunk_duration_ns: DEFAULT_CHUNK_DURATION_NS as i64,
            align: false,
            time_source: TimeSource::default(),
            max_clock_offset_ns: DEFAULT_MAX_CLOCK_OFFSET_NS as i64,
            fsync: Fsync::default(),
        }
    }
}
