// SPDX-License-Identifier: MPL-2.0
//! From the YAML's shape to what is run: sources and outputs become texts in the syntax of
//! `gst-launch-1.0`.
//!
//! Values are escaped on their way into a text, so that a password with a blank or a `!` in it
//! stays a password.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::launch::{elements, escaped};
use super::outputs::Outputs;
use super::yaml::{self, Container, Fsync, Pattern, Protocols, TimeSource};
use super::{Build, tokens, view_sink};

/// The text of an `archivesink` for one output of the pipeline `stream`.
pub(super) fn archive_sink(root: &Path, pipeline: &str, output: &yaml::ArchiveOutput) -> String {
    let stream = output
        .stream
        .as_ref()
        .map_or(pipeline, |stream| &stream.value);
    let variant = output
        .variant
        .as_ref()
        .map_or("source", |variant| &variant.value);
    let mut text = format!(
        "archivesink name=archive location={} stream={} variant={}",
        escaped(&root.to_string_lossy()),
        escaped(stream),
        escaped(variant)
    );
    let mut set = |property: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, " {property}={value}");
        }
    };
    let nanoseconds =
        |time: &serde_saphyr::Spanned<super::units::Time>| time.value.0.as_nanos().to_string();
    set(
        "container",
        output
            .container
            .map(|container| container.nick().to_owned()),
    );
    set(
        "target-duration",
        output.target_duration.as_ref().map(nanoseconds),
    );
    set(
        "chunk-duration",
        output.chunk_duration.as_ref().map(nanoseconds),
    );
    set("align", output.align.map(|align| align.to_string()));
    set(
        "time-source",
        output.time_source.map(|source| source.nick().to_owned()),
    );
    set(
        "max-clock-offset",
        output.max_clock_offset.as_ref().map(nanoseconds),
    );
    set("fsync", output.fsync.map(|fsync| fsync.nick().to_owned()));
    text
}

/// What to build for a source that records, and shows what it records elsewhere.
pub(super) fn build(source: &yaml::Source, outputs: &Outputs) -> Build {
    let none = BTreeMap::new();
    let (source, headers, tracks, paced) = match source {
        yaml::Source::Test(test) => return Build::Launch(test_pipeline(test, outputs)),
        yaml::Source::Rtsp(rtsp) => (rtsp_source(rtsp), none, rtsp.tracks, false),
        yaml::Source::File(file) => (file_source(&file.path.value), none, file.tracks, true),
        yaml::Source::Uri(uri) => {
            let place = with_marks(&uri.uri.value);
            let text = format!("urisourcebin name=source uri={}", escaped(&place));
            let headers = uri.headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), with_marks(&value.value)));
            (text, headers.collect(), uri.tracks, is_file(&uri.uri.value))
        }
    };
    Build::Dynamic {
        source,
        headers,
        sink: outputs.archive.clone(),
        tracks,
        paced,
    }
}

fn with_marks(text: &str) -> String {
    tokens::marked(text).1
}

/// The text of the end of a view's branch. It takes no time and never waits, so that it can hang
/// on the stream that is recorded; what happens behind it is the view's own business.
pub fn view_branch(index: usize) -> String {
    format!(
        "appsink name={} sync=false async=false max-buffers=1 drop=true enable-last-sample=false \
         wait-on-eos=false",
        view_sink(index)
    )
}

/// Whether a `launch:` text names an element that finds AWS credentials in its environment.
pub(super) fn looks_for_aws(pipeline: &yaml::Pipeline) -> bool {
    let Some(launch) = &pipeline.launch else {
        return false;
    };
    let elements = elements(&launch.value);
    let mut names = elements.iter().map(|element| element.factory);
    names.any(|name| name.starts_with("aws") || name.starts_with("kvs") || name.starts_with("s3"))
}

/// Whether a source is live by its nature.
pub(super) fn is_live(source: &yaml::Source) -> bool {
    match source {
        yaml::Source::Rtsp(_) => true,
        yaml::Source::Test(test) => test.live,
        yaml::Source::File(_) => false,
        yaml::Source::Uri(uri) => !is_file(&uri.uri.value),
    }
}

/// Whether a `launch:` text reads what has an end, so that its end is no failure.
pub(super) fn ends_by_itself(launch: &str) -> bool {
    const FILES: [&str; 5] = [
        "filesrc",
        "multifilesrc",
        "splitfilesrc",
        "splitmuxsrc",
        "num-buffers=",
    ];
    FILES.iter().any(|name| launch.contains(name)) || launch.contains("uri=file:")
}

fn is_file(uri: &str) -> bool {
    uri.to_ascii_lowercase().starts_with("file:")
}

