// SPDX-License-Identifier: MPL-2.0
//! One run of a view: the stream of Kinesis Video Streams is there, then
//! `appsrc ! queue ! parser ! awscreds ! kvssink` plays until it fails or is to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst_app::AppSrc;

use super::View;
use crate::config::Kvs;
use crate::kinesis::{self, Done};
use crate::worker::bus::{self, Meaning};
use crate::worker::closing;
use crate::worker::protocol::{Failure, Level};

/// How often the view looks whether it is to stop.
const TICK: Duration = Duration::from_millis(200);
/// How much waits for a slow upload; then the oldest goes.
const WAITING_NS: u64 = 10_000_000_000;
const WAITING_BYTES: u64 = 64 << 20;
/// `kvssink` waits so long for the last acknowledgement when it stops; its default is two minutes.
const STOP_TIMEOUT_S: u32 = 3;
/// How long the way to NULL may take: the above, and what is left to do then.
const NULL_LIMIT: Duration = Duration::from_secs(6);
/// How long the last pictures may take after EOS.
const EOS_LIMIT: Duration = Duration::from_secs(4);
/// The service acknowledges every fragment. Where it has not for so long, though pictures go in,
/// `kvssink` is in a loop that it does not report.
const ACK_LIMIT: Duration = Duration::from_secs(90);

/// `kvssink` logs with log4cplus, by default everything, the session token included.
const LOG_CONFIG: &str = "log4cplus.rootLogger=ERROR, stderr\n\
    log4cplus.appender.stderr=log4cplus::ConsoleAppender\n\
    log4cplus.appender.stderr.logToStdErr=true\n\
    log4cplus.appender.stderr.layout=log4cplus::PatternLayout\n\
    log4cplus.appender.stderr.layout.ConversionPattern=%m%n\n";

impl View {
    /// Plays until the end, which is `Ok`, or a failure.
    pub(super) fn play(&self, caps: &gst::Caps) -> Result<(), Failure> {
        let region = region(&self.kvs, |name| std::env::var(name).ok())?;
        let done = kinesis::ensure(&self.kvs, &region).map_err(|error| error.failure())?;
        let said = match done {
            Done::Nothing => None,
            Done::Made => Some("the stream is made"),
            Done::KeepsLonger => Some("the stream keeps what it is sent longer now"),
        };
        if let Some(said) = said {
            let said = format!("kvs {}: {said}", self.kvs.stream);
            self.reporter.log(Level::Info, said);
        }
        let (pipeline, source) = self.build(caps, &region)?;
        self.keep_time(&pipeline);
        let acknowledged = acknowledgements(&pipeline);
        self.feed.open(&source);
        let end = match pipeline.set_state(gst::State::Playing) {
            Ok(_) => self.watch(&pipeline, &source, acknowledged.as_deref()),
            Err(_) => Err(first_error(&pipeline)),
        };
        self.feed.close();
        if !closing::to_null(&pipeline, NULL_LIMIT) {
            self.reporter.log(Level::Warn, "kvssink hung while closing");
            // Its destructors would hang as well.
            std::mem::forget(pipeline);
        }
        end
    }

    fn build(&self, caps: &gst::Caps, region: &str) -> Result<(gst::Pipeline, AppSrc), Failure> {
        let (parser, format) = parser(caps)?;
        let credentials = self.folder.join(format!("kvs-{}-credentials", self.index));
        let log_config = self
            .folder
            .join(format!("kvs-{}-log.properties", self.index));
        std::fs::write(&log_config, LOG_CONFIG)
            .map_err(|why| Failure::passing(format!("{}: {why}", log_config.display())))?;
        let source = AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .is_live(true)
            .max_bytes(WAITING_BYTES)
            .max_time(gst::ClockTime::from_nseconds(WAITING_NS))
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let format: gst::Caps = format
            .parse()
            .map_err(|_| Failure::definition("caps of a view"))?;
        let awscreds = make("awscreds")?;
        awscreds.set_property("credential-path", path(&credentials));
        let elements = [
            source.clone().upcast(),
            make("queue")?,
            make(parser)?,
            gst::ElementFactory::make("capsfilter")
                .property("caps", format)
                .build()
                .map_err(|error| Failure::definition(error.to_string()))?,
            awscreds,
            self.sink(region, &credentials, &log_config)?,
        ];
        let pipeline = gst::Pipeline::new();
        pipeline
            .add_many(&elements)
            .and_then(|()| gst::Element::link_many(&elements))
            .map_err(|error| Failure::definition(error.to_string()))?;
        Ok((pipeline, source))
    }

    fn sink(&self, region: &str, credentials: &Path, log: &Path) -> Result<gst::Element, Failure> {
        let sink = make("kvssink")?;
        let hours = self.kvs.retention_hours.map(|hours| hours.to_string());
        let stop_timeout = STOP_TIMEOUT_S.to_string();
        for (property, value) in [
            ("stream-name", Some(self.kvs.stream.as_str())),
            ("aws-region", Some(region)),
            ("credential-path", Some(&path(credentials))),
            ("log-config", Some(&path(log))),
            ("stop-stream-timeout", Some(&stop_timeout)),
            ("retention-period", hours.as_deref()),
            // The stream is there, or was to be made: by us, with all that was asked for.
            ("allow-create-stream", Some("false")),
        ] {
            // Versions differ in what can be set.
            if let Some(value) = value.filter(|_| sink.find_property(property).is_some()) {
                sink.set_property_from_str(property, value);
            }
        }
        Ok(sink)
    }

