// SPDX-License-Identifier: MPL-2.0
//! Asks GStreamer about every element, property and value of a definition. Starts nothing: the
//! elements are made, set and dropped in the state NULL.
//!
//! GStreamer's parser stops at the first mistake and does not say where it is. So each word is
//! asked about by itself, at its place in the file; only a text without a mistake in its words
//! goes to GStreamer's parser, which then finds what is wrong between them.

use std::ops::Range;

use gst::glib;
use gst::prelude::*;

use super::check::Origin;
use super::launch::{Element, Property, elements};
use super::nearest::{listed, nearest, suggestion};
use super::problem::{Problem, Source};
use super::redact::is_secret;
use super::values;
use super::{Build, Pipeline, packages};

/// It is in no package: who wants it has to build it.
const NO_KVSSINK: &str = "it is in Amazon's Kinesis Video Streams Producer SDK for C++ \
    (github.com/awslabs/amazon-kinesis-video-streams-producer-sdk-cpp): build that with \
    `-DBUILD_GSTREAMER_PLUGIN=ON` and name the folder with libgstkvssink.so in `GST_PLUGIN_PATH`";

/// What is wrong with one pipeline's elements.
pub(super) fn pipeline(source: &Source, pipeline: &Pipeline, origin: &Origin) -> Vec<Problem> {
    match &pipeline.build {
        Build::Launch(text) => {
            let mut problems = Text::new(source, text, origin).check();
            let needed = needed_by_views(pipeline).into_iter();
            problems.extend(needed.filter_map(|name| unknown_element(name, origin.text.clone())));
            problems
        }
        Build::Dynamic {
            source: from,
            sink,
            paced,
            ..
        } => {
            let mut problems = Text::new(source, from, origin).check();
            if let Some(sink) = sink {
                problems.extend(Text::new(source, sink, origin).check());
            }
            let needed = needed(from, *paced).into_iter();
            let needed = needed.chain(needed_by_views(pipeline));
            problems.extend(needed.filter_map(|name| unknown_element(name, origin.text.clone())));
            let found = elements(from);
            let mut properties = found.iter().flat_map(|element| &element.properties);
            if let Some(uri) = properties.find(|property| property.name == "uri") {
                problems.extend(unknown_scheme(&uri.value(), origin.text.clone()));
            }
            problems
        }
    }
}

/// What the worker puts behind the pads of a source.
fn needed(source: &str, paced: bool) -> Vec<&'static str> {
    let mut names = vec!["parsebin", "queue"];
    if source.starts_with("rtspsrc") {
        names.extend(["rtph264depay", "h264parse"]);
    }
    if paced {
        names.push("clocksync");
    }
    names
}

/// What the worker builds for outputs other than the archive.
fn needed_by_views(pipeline: &Pipeline) -> Vec<&'static str> {
    match pipeline.views.as_slice() {
        [] => Vec::new(),
        _ => vec![
            "tee",
            "appsink",
            "appsrc",
            "queue",
            "h264parse",
            "awscreds",
            "kvssink",
        ],
    }
}

/// The problem with an element's name, if there is no such element.
fn unknown_element(name: &str, at: Range<usize>) -> Option<Problem> {
    if gst::ElementFactory::find(name).is_some() {
        return None;
    }
    if name == "kvssink" {
        return Some(Problem::new(at, "the element `kvssink` is not installed").help(NO_KVSSINK));
    }
    if let Some(package) = packages::package(name) {
        let message = format!("the element `{name}` is not installed");
        let help = format!("it is in the Debian package {package}: `apt install {package}`");
        return Some(Problem::new(at, message).help(help));
    }
    let installed = gst::Registry::get().features(gst::ElementFactory::static_type());
    let installed: Vec<glib::GString> = installed.iter().map(|feature| feature.name()).collect();
    let mut names: Vec<&str> = installed.iter().map(|name| name.as_str()).collect();
    names.extend(packages::elements().map(|(element, _)| element));
    names.sort_unstable();
    names.dedup();
    let near = nearest(name, names);
    let help = if near.is_empty() {
        "`gst-inspect-1.0` lists the elements that are installed".to_owned()
    } else {
        format!("did you mean {}?", near_elements(&near))
    };
    Some(Problem::new(at, format!("there is no element `{name}`")).help(help))
}

/// Names of elements; with its package for one that is not installed.
fn near_elements(names: &[&str]) -> String {
    let named: Vec<String> = (names.iter())
        .map(|name| match packages::package(name) {
            Some(package) if gst::ElementFactory::find(name).is_none() => {
                format!("`{name}` (Debian package {package})")
            }
            _ => format!("`{name}`"),
        })
        .collect();
    named.join(" or ")
}

/// A text of a pipeline and where it comes from.
struct Text<'a> {
    source: &'a Source,
    text: &'a str,
    /// The place in the file; the whole of it where a word does not stand there literally.
    place: Range<usize>,
}

impl<'a> Text<'a> {
    fn new(source: &'a Source, text: &'a str, origin: &Origin) -> Self {
        let place = origin.text.clone();
        Self {
            source,
            text,
            place,
        }
    }

