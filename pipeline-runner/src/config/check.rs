// SPDX-License-Identifier: MPL-2.0
//! What a type cannot say: names that become folders, ranges, and what goes with what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_saphyr::{Location, Spanned};

use super::outputs::Outputs;
use super::problem::{Problem, Source};
use super::units::Time;
use super::{
    Archive, Build, Credentials, Pipeline, Policy, Restart, Retention, address, assemble, tokens,
    yaml,
};

/// The longest name of a folder on Linux file systems.
const MAX_NAME_BYTES: usize = 255;
/// The longest that `archivesink` takes for segments and chunks.
const MAX_SPAN: Duration = Duration::from_secs(3600);
/// The longest time that any setting takes.
const MAX_TIME: Duration = Duration::from_secs(100 * 365 * 86400);

/// Where the parts of a pipeline stand in the file, for what is found out about them later.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The text of `launch:`, or the mapping of `source:`.
    pub text: Range<usize>,
}

/// The archive, checked.
pub(super) fn archive(source: &Source, archive: yaml::Archive) -> Result<Archive, Problem> {
    if archive.root.value.as_os_str().is_empty() {
        let at = source.range(archive.root.referenced);
        return Err(Problem::new(at, "the archive's root is empty")
            .help("name a folder, such as `./archive`"));
    }
    if let Some((message, help)) = bad_root(&archive.root.value) {
        let at = source.range(archive.root.referenced);
        return Err(Problem::new(at, message).help(help));
    }
    let retention = archive.retention;
    Ok(Archive {
        root: archive.root.value,
        require_mount: archive.require_mount,
        retention: Retention {
            age: retention.age.map(|age| age.0),
            bytes: retention.bytes.map(|bytes| bytes.0),
            min_free: retention.min_free.map(|bytes| bytes.0),
        },
    })
}

/// Why nothing can be recorded below this root. One that is not there yet is made.
fn bad_root(root: &Path) -> Option<(String, &'static str)> {
    let named = root.display();
    if root.is_dir() {
        return None;
    }
    if root.exists() {
        let message = format!("the archive's root `{named}` is not a folder");
        return Some((message, "name a folder, or one that can be made"));
    }
    let target = root.read_link().ok()?;
    let message = format!(
        "the archive's root `{named}` is a link to `{}`, which is not there",
        target.display()
    );
    Some((message, "is the disk mounted? else make that folder"))
}

/// Checks the pipelines of one file.
pub(super) struct Checker<'a> {
    pub source: &'a Source,
    pub archive: Option<&'a Archive>,
    /// Whether the file has an `archive:` at all, be it wrong.
    pub archive_given: bool,
    /// The sessions that are right, and the names of all.
    pub sessions: &'a BTreeMap<String, Credentials>,
    pub session_names: Vec<&'a str>,
    /// Which pipeline records into a stream and variant.
    pub recorded: BTreeMap<(String, String), String>,
    pub problems: Vec<Problem>,
}

