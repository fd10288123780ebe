// SPDX-License-Identifier: MPL-2.0
//! The properties as GObject sees them: names, texts, and the way to [`Settings`].

use gst::glib;
use gst::prelude::*;

use super::settings::{self, Settings, Type};

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
    vec![
        text("location", "Location", "Root folder of the archive", None),
        text("stream", "Stream", "Name of the stream: the folder below the root", None),
        text(
            "variant",
            "Variant",
            "Name of the variant of the stream: the folder below the stream's",
            Some(settings::DEFAULT_VARIANT),
        ),
        text(
            "start",
            "Start",
            "The first moment of the range (RFC 3339; without an offset it is UTC)",
            None,
        ),
        text(
            "stop",
            "Stop",
            "The first moment after the range (RFC 3339; without an offset it is UTC)",
            None,
        ),
        glib::ParamSpecEnum::builder_with_default("type", Type::default())
            .nick("Type")
            .blurb("How the range is cut")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("allow-holes")
            .nick("Allow holes")
            .blurb("Play what there is where something of the range is missing, instead of an error that says what is")
            .default_value(false)
            .mutable_ready()
            .build(),
    ]
}

impl Settings {
    /// Sets the property of this name.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
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
            "start" => self.start = value.get().expect("type checked upstream"),
            "stop" => self.stop = value.get().expect("type checked upstream"),
            "type" => self.kind = value.get().expect("type checked upstream"),
            "allow-holes" => self.allow_holes = value.get().expect("type checked upstream"),
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
            "start" => self.start.to_value(),
            "stop" => self.stop.to_value(),
            "type" => self.kind.to_value(),
            "allow-holes" => self.allow_holes.to_value(),
            _ => unimplemented!(),
        }
    }
}