    fn check(&self) -> Vec<Problem> {
        let found = elements(self.text);
        let problems: Vec<Problem> = found
            .iter()
            .flat_map(|element| self.element(element))
            .collect();
        if problems.is_empty() {
            self.parse(&found).into_iter().collect()
        } else {
            problems
        }
    }

    /// What is wrong with an element, its properties and their values.
    fn element(&self, element: &Element) -> Vec<Problem> {
        let at = self.locate(element.at, element.factory);
        if let Some(problem) = unknown_element(element.factory, at.clone()) {
            return vec![problem];
        }
        // A name of its own leaves the numbers to the names that GStreamer's parser gives.
        let made = gst::ElementFactory::make(element.factory).name("checked");
        match made.build() {
            Ok(made) => (element.properties.iter())
                .filter_map(|property| self.property(&made, element.factory, property))
                .collect(),
            Err(why) => {
                let message = format!("the element `{}` cannot be made: {why}", element.factory);
                vec![Problem::new(at, message)]
            }
        }
    }

    fn property(&self, made: &gst::Element, factory: &str, given: &Property) -> Option<Problem> {
        // `child::property` is for GStreamer's parser, and so is the name.
        if given.name.contains("::") || given.name == "name" {
            return None;
        }
        let at = self.locate(given.at, given.name);
        let Some(spec) = made.find_property(given.name) else {
            let all = made.list_properties();
            let settable = |spec: &&glib::ParamSpec| {
                spec.flags().contains(glib::ParamFlags::WRITABLE) && spec.name() != "parent"
            };
            let names: Vec<&str> = all
                .iter()
                .filter(settable)
                .map(|spec| spec.name())
                .collect();
            let help = suggestion(given.name, "its properties", names.iter().copied());
            let message = format!("`{factory}` has no property `{}`", given.name);
            let help = help.unwrap_or_else(|| format!("`gst-inspect-1.0 {factory}` lists them"));
            return Some(Problem::new(at, message).help(help));
        };
        let flags = spec.flags();
        if !flags.contains(glib::ParamFlags::WRITABLE) {
            let message = format!("the property `{}` of `{factory}` cannot be set", given.name);
            return Some(Problem::new(at, message).help("it is there to be read"));
        }
        let wanted = values::refused(&spec, &given.value())?;
        let at = self.locate(given.raw_at, given.raw);
        let literal = self.source.text.get(at.clone()) == Some(given.raw);
        let value = if literal && !is_secret(given.name) {
            format!("`{}`", given.value())
        } else {
            "its value".to_owned()
        };
        let message = format!(
            "the property `{}` of `{factory}` does not take {value}",
            given.name
        );
        Some(Problem::new(at, message).help(wanted))
    }

    /// What GStreamer's own parser has to say.
    fn parse(&self, found: &[Element]) -> Option<Problem> {
        let why = gst::parse::launch_full(self.text, None, gst::ParseFlags::FATAL_ERRORS).err()?;
        let message = why.message().to_owned();
        let mentioned = |element: &&Element| {
            let named = element
                .properties
                .iter()
                .find(|property| property.name == "name");
            let named = named.map(Property::value);
            message.contains(element.factory) || named.is_some_and(|name| message.contains(&name))
        };
        let at = found
            .iter()
            .find(mentioned)
            .map_or(self.place.clone(), |element| {
                self.locate(element.at, element.factory)
            });
        let help = match why.kind::<gst::ParseError>() {
            Some(gst::ParseError::Link | gst::ParseError::DelayedLink) => {
                "their caps have nothing in common, or a pad is missing: \
                 `gst-inspect-1.0` lists the pads of each"
            }
            Some(gst::ParseError::Syntax) => {
                "elements are joined by `!`, properties are `name=value`; quotes that were there \
                 for a shell must go"
            }
            _ => "this is what GStreamer says",
        };
        Some(Problem::new(at, message).help(help))
    }

    /// Where a word of the text stands in the file: the one that comes as many words later as it
    /// does in the text, unless variables change their number.
    fn locate(&self, at: usize, word: &str) -> Range<usize> {
        let written = self.source.text.get(self.place.clone()).unwrap_or_default();
        let before = |(offset, _): &(usize, &str)| *offset < at;
        let index = self.text.match_indices(word).filter(before).count();
        let alike = written.match_indices(word).count() == self.text.match_indices(word).count();
        let index = if alike { index } else { 0 };
        match written.match_indices(word).nth(index) {
            Some((offset, _)) if !word.is_empty() => {
                let start = self.place.start + offset;
                start..start + word.len()
            }
            _ => self.place.clone(),
        }
    }
}

/// What is wrong with the scheme of a URI, if no element reads it.
fn unknown_scheme(uri: &str, at: Range<usize>) -> Option<Problem> {
    let scheme = uri.split(':').next().unwrap_or_default();
    if gst::Element::make_from_uri(gst::URIType::Src, uri, None).is_ok() {
        return None;
    }
    let known = [
        "rtsp", "rtsps", "rtmp", "http", "https", "srt", "udp", "file",
    ];
    let message = format!("no installed element reads `{scheme}:`");
    Some(Problem::new(at, message).help(format!("common ones: {}", listed(&known))))
}