impl Checker<'_> {
    /// A pipeline, and where its parts stand; nothing if something is wrong with it.
    pub(super) fn pipeline(
        &mut self,
        key: &Spanned<String>,
        pipeline: &yaml::Pipeline,
    ) -> Option<(Pipeline, Origin)> {
        let before = self.problems.len();
        self.name("pipeline", key);
        let session = pipeline.credentials.as_ref();
        let session = session.and_then(|name| self.aws_session(name));
        let outputs = self.outputs(key, pipeline, session);
        let built = self.build(key, pipeline, outputs.as_ref());
        let restart_given = &pipeline.restart;
        let restart = Restart {
            policy: Policy::Always,
            initial: self.time(&restart_given.initial, 1),
            max: self.time(&restart_given.max, 30),
            reset_after: self.time(&restart_given.reset_after, 60),
        };
        if restart.initial > restart.max
            && let Some(at) = restart_given
                .initial
                .as_ref()
                .or(restart_given.max.as_ref())
        {
            self.wrong(
                at.referenced,
                "`restart.initial` is longer than `restart.max`",
                "",
            );
        }
        let stall_timeout = self.time(&pipeline.stall_timeout, 10);
        let start_timeout = self.time(&pipeline.start_timeout, 20);
        let (build, origin, live, policy) = built?;
        let outputs = outputs.unwrap_or_default();
        let live = pipeline.live.unwrap_or(live);
        let policy = policy.or(restart_given.policy).unwrap_or(if live {
            Policy::Always
        } else {
            Policy::OnFailure
        });
        (self.problems.len() == before).then(|| {
            let checked = Pipeline {
                name: key.value.clone(),
                build,
                live,
                restart: Restart { policy, ..restart },
                stall_timeout,
                start_timeout,
                environment: environment(pipeline),
                aws_environment: session.is_none() && assemble::looks_for_aws(pipeline),
                credentials: outputs.session.or_else(|| session.map(str::to_owned)),
                tokens: wanted_tokens(pipeline),
                views: outputs.views,
            };
            (checked, origin)
        })
    }

    fn build(
        &mut self,
        key: &Spanned<String>,
        pipeline: &yaml::Pipeline,
        outputs: Option<&Outputs>,
    ) -> Option<(Build, Origin, bool, Option<Policy>)> {
        let origin = |at: Location| Origin {
            text: self.source.range(at),
        };
        match (&pipeline.launch, &pipeline.source) {
            (Some(launch), None) => {
                let origin = origin(launch.defined);
                self.launch(launch, pipeline);
                let live = !assemble::ends_by_itself(&launch.value);
                let (_, text) = tokens::marked(launch.value.trim());
                Some((Build::Launch(text), origin, live, None))
            }
            (None, Some(source)) => {
                let origin = origin(source.defined);
                self.source_settings(&source.value);
                let build = assemble::build(&source.value, outputs?);
                let again = matches!(&source.value, yaml::Source::File(file) if file.again);
                let policy = again.then_some(Policy::Always);
                Some((build, origin, assemble::is_live(&source.value), policy))
            }
            (Some(_), Some(source)) => {
                self.wrong(
                    source.referenced,
                    "a pipeline has either `launch` or `source`, this one has both",
                    "keep one of them",
                );
                None
            }
            (None, None) => {
                self.wrong(
                    key.referenced,
                    &format!(
                        "the pipeline `{}` has neither `source` nor `launch`",
                        key.value
                    ),
                    "give it `source: { rtsp: { uri: … } }` and `outputs`, or a `launch:` line",
                );
                None
            }
        }
    }

    fn launch(&mut self, launch: &Spanned<String>, pipeline: &yaml::Pipeline) {
        if launch.value.trim().is_empty() {
            let help = "write it as for gst-launch-1.0: `videotestsrc ! fakesink`";
            self.wrong(launch.referenced, "`launch` is empty", help);
        }
        if let Some(outputs) = &pipeline.outputs {
            self.wrong(
                outputs.referenced,
                "`outputs` goes with `source`, and this pipeline has `launch`",
                "put the sinks into the `launch:` line, or use `source:`",
            );
        }
    }

    fn source_settings(&mut self, source: &yaml::Source) {
        match source {
            yaml::Source::Rtsp(rtsp) => self.rtsp(rtsp),
            yaml::Source::File(file) => {
                if !file.path.value.is_file() {
                    let message = format!("there is no file `{}`", file.path.value.display());
                    let help = "a relative path starts at the current directory";
                    self.wrong(file.path.referenced, &message, help);
                }
            }
            yaml::Source::Uri(uri) => {
                self.one_line(&uri.uri);
                if !uri.uri.value.contains(':') {
                    let help = "it begins with a scheme: `https://…`, `srt://…`, `file:///…`";
                    self.wrong(uri.uri.referenced, "this is no URI", help);
                }
                self.address(&uri.uri);
                self.headers(uri);
            }
            yaml::Source::Test(test) => self.test(test),
        }
    }

    fn rtsp(&mut self, rtsp: &yaml::Rtsp) {
        let secrets = rtsp.user.iter().chain(&rtsp.password);
        for text in secrets.chain([&rtsp.uri]) {
            self.one_line(text);
        }
        let uri = rtsp.uri.value.to_ascii_lowercase();
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", &uri));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        if !scheme.starts_with("rtsp") {
            let help =
                "it begins with `rtsp://` or `rtsps://`; other URIs go to `source: { uri: … }`";
            self.wrong(rtsp.uri.referenced, "this is no RTSP URI", help);
        } else if host.is_empty() {
            let help = "write it as `rtsp://camera.example/stream`";
            self.wrong(rtsp.uri.referenced, "this RTSP URI names no host", help);
        } else {
            self.address(&rtsp.uri);
        }
        self.time(&rtsp.latency, 0);
    }

    fn address(&mut self, uri: &Spanned<String>) {
        if let Some((message, help)) = address::complaint(&uri.value) {
            self.wrong(uri.referenced, &format!("in this URI {message}"), help);
        }
    }

    /// A line break or the like in a value comes from a variable that holds more than it should.
    fn one_line(&mut self, text: &Spanned<String>) {
        if text.value.chars().any(char::is_control) {
            let help = "a variable in it may hold a line break";
            self.wrong(
                text.referenced,
                "this value contains a control character",
                help,
            );
        }
    }

    /// RFC 9110, 5.1 and 5.5.
    fn headers(&mut self, uri: &yaml::Uri) {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let http = uri.uri.value.to_ascii_lowercase().starts_with("http");
        for (name, value) in &uri.headers {
            if name.is_empty() || !name.chars().all(token) {
                let message = format!("`{}` is no name of a header", name.escape_debug());
                self.wrong(value.referenced, &message, "such as `Authorization`");
            }
            if !http {
                let help = "they are sent with `http://` and `https://`";
                self.wrong(value.referenced, "this URI takes no headers", help);
            }
            self.one_line(value);
        }
    }

    fn test(&mut self, test: &yaml::Test) {
        self.within("width", &test.width, 16, 7680);
        self.within("height", &test.height, 16, 4320);
        self.within("bitrate_kbit", &test.bitrate_kbit, 10, 1_000_000);
        self.within("tone_hz", &test.tone_hz, 20, 20_000);
        for (name, size) in [("width", &test.width), ("height", &test.height)] {
            if size.value % 2 == 1 {
                let message = format!("`{name}` is odd: H.264 wants even sizes");
                self.wrong(
                    size.referenced,
                    &message,
                    &format!("try {}", size.value + 1),
                );
            }
        }
        let interval = &test.keyframe_interval;
        if interval.value.0.is_zero() || interval.value.0 > Duration::from_secs(600) {
            let message = "`keyframe_interval` is outside of what is sensible";
            self.wrong(interval.referenced, message, "between one frame and `10m`");
        }
    }

    fn within(&mut self, what: &str, value: &Spanned<u32>, least: u32, most: u32) {
        if !(least..=most).contains(&value.value) {
            let message = format!("`{what}` is {}", value.value);
            let help = format!("it goes from {least} to {most}");
            self.wrong(value.referenced, &message, &help);
        }
    }

    /// A time that `archivesink` takes, if it is given: from `least` to an hour.
    pub(super) fn span(
        &mut self,
        what: &str,
        time: &Option<Spanned<Time>>,
        least: &str,
        minimum: Duration,
    ) {
        if let Some(time) = time
            && !(minimum..=MAX_SPAN).contains(&time.value.0)
        {
            let message = format!("`{what}` is out of range");
            let help = format!("it goes from `{least}` to `1h`");
            self.wrong(time.referenced, &message, &help);
        }
    }

    /// A time, which must not be zero if it is given; `default_seconds` if not.
    fn time(&mut self, time: &Option<Spanned<Time>>, default_seconds: u64) -> Duration {
        match time {
            Some(time) if time.value.0.is_zero() => {
                self.wrong(time.referenced, "this time is zero", "such as `2s`");
                Duration::from_secs(default_seconds)
            }
            Some(time) if time.value.0 > MAX_TIME => {
                self.wrong(time.referenced, "this time is longer than a century", "");
                Duration::from_secs(default_seconds)
            }
            Some(time) => time.value.0,
            None => Duration::from_secs(default_seconds),
        }
    }

    /// Names become folders of the archive.
    pub(super) fn name(&mut self, what: &str, name: &Spanned<String>) {
        if let Some(why) = bad_name(&name.value) {
            let message = format!("the {what} name `{}` {why}", name.value.escape_debug());
            let help = "names become folders: letters, digits, `-` and `_` are always right";
            self.wrong(name.referenced, &message, help);
        }
    }

    pub(super) fn wrong(&mut self, at: Location, message: &str, help: &str) {
        let problem = Problem::new(self.source.range(at), message);
        self.problems.push(match help {
            "" => problem,
            help => problem.help(help),
        });
    }
}

