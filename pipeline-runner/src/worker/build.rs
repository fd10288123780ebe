// SPDX-License-Identifier: MPL-2.0
//! Builds the pipeline of a definition.

use gst::prelude::*;

use super::dynamic;
use super::protocol::Failure;
use super::stdio::Reporter;
use crate::config::Build;

/// Builds the pipeline; nothing starts yet.
///
/// # Errors
/// What is wrong with the definition: another attempt would fail the same way.
pub fn build(build: &Build, reporter: &Reporter) -> Result<gst::Pipeline, Failure> {
    match build {
        Build::Launch(text) => launch(text),
        Build::Dynamic {
            source,
            sink,
            tracks,
            paced,
        } => dynamic::build(source, sink, *tracks, *paced, reporter),
    }
}

/// Parses one element or bin.
///
/// # Errors
/// What GStreamer's parser says.
pub fn parse(text: &str) -> Result<gst::Element, Failure> {
    gst::parse::launch_full(text, None, gst::ParseFlags::FATAL_ERRORS)
        .map_err(|error| Failure::definition(error.message().to_owned()))
}

fn launch(text: &str) -> Result<gst::Pipeline, Failure> {
    match parse(text)?.downcast::<gst::Pipeline>() {
        Ok(pipeline) => Ok(pipeline),
        // The parser puts several elements into a pipeline, but not one alone.
        Err(element) => {
            let pipeline = gst::Pipeline::new();
            pipeline
                .add(&element)
                .map_err(|error| Failure::definition(error.to_string()))?;
            Ok(pipeline)
        }
    }
}
