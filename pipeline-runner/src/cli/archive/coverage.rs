// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive coverage`: what of a range is there, what is missing, and at what
//! quality.

use std::io;
use std::process::ExitCode;

use gstsegmenter::archive::{Archive, Coverage, Covered, Kind, Segment, Span};
use serde::Serialize;

use super::find;
use super::table::Align::{Left, Right};
use super::table::Table;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, Time};
use crate::cli::place::Place;
use crate::cli::recorded::{growing_ns, recorded};
use crate::cli::{moment, names, text};

/// From the most to the least wanted.
const QUALITIES: [Kind; 4] = [Kind::Full, Kind::Suspect, Kind::Partial, Kind::Temp];

/// Arguments of `archive coverage`.
#[derive(clap::Args)]
#[command(
    after_help = "Without a range: all that is recorded. `--start -1h` alone means up to now."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The stream
    #[arg(value_parser = names::stream_name)]
    stream: String,
    /// The variant; all of them if none is named
    #[arg(long, value_parser = names::variant_name)]
    variant: Option<String>,
    #[command(flatten)]
    range: moment::Range,
    /// Writes JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Out) -> Result<ExitCode, Failure> {
    let bounds = args.range.bounds()?;
    let archive = args.place.open()?;
    let variants = names::variants(&archive, Some(&args.stream), args.variant.as_deref())?;
    let mut report = Vec::new();
    for (stream, variant) in variants {
        let recorded = recorded(&archive, &stream, &variant)?;
        let name = format!("{stream}/{variant}");
        let range = find::fill(bounds, recorded, &name)?;
        let coverage = range.map(|range| cover(&archive, &stream, &variant, range));
        report.push((variant, coverage.transpose()?));
    }
    match args.json {
        true => out.json(&Json {
            archive: archive.root().to_string_lossy().into_owned(),
            stream: args.stream.clone(),
            variants: report.into_iter().map(JsonVariant::new).collect(),
        })?,
        false => write(&args.stream, &report, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn cover(archive: &Archive, stream: &str, variant: &str, range: Span) -> Result<Coverage, Failure> {
    let now = moment::now();
    let growing = |segment: &Segment| growing_ns(segment, now);
    Ok(archive.coverage_with(stream, variant, range.from, range.to, &growing)?)
}

/// The word for what a part is recorded in.
fn quality(kind: Kind) -> &'static str {
    match kind {
        Kind::Temp => "growing",
        kind => kind.as_str(),
    }
}

type Report = [(String, Option<Coverage>)];

fn write(stream: &str, report: &Report, out: &mut Out) -> io::Result<()> {
    for (number, (variant, coverage)) in report.iter().enumerate() {
        if number > 0 {
            out.line("")?;
        }
        let name = format!("{}/{}", text::clean(stream), text::clean(variant));
        match coverage {
            Some(coverage) => write_variant(&name, coverage, out)?,
            None => out.line(format_args!("{name}: nothing is recorded"))?,
        }
    }
    if report.is_empty() {
        out.line(format_args!("{}: has no variant", text::clean(stream)))?;
    }
    Ok(())
}

fn write_variant(name: &str, coverage: &Coverage, out: &mut Out) -> io::Result<()> {
    let (from, to) = (coverage.range.from, coverage.range.to);
    out.line(format_args!(
        "{name}: {} to {}, {}",
        text::moment(from),
        text::moment(to),
        text::duration(coverage.total_ns)
    ))?;
    write_totals(coverage, out)?;
    out.line("")?;
    timeline(coverage).write(out)?;
    if !coverage.overlaps.is_empty() {
        out.line("")?;
        overlaps(coverage).write(out)?;
    }
    if !coverage.discontinuities.is_empty() {
        out.line("\nDISCONTINUITY")?;
        for moment in &coverage.discontinuities {
            out.line(text::moment(*moment))?;
        }
    }
    Ok(())
}

fn write_totals(coverage: &Coverage, out: &mut Out) -> io::Result<()> {
    let total_ns = coverage.total_ns;
    let share = |part_ns| {
        let length = text::duration(part_ns);
        format!("{length} ({})", text::percent(part_ns, total_ns))
    };
    let mut there = format!("covered {}", share(coverage.covered_ns));
    let kinds = QUALITIES.map(|kind| (kind, coverage.kind_ns(kind)));
    let kinds = kinds.iter().filter(|(_, ns)| *ns > 0);
    let kinds: Vec<String> = kinds
        .map(|(kind, ns)| format!("{} {}", quality(*kind), text::duration(*ns)))
        .collect();
    if !kinds.is_empty() {
        there.push_str(&format!(": {}", kinds.join(", ")));
    }
    out.line(there)?;
    if coverage.holes.is_empty() {
        return out.line("missing nothing");
    }
    let holes = text::count(coverage.holes.len() as u64, "hole");
    out.line(format_args!(
        "missing {} in {holes}",
        share(coverage.missing_ns)
    ))
}

/// What is there and what is not, in order.
fn timeline(coverage: &Coverage) -> Table<5> {
    let mut table = Table::new([
        ("FROM", Left),
        ("TO", Left),
        ("LENGTH", Right),
        ("WHAT", Left),
        ("SEGMENTS", Right),
    ]);
    let there = coverage.ranges.iter().map(|range| {
        let segments = range.segments.to_string();
        (range.span, quality(range.kind), segments)
    });
    let holes = coverage.holes.iter();
    let missing = holes.map(|hole| (*hole, "MISSING", "-".to_owned()));
    let mut parts: Vec<_> = there.chain(missing).collect();
    parts.sort_by_key(|(span, ..)| *span);
    for (span, what, segments) in parts {
        let [from, to, length] = cells(span);
        table.row([from, to, length, what.to_owned(), segments]);
    }
    table
}

fn overlaps(coverage: &Coverage) -> Table<3> {
    let mut table = Table::new([("OVERLAP FROM", Left), ("TO", Left), ("LENGTH", Right)]);
    for span in &coverage.overlaps {
        table.row(cells(*span));
    }
    table
}

fn cells(span: Span) -> [String; 3] {
    [
        text::moment(span.from),
        text::moment(span.to),
        text::duration(span.duration_ns()),
    ]
}

#[derive(Serialize)]
struct Json {
    archive: String,
    stream: String,
    variants: Vec<JsonVariant>,
}

#[derive(Serialize)]
struct JsonVariant {
    variant: String,
    /// `null` if nothing is recorded and no range was given.
    coverage: Option<JsonCoverage>,
}

#[derive(Serialize)]
struct JsonCoverage {
    #[serde(flatten)]
    range: JsonSpan,
    covered_ns: i64,
    missing_ns: i64,
    /// Rounded down to hundredths.
    covered_percent: f64,
    full_ns: i64,
    suspect_ns: i64,
    partial_ns: i64,
    growing_ns: i64,
    ranges: Vec<JsonRange>,
    holes: Vec<JsonSpan>,
    overlaps: Vec<JsonSpan>,
    discontinuities: Vec<Time>,
}

#[derive(Serialize)]
struct JsonRange {
    #[serde(flatten)]
    span: JsonSpan,
    quality: &'static str,
    segments: u64,
}

#[derive(Serialize)]
struct JsonSpan {
    start: Time,
    end: Time,
    duration_ns: i64,
}

impl From<Span> for JsonSpan {
    fn from(span: Span) -> Self {
        Self {
            start: Time(span.from),
            end: Time(span.to),
            duration_ns: span.duration_ns(),
        }
    }
}

impl From<&Covered> for JsonRange {
    fn from(covered: &Covered) -> Self {
        Self {
            span: covered.span.into(),
            quality: quality(covered.kind),
            segments: covered.segments,
        }
    }
}

impl JsonVariant {
    fn new((variant, coverage): (String, Option<Coverage>)) -> Self {
        let coverage = coverage.map(|coverage| JsonCoverage::from(&coverage));
        Self { variant, coverage }
    }
}

impl From<&Coverage> for JsonCoverage {
    fn from(coverage: &Coverage) -> Self {
        let spans = |spans: &[Span]| spans.iter().map(|span| JsonSpan::from(*span)).collect();
        let per_myriad = text::per_myriad(coverage.covered_ns, coverage.total_ns);
        Self {
            range: coverage.range.into(),
            covered_ns: coverage.covered_ns,
            missing_ns: coverage.missing_ns,
            covered_percent: f64::from(per_myriad) / 100.0,
            full_ns: coverage.kind_ns(Kind::Full),
            suspect_ns: coverage.kind_ns(Kind::Suspect),
            partial_ns: coverage.kind_ns(Kind::Partial),
            growing_ns: coverage.kind_ns(Kind::Temp),
            ranges: coverage.ranges.iter().map(JsonRange::from).collect(),
            holes: spans(&coverage.holes),
            overlaps: spans(&coverage.overlaps),
            discontinuities: coverage.discontinuities.iter().copied().map(Time).collect(),
        }
    }
}
