// SPDX-License-Identifier: MPL-2.0
//! The properties as GObject sees them: names, texts, limits, and the way to [`Settings`].

use gst::glib;
use gst::prelude::*;

use super::settings::{self, Container, Fsync, Settings, TimeSource};

/// All of them.
pub fn all() -> Vec<glib::ParamSpec> {
    let text = |name: &str, nick: &str, blurb: &str, default: Option<&str>| {
        glib::ParamSpecString::builder(name)
            .nick(nick)
            .blurb(blurb)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    let duration = |name: &str, nick: &str, blurb: &str, least: u64, default: u64| {
        glib::ParamSpecUInt64::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(least)
            .maximum(settings::MOST_DURATION_NS)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        text("location", "Location", "Root folder of the archive", None),
        text("stream", "Stream", "Name of the stream: the folder below the root", None),
        text(
            "variant",
            "Variant",
            "Name of the variant of the stream: the folder below the stream's",
            Some(settings::DEFAULT_VARIANT),
        ),
        glib::ParamSpecEnum::builder_with_default("container", Container::default())
            .nick("Container")
            .blurb("What a segment file is")
            .mutable_ready()
            .build(),
        duration(
            "target-duration",
            "Target duration",
            "How long a segment is, in nanoseconds, as near as keyframes allow",
            100_000_000,
            settings::DEFAULT_TARGET_DURATION_NS,
        ),
        duration(
            "chunk-duration",
            "Chunk duration",
            "How much a growing segment gains at a time, in nanoseconds: the most a crash loses",
            10_000_000,
            settings::DEFAULT_CHUNK_DURATION_NS,
        ),
        glib::ParamSpecBoolean::builder("align")
            .nick("Align")
            .blurb("Segments start on multiples of the target duration in wall-clock time, as near as keyframes allow")
            .default_value(false)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("time-source", TimeSource::default())
            .nick("Time source")
            .blurb("Where the wall-clock time of frames comes from")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt64::builder("max-clock-offset")
            .nick("Maximum clock offset")
            .blurb("With time-source=auto, how far a source's clock may be from this machine's and be believed, in nanoseconds (0 = any distance)")
            .maximum(i64::MAX.unsigned_abs())
            .default_value(settings::DEFAULT_MAX_CLOCK_OFFSET_NS)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("fsync", Fsync::default())
            .nick("Fsync")
            .blurb("When a growing segment is forced to the disk")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Segments and bytes closed, frames late and dropped, clock drift, time source and why")
            .read_only()
            .build(),
    ]
}

impl Settings {
    /// Sets the property of this name.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        let duration = || {
            let ns: u64 = value.get().expect("type checked upstream");
            i64::try_from(ns).unwrap_or(i64::MAX)
        };
        match name {
            "location" => {
                let text: Option<String> = value.get().expect("type checked upstream");
                self.location = text.map(Into::into);
            }
            "stream" => self.stream = value.get().expect("type checked upstream"),
            "variant" => {
                let text: Option<String> = value.get().expect("type checked upstream");
                self.variant = text.unwrap_or_else(|| settings::DEFAULT_VARIANT.to_owned());
            }
            "container" => self.container = value.get().expect("type checked upstream"),
            "target-duration" => self.target_duration_ns = duration(),
            "chunk-duration" => self.chunk_duration_ns = duration(),
            "align" => self.align = value.get().expect("type checked upstream"),
            "time-source" => self.time_source = value.get().expect("type checked upstream"),
            "max-clock-offset" => self.max_clock_offset_ns = duration(),
            "fsync" => self.fsync = value.get().expect("type checked upstream"),
            _ => unimplemented!(),
        }
    }

    /// The value of the property of this name.
    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "location" => self
                .location
                .as_ref()
                .and_then(|path| path.to_str())
                .to_value(),
            "stream" => self.stream.to_value(),
            "variant" => self.variant.to_value(),
            "container" => self.container.to_value(),
            "target-duration" => self.target_duration_ns.unsigned_abs().to_value(),
            "chunk-duration" => self.chunk_duration_ns.unsigned_abs().to_value(),
            "align" => self.align.to_value(),
            "time-source" => self.time_source.to_value(),
            "max-clock-offset" => self.max_clock_offset_ns.unsigned_abs().to_value(),
            "fsync" => self.fsync.to_value(),
            _ => unimplemented!(),
        }
    }
}
