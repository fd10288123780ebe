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
use std::io::{self, Write};
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
    if format == Format::Ts {
        cut::check_ts(&request).map_err(|error| Failure::Usage(error.to_string()))?;
    }
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
            CutError::Io(error) => destination.not_put_aside(&error),
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
        Format::Ts => {
            let bytes = samples_bytes(&cut);
            let length_ns = cut.summary.duration_ns.max(1);
            progress.write(bytes);
            let mut counted = Counted { out, bytes: 0 };
            cut::write_ts(&cut, &mut counted, |ns| {
                let share = i128::from(bytes) * i128::from(ns) / i128::from(length_ns);
                progress.written(u64::try_from(share).unwrap_or(0));
            })
            .map_err(|error| match error {
                CutError::Io(error) => error,
                error => io::Error::other(error),
            })?;
            progress.written(bytes);
            Ok(Written {
                bytes: counted.bytes,
                etag: None,
            })
        }
    }
}

/// Bytes of all samples: about what will be written.
fn samples_bytes(cut: &Cut) -> u64 {
    let samples = cut.assembly.tracks.iter().flat_map(|track| &track.samples);
    samples.map(|sample| u64::from(sample.bytes)).sum()
}

/// Counts what is written.
struct Counted<'a> {
    out: &'a File,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
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
