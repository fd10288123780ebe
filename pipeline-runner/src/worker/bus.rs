// SPDX-License-Identifier: MPL-2.0
//! What a message of the pipeline means.

use gst::prelude::*;

use super::protocol::{Class, Event, Failure, Level, Segment};

/// What follows from a message.
#[derive(Debug, PartialEq)]
pub enum Meaning {
    /// Nothing.
    Nothing,
    /// The supervisor should know.
    Report(Event),
    /// Every sink has seen the end.
    Eos,
    /// The pipeline cannot go on.
    Failed(Failure),
    /// The latency has to be worked out anew.
    Latency,
    /// The clock is gone: PAUSED and PLAYING again choose another.
    ClockLost,
    /// An element asks for a state of the pipeline.
    State(gst::State),
}

/// Reads a message of `pipeline`'s bus.
pub fn meaning(pipeline: &gst::Pipeline, message: &gst::MessageRef) -> Meaning {
    use gst::MessageView as View;
    let from = || {
        message
            .src()
            .map_or_else(String::new, |src| src.name().into())
    };
    match message.view() {
        View::Eos(_) => Meaning::Eos,
        View::Error(error) => Meaning::Failed(Failure {
            class: class(&error.error()),
            message: describe(&from(), &error.error(), error.debug().as_deref()),
        }),
        View::Warning(warning) => Meaning::Report(Event::Log {
            // `archivesink` says the same in a message of its own, which is told to people.
            level: match warning.error().matches(gst::ResourceError::NoSpaceLeft) {
                true => Level::Debug,
                false => Level::Warn,
            },
            message: describe(&from(), &warning.error(), warning.debug().as_deref()),
        }),
        View::Info(info) => Meaning::Report(Event::Log {
            level: Level::Info,
            message: describe(&from(), &info.error(), info.debug().as_deref()),
        }),
        View::Element(element) => element.structure().map_or(Meaning::Nothing, archive),
        View::Latency(_) => Meaning::Latency,
        View::ClockLost(_) => Meaning::ClockLost,
        View::RequestState(request) => Meaning::State(request.requested_state()),
        View::StateChanged(change) if message.src() == Some(pipeline.upcast_ref()) => {
            Meaning::Report(Event::Log {
                level: Level::Debug,
                message: format!("pipeline is {:?}", change.current()),
            })
        }
        _ => Meaning::Nothing,
    }
}

/// Whether another attempt can help.
fn class(error: &gst::glib::Error) -> Class {
    if error.matches(gst::CoreError::MissingPlugin) {
        Class::Definition
    } else if error.matches(gst::ResourceError::NotAuthorized) {
        Class::Refused
    } else {
        Class::Passing
    }
}

/// One line: the element, the error, and the reason that the debug string ends with.
fn describe(from: &str, error: &gst::glib::Error, debug: Option<&str>) -> String {
    // A debug string is "file(line): function (): /path/of/element:\nreason".
    let reason = debug
        .and_then(|debug| debug.split_once('\n'))
        .map(|(_, reason)| reason.trim().replace('\n', "; "))
        .filter(|reason| !reason.is_empty());
    match reason {
        Some(reason) => format!("{from}: {} ({reason})", error.message().trim()),
        None => format!("{from}: {}", error.message().trim()),
    }
}

/// The messages of `archivesink`.
fn archive(structure: &gst::StructureRef) -> Meaning {
    let text = |field| structure.get::<String>(field).unwrap_or_default();
    match structure.name().as_str() {
        "archive-segment" => Meaning::Report(Event::Segment(Segment {
            path: text("path"),
            start: text("start"),
            duration_ns: structure.get("duration-ns").unwrap_or_default(),
            kind: text("type"),
            bytes: structure.get("bytes").unwrap_or_default(),
            discontinuity: structure.get("discontinuity").unwrap_or_default(),
        })),
        "archive-paused" => Meaning::Report(Event::Paused {
            reason: text("reason"),
            path: text("path"),
        }),
        "archive-resumed" => Meaning::Report(Event::Resumed {
            lost_frames: structure.get("lost-frames").unwrap_or_default(),
        }),
        _ => Meaning::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline() -> gst::Pipeline {
        gst::init().expect("GStreamer starts");
        gst::Pipeline::new()
    }

    #[test]
    fn a_missing_plugin_condemns_the_definition_and_a_wrong_password_waits() {
        let pipeline = pipeline();
        let class_of = |message: gst::Message| match meaning(&pipeline, &message) {
            Meaning::Failed(failure) => failure.class,
            other => panic!("{other:?}"),
        };
        let missing = gst::message::Error::new(gst::CoreError::MissingPlugin, "x");
        let refused = gst::message::Error::new(gst::ResourceError::NotAuthorized, "x");
        let gone = gst::message::Error::new(gst::ResourceError::Read, "x");
        assert_eq!(class_of(missing), Class::Definition);
        assert_eq!(class_of(refused), Class::Refused);
        assert_eq!(class_of(gone), Class::Passing);
    }

    #[test]
    fn an_error_is_told_with_its_element_and_its_reason_and_without_the_source_line() {
        let pipeline = pipeline();
        let message = gst::message::Error::builder(gst::ResourceError::OpenRead, "Could not open.")
            .debug("../gst/x.c(123): f (): /GstPipeline:p/GstSrc:s:\nConnection\nrefused")
            .src(&pipeline)
            .build();
        let Meaning::Failed(failure) = meaning(&pipeline, &message) else {
            panic!("an error is a failure");
        };
        let name = pipeline.name();
        assert_eq!(
            failure.message,
            format!("{name}: Could not open. (Connection; refused)")
        );
    }

    #[test]
    fn a_segment_message_is_read_and_one_with_odd_fields_does_no_harm() {
        let pipeline = pipeline();
        let read = |structure| meaning(&pipeline, &gst::message::Element::new(structure));
        let segment = gst::Structure::builder("archive-segment")
            .field("path", "a/b.mp4")
            .field("start", "2026-11-20T10:31:06Z")
            .field("duration-ns", 2_000_000_000_u64)
            .field("type", "full")
            .field("bytes", 1234_u64)
            .field("discontinuity", true)
            .build();
        match read(segment) {
            Meaning::Report(Event::Segment(segment)) => {
                assert_eq!(segment.duration_ns, 2_000_000_000);
                assert_eq!((segment.bytes, segment.discontinuity), (1234, true));
            }
            other => panic!("{other:?}"),
        }
        let odd = gst::Structure::builder("archive-segment")
            .field("bytes", "many")
            .build();
        assert!(matches!(read(odd), Meaning::Report(Event::Segment(_))));
        let other = gst::Structure::builder("something-else").build();
        assert_eq!(read(other), Meaning::Nothing);
    }
}
