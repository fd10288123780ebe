// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive verify`: whether segments are what their names say.
//!
//! The hash finds every byte that changed since recording; structure and decoding find what was
//! already wrong when it was recorded, and what was named wrongly. Segments are checked side by
//! side, each on one thread of decoding, because many small decoders use the processors better
//! than one that splits its pictures. They are listed hour by hour as they are needed, so memory
//! does not grow with the archive.

mod check;
mod decode;
mod mp4;
mod report;
mod selection;
mod tally;
mod transport;

use std::io;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::cli::failure::Failure;
use crate::cli::output::Out;
use crate::cli::place::Place;
use crate::cli::{EXIT_FAILED, moment, names};
use check::{Checked, Checks};
use report::Report;
use selection::{Item, Selection};

const HELP: &str = "\
A segment is good if
  * its bytes have the SHA-256 that its name says,
  * its container is whole up to the last byte,
  * it decodes without an error (software decoders; each segment has a time limit of 30 s plus
    ten times its duration),
  * what it decodes to starts and lasts as its name says, to within 50 ms or one frame, whichever
    is longer; the duration is that of the pictures, or of everything.
Growing segments are passed over; what a crash left (`archive recover` takes care of it) and files
that are no segments are listed and are no failure.

Exits with 1 if a segment is bad, or if not everything could be checked.";

/// Arguments of `archive verify`.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Only this stream
    #[arg(value_parser = names::stream_name)]
    stream: Option<String>,
    /// Only this variant
    #[arg(value_parser = names::variant_name)]
    variant: Option<String>,
    #[command(flatten)]
    range: moment::Range,
    /// How many segments to check at a time; as many as there are processors if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Checks hash, structure and times only
    #[arg(long)]
    no_decode: bool,
    /// Writes JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Out) -> Result<ExitCode, Failure> {
    let bounds = args.range.bounds()?;
    let archive = args.place.open()?;
    let variants = names::variants(&archive, args.stream.as_deref(), args.variant.as_deref())?;
    let checks = match args.no_decode {
        true => Checks::NoDecode,
        false => {
            decode::start()?;
            Checks::All
        }
    };
    let select = || Selection::new(&archive, &variants, bounds);
    let total = select().segments();
    let mut report = Report::new(&archive, total, args.json);
    let checked = each_checked(select(), checks, jobs(args), |checked| {
        report.add(checked, out)
    });
    if let Err(error) = checked.and_then(|()| report.finish(out)) {
        // Nobody knows about those that were not checked.
        return match out.is_abandoned() {
            true => Ok(ExitCode::from(EXIT_FAILED)),
            false => Err(error.into()),
        };
    }
    Ok(match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EXIT_FAILED),
    })
}

fn jobs(args: &Args) -> usize {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or_else(processors, usize::from)
}

/// Checks what is selected on `jobs` threads and hands each result over on this one. Ends early if
/// `done` fails.
fn each_checked(
    selection: Selection<'_>,
    checks: Checks,
    jobs: usize,
    mut done: impl FnMut(Checked) -> io::Result<()>,
) -> io::Result<()> {
    let selection = Mutex::new(selection);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Few results wait, so that nothing is far ahead of a reader that went away.
        let (results, received) = mpsc::sync_channel(jobs);
        for _ in 0..jobs {
            let results = results.clone();
            let next = || next(&selection, &stop);
            scope.spawn(move || {
                while let Some(item) = next() {
                    if results.send(check::check(item, checks)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let ended = hand_over(received, &mut done);
        stop.store(true, Ordering::Relaxed);
        ended
    })
}

fn next(selection: &Mutex<Selection<'_>>, stop: &AtomicBool) -> Option<Item> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    let mut selection = selection
        .lock()
        .unwrap_or_else(|poison| poison.into_inner());
    selection.next()
}

/// Dropping `received` on the way out ends the threads that still have results.
fn hand_over(
    received: Receiver<Checked>,
    done: &mut impl FnMut(Checked) -> io::Result<()>,
) -> io::Result<()> {
    received.into_iter().try_for_each(done)
}