    /// The view's clock and times are the recording's.
    fn keep_time(&self, pipeline: &gst::Pipeline) {
        let Some(main) = self.main.upgrade() else {
            return;
        };
        pipeline.use_clock(main.clock().as_ref());
        pipeline.set_start_time(gst::ClockTime::NONE);
        if let Some(base) = main.base_time() {
            pipeline.set_base_time(base);
        }
    }

    fn watch(
        &self,
        pipeline: &gst::Pipeline,
        source: &AppSrc,
        acknowledged: Option<&AtomicU64>,
    ) -> Result<(), Failure> {
        let Some(bus) = pipeline.bus() else {
            return Err(Failure::passing("the view has no bus"));
        };
        let (mut count, mut since) = (0, Instant::now());
        let mut stopping: Option<Instant> = None;
        loop {
            let message = bus.timed_pop(gst::ClockTime::from_mseconds(TICK.as_millis() as u64));
            match message.map(|message| bus::meaning(pipeline, &message)) {
                Some(Meaning::Failed(failure)) => return Err(failure),
                Some(Meaning::Eos) => return Ok(()),
                Some(Meaning::Report(event)) => self.reporter.send(&event),
                _ => {}
            }
            let now = Instant::now();
            match stopping {
                Some(asked) if now >= asked + EOS_LIMIT => return Ok(()),
                Some(_) => {}
                None if self.is_to_stop() => {
                    stopping = Some(now);
                    let _ = source.end_of_stream();
                }
                None => {}
            }
            if let Some(acknowledged) = acknowledged {
                let seen = acknowledged.load(Relaxed);
                if seen != count {
                    (count, since) = (seen, now);
                }
                if now.saturating_duration_since(since) >= ACK_LIMIT {
                    let message = format!("nothing was acknowledged for {ACK_LIMIT:?}");
                    return Err(Failure::passing(message));
                }
            }
        }
    }
}

/// Counts the service's acknowledgements, where the sink tells of them.
fn acknowledgements(pipeline: &gst::Pipeline) -> Option<Arc<AtomicU64>> {
    let of_kvssink = |element: &gst::Element| {
        glib::subclass::SignalId::lookup("fragment-ack", element.type_()).is_some()
    };
    let sink = pipeline.children().into_iter().find(of_kvssink)?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    sink.connect("fragment-ack", false, move |_| {
        counted.fetch_add(1, Relaxed);
        None
    });
    Some(count)
}

/// Where the stream is: as the definition says, else as the environment does.
fn region(kvs: &Kvs, variable: impl Fn(&str) -> Option<String>) -> Result<String, Failure> {
    let environment = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    kvs.region.clone().or_else(environment).ok_or_else(|| {
        Failure::definition(
            "no AWS region: give `region` to the output or to its session, or set AWS_REGION",
        )
    })
}

/// The parser, and the form of the stream that `kvssink` takes.
fn parser(caps: &gst::Caps) -> Result<(&'static str, &'static str), Failure> {
    let name = caps.structure(0).map(|structure| structure.name().as_str());
    match name {
        Some("video/x-h264") => Ok(("h264parse", "video/x-h264,stream-format=avc,alignment=au")),
        Some("video/x-h265") => Ok(("h265parse", "video/x-h265,stream-format=hvc1,alignment=au")),
        other => Err(Failure::definition(format!(
            "kvssink takes H.264 and H.265, not {}",
            other.unwrap_or("this")
        ))),
    }
}

/// Why the state change failed: an element has said so on the bus.
fn first_error(pipeline: &gst::Pipeline) -> Failure {
    let message = pipeline
        .bus()
        .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    match message.map(|message| bus::meaning(pipeline, &message)) {
        Some(Meaning::Failed(failure)) => failure,
        _ => Failure::passing("it refused to start, and no element said why"),
    }
}

fn make(factory: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|error| Failure::definition(error.to_string()))
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kvs(region: Option<&str>) -> Kvs {
        Kvs {
            stream: "door".to_owned(),
            region: region.map(str::to_owned),
            retention_hours: None,
            create: false,
            kms_key: None,
            tags: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn the_region_is_the_definitions_or_the_environments_and_never_guessed() {
        let environment = |name: &str| (name == "AWS_REGION").then(|| "eu-west-1".to_owned());
        let found = |given| region(&kvs(given), environment).ok();
        assert_eq!(found(Some("us-east-1")).as_deref(), Some("us-east-1"));
        assert_eq!(found(None).as_deref(), Some("eu-west-1"));
        assert!(region(&kvs(None), |_| None).is_err());
    }

    #[test]
    fn a_codec_that_kvssink_does_not_take_is_named() {
        gst::init().unwrap();
        let caps = gst::Caps::new_empty_simple("video/x-vp9");
        let said = parser(&caps).unwrap_err().message;
        assert!(said.contains("video/x-vp9"), "{said}");
        let caps = gst::Caps::new_empty_simple("video/x-h265");
        assert_eq!(parser(&caps).map(|found| found.0), Ok("h265parse"));
    }
}
