// SPDX-License-Identifier: MPL-2.0
//! Builds the pipeline of a definition.

use gst::prelude::*;

use super::dynamic;
use super::protocol::Failure;
use super::stdio::Reporter;
use super::tokens::Tokens;
use crate::config::{Build, Pipeline};

/// Builds the pipeline; nothing starts yet.
///
/// # Errors
/// What is wrong with the definition: another attempt would fail the same way.
pub fn build(
    job: &Pipeline,
    tokens: &Tokens,
    reporter: &Reporter,
) -> Result<gst::Pipeline, Failure> {
    match &job.build {
        Build::Launch(text) => {
            let pipeline = launch(&tokens.put_in(text))?;
            tokens.attend(&pipeline, None);
            Ok(pipeline)
        }
        Build::Dynamic {
            source,
            headers,
            sink,
            tracks,
            paced,
        } => {
            let source = parse(&tokens.put_in(source))?;
            let sink = sink.as_deref().map(parse).transpose()?;
            let pipeline = gst::Pipeline::new();
            tokens.attend(&pipeline, Some((&source, headers)));
            let streams = dynamic::Streams {
                tracks: *tracks,
                paced: *paced,
                views: job.views.len(),
            };
            dynamic::build(&pipeline, &source, sink.as_ref(), streams, reporter)?;
            Ok(pipeline)
        }
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