fn rtsp_source(rtsp: &yaml::Rtsp) -> String {
    let latency = rtsp
        .latency
        .as_ref()
        .map_or(RTSP_LATENCY, |latency| latency.value.0);
    let mut text = format!(
        // Unless synced, the first second's times are bent to an estimate of the camera's clock.
        "rtspsrc name=source location={} add-reference-timestamp-meta=true buffer-mode=synced latency={}",
        escaped(&with_marks(&rtsp.uri.value)),
        latency.as_millis()
    );
    match rtsp.protocols {
        Protocols::Tcp => text.push_str(" protocols=tcp"),
        Protocols::Udp => text.push_str(" protocols=udp"),
        Protocols::Auto => {}
    }
    for (property, value) in [("user-id", &rtsp.user), ("user-pw", &rtsp.password)] {
        if let Some(value) = value {
            let _ = write!(text, " {property}={}", escaped(&with_marks(&value.value)));
        }
    }
    text
}

/// How long packets wait for others that are late: no more than a chunk, since what waits here
/// is lost with the process.
const RTSP_LATENCY: Duration = Duration::from_millis(200);

fn file_source(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let uri = gst::glib::filename_to_uri(&absolute, None);
    let uri = uri.map_or_else(|_| format!("file://{}", absolute.display()), Into::into);
    format!("urisourcebin name=source uri={}", escaped(&uri))
}

/// A synthetic camera: a picture with the UTC clock in it and a tone, encoded as cameras do.
fn test_pipeline(test: &yaml::Test, outputs: &Outputs) -> String {
    let live = test.live;
    let rate = test.framerate;
    let per_second = f64::from(rate.frames) / f64::from(rate.seconds);
    let interval = test.keyframe_interval.value.0.as_secs_f64();
    // Both are checked to be small; a frame at least.
    let keyframe_frames = (interval * per_second).round().max(1.0) as u32;
    let clock = if test.clock { CLOCK } else { "" };
    let video = format!(
        "videotestsrc is-live={live} pattern={} \
         ! video/x-raw,format=I420,width={},height={},framerate={}/{} {clock}\
         ! x264enc tune=zerolatency speed-preset=veryfast bitrate={} key-int-max={keyframe_frames} \
         ! video/x-h264,profile=high ! h264parse ! queue{}",
        test.pattern.nick(),
        test.width.value,
        test.height.value,
        rate.frames,
        rate.seconds,
        test.bitrate_kbit.value,
        test_branches(outputs),
    );
    let audio = if test.audio && outputs.archive.is_some() {
        format!(
            " audiotestsrc is-live={live} freq={} volume=0.2 \
             ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=96000 ! aacparse \
             ! queue ! archive.audio_0",
            test.tone_hz.value
        )
    } else {
        String::new()
    };
    let sink = outputs.archive.as_deref().unwrap_or_default();
    format!("{video}{audio} {sink}").trim_end().to_owned()
}

/// Where the pictures of a synthetic camera go.
fn test_branches(outputs: &Outputs) -> String {
    let archive = outputs.archive.as_ref().map(|_| "archive.video".to_owned());
    let views = (0..outputs.views.len()).map(view_branch);
    let ends: Vec<String> = archive.into_iter().chain(views).collect();
    match ends.as_slice() {
        [only] => format!(" ! {only}"),
        ends => {
            let ends: Vec<String> = ends
                .iter()
                .map(|end| format!(" pictures. ! {end}"))
                .collect();
            format!(" ! tee name=pictures{}", ends.concat())
        }
    }
}

/// `clockoverlay` shows the time zone of its process: its worker runs with `TZ=UTC`.
const CLOCK: &str = "! clockoverlay time-format=\"%F %T %Z\" font-desc=\"Monospace 24\" \
                     halignment=left valignment=bottom shaded-background=true ";

impl Default for yaml::Test {
    fn default() -> Self {
        fn unplaced<T>(value: T) -> serde_saphyr::Spanned<T> {
            let nowhere = serde_saphyr::Location::UNKNOWN;
            serde_saphyr::Spanned::new(value, nowhere, nowhere)
        }
        Self {
            width: unplaced(1280),
            height: unplaced(720),
            framerate: super::units::Framerate {
                frames: 30,
                seconds: 1,
            },
            bitrate_kbit: unplaced(2000),
            keyframe_interval: unplaced(super::units::Time(Duration::from_secs(2))),
            pattern: Pattern::Smpte,
            clock: true,
            audio: true,
            tone_hz: unplaced(440),
            live: true,
        }
    }
}

impl Pattern {
    fn nick(self) -> &'static str {
        match self {
            Self::Smpte => "smpte",
            Self::Smpte75 => "smpte75",
            Self::Smpte100 => "smpte100",
            Self::Ball => "ball",
            Self::Bar => "bar",
            Self::Black => "black",
            Self::Blink => "blink",
            Self::Circular => "circular",
            Self::Colors => "colors",
            Self::Gradient => "gradient",
            Self::Pinwheel => "pinwheel",
            Self::Snow => "snow",
            Self::Spokes => "spokes",
            Self::White => "white",
        }
    }
}

impl Container {
    fn nick(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mpegts => "mpegts",
        }
    }
}

impl TimeSource {
    fn nick(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Reference => "reference",
            Self::Clock => "clock",
        }
    }
}

impl Fsync {
    fn nick(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Segment => "segment",
            Self::Chunk => "chunk",
        }
    }
}