/// What a burned-in clock needs: `clockoverlay` shows the time zone of its process.
fn environment(pipeline: &yaml::Pipeline) -> BTreeMap<String, String> {
    let source = pipeline.source.as_ref().map(|source| &source.value);
    let clock = matches!(source, Some(yaml::Source::Test(test)) if test.clock);
    let utc = clock.then(|| ("TZ".to_owned(), "UTC".to_owned()));
    utc.into_iter().collect()
}

/// The sessions whose access tokens a pipeline wants.
fn wanted_tokens(pipeline: &yaml::Pipeline) -> BTreeSet<String> {
    let mut texts: Vec<&Spanned<String>> = pipeline.launch.iter().collect();
    match pipeline.source.as_ref().map(|source| &source.value) {
        Some(yaml::Source::Uri(uri)) => {
            texts.push(&uri.uri);
            texts.extend(uri.headers.values());
        }
        Some(yaml::Source::Rtsp(rtsp)) => {
            texts.push(&rtsp.uri);
            texts.extend(rtsp.user.iter().chain(&rtsp.password));
        }
        _ => {}
    }
    let names = texts.into_iter().map(|text| tokens::marked(&text.value).0);
    names.flatten().collect()
}

/// Why a name can be no folder's.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("is empty")
    } else if name.contains('/') {
        Some("contains `/`")
    } else if name.starts_with('.') {
        Some("begins with `.`")
    } else if name.chars().any(char::is_control) {
        Some("contains a control character")
    } else if name.len() > MAX_NAME_BYTES {
        Some("is longer than 255 bytes")
    } else {
        None
    }
}
