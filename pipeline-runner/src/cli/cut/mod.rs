// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner cut`: a range of the archive as a file.
//!
//! The making is done by [`gstsegmenter::cut`]; here are the ends: what was asked for
//! ([`arguments`]), where it goes and that nothing half-done stays there ([`destination`]), and what
//! is said of it ([`report`], [`progress`]). Nothing is done before it is needed, so that a cut that
//! only copies begins to come out within milliseconds: GStreamer is started only to encode.

mod arguments;
mod destination;
mod progress;
mod report;

use std::fs::File;
use std::io;
use std::process::ExitCode;

use gstsegmenter::archive::Archive;
use gstsegmenter::cut::{self, Cut, CutError, FrameCache, Request};
use gstsegmenter::media::VirtualMp4;

use super::failure::Failure;
use super::recorded::recorded;
use super::{names, text};
use crate::gstreamer;
pub use arguments::Args;
use arguments::Format;
use destination::Destination;
use progress::Progress;
use report::Report;

/// Bytes between two looks at the progress.
const STEP_BYTES: u64 = 8 << 20;

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.explain(),
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let (request, format) = args.check()?;
    let archive = args.place.open()?;
    names::existing_stream(&archive, &request.stream)?;
    names::existing_variant(&archive, &request.stream, &request.variant)?;
    let progress = Progress::new(args.is_silent());
    let destination = Destination::prepare(args, &progress)?;
    gstreamer::redact_log();

    progress.compose(request.kind);
    let cut = cut::compose(&archive, &FrameCache::default(), &request, &args.options()).map_err(
        |error| match error {
            // Of what is put aside beside the output; segments that cannot be read are holes.
            CutError::Io(error) => destination.not_written(&error),
            error => explain(&error, &archive, &request),
        },
    )?;
    let summary = cut.summary.clone();
    let written = write(cut, format, &destination.file, &progress);
    progress.clear();
    let written = match written {
        Ok(written) => written,
        // Whoever read has what they wanted.
        Err(error) if destination.is_abandoned(&error) => return Ok(()),
        Err(error) => return Err(destination.not_written(&error)),
    };
    destination.finish()?;
    Report::new(&args.output, &summary, written).say(args)
}

/// What was written.
struct Written {
    bytes: u64,
    etag: Option<String>,
}

fn write(cut: Cut, format: Format, mut out: &File, progress: &Progress) -> io::Result<Written> {
    match format {
        Format::Mp4 => {
            let created = cut.summary.start;
            let file = VirtualMp4::new(cut.assembly, created).map_err(io::Error::other)?;
            let bytes = file.bytes();
            progress.write(bytes);
            let mut at = 0;
            while at < bytes {
                let to = at.saturating_add(STEP_BYTES).min(bytes);
                file.copy_to(at, to, &mut out)?;
                progress.written(to);
                at = to;
            }
            let etag = Some(file.etag().to_owned());
            Ok(Written { bytes, etag })
        }
        Format::Ts => Err(io::Error::other(
            "cuts in MPEG-TS are not made yet; mp4 is the format that works",
        )),
    }
}

/// Says it in the terms of the command line.
fn explain(error: &CutError, archive: &Archive, request: &Request) -> Failure {
    let mut message = text::clean(&error.to_string());
    match error {
        CutError::Holes(_) => message.push_str(" (--allow-holes)"),
        CutError::Nothing { .. } => {
            if let Ok(Some(span)) = recorded(archive, &request.stream, &request.variant) {
                let (from, to) = (span.from, span.to);
                message.push_str(&format!("; what there is, is from {from} to {to}"));
            }
        }
        _ => {}
    }
    Failure::Message(message)
}
