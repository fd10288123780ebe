// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive ls`: what there is, one level of folders at a time.
//!
//! Counts and times come from names alone. Sizes cost a question to the file system per file,
//! which takes seconds in an archive of a million, so they can be left out.

use std::fs;
use std::io;
use std::process::ExitCode;

use gstsegmenter::archive::{Archive, Kind, Segment, name};
use gstsegmenter::utc::{HOUR_NS, UtcNs};
use indicatif::HumanBytes;
use serde::Serialize;

use super::find;
use super::table::Align::{Left, Right};
use super::table::Table;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, Time};
use crate::cli::place::Place;
use crate::cli::recorded::growing_ns;
use crate::cli::{moment, names, text};

/// Arguments of `archive ls`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Lists this stream's variants
    #[arg(value_parser = names::stream_name)]
    stream: Option<String>,
    /// Lists this variant's hours
    #[arg(value_parser = names::variant_name)]
    variant: Option<String>,
    /// Lists this hour's segments; an hour is 2026-11-20T10 (UTC)
    #[arg(value_parser = find::hour)]
    hour: Option<UtcNs>,
    /// Leaves out sizes: faster in a large archive
    #[arg(long)]
    no_bytes: bool,
    /// Writes JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Out) -> Result<ExitCode, Failure> {
    let archive = args.place.open()?;
    let lister = Lister {
        archive: &archive,
        with_bytes: !args.no_bytes,
    };
    let listing = lister.list(args)?;
    match args.json {
        true => out.json(&Json {
            archive: archive.root().to_string_lossy().into_owned(),
            stream: args.stream.clone(),
            variant: args.variant.clone(),
            hour: args.hour.map(name::hour_folder),
            listing,
        })?,
        false => listing.write(out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--json` writes: what was asked for, and the list.
#[derive(Serialize)]
struct Json {
    archive: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<String>,
    #[serde(flatten)]
    listing: Listing,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Listing {
    Streams(Vec<Row>),
    Variants(Vec<Row>),
    Hours(Vec<Row>),
    Segments(Vec<SegmentRow>),
}

/// What is known of a stream, a variant or an hour.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    name: String,
    /// Of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    variants: Option<u64>,
    /// Of a stream or a variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u64>,
    /// Of all types.
    segments: u64,
    full: u64,
    suspect: u64,
    partial: u64,
    temp: u64,
    bytes: Option<u64>,
    start: Option<Time>,
    end: Option<Time>,
    /// Of a variant or an hour: how much of the time there is something for.
    #[serde(skip_serializing_if = "Option::is_none")]
    covered_ns: Option<i64>,
}

#[derive(Clone, Debug, Serialize)]
struct SegmentRow {
    start: Time,
    end: Time,
    duration_ns: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    bytes: Option<u64>,
    container: &'static str,
    path: String,
    #[serde(skip)]
    file_name: String,
}

struct Lister<'a> {
    archive: &'a Archive,
    with_bytes: bool,
}

impl Lister<'_> {
    fn list(&self, args: &Args) -> Result<Listing, Failure> {
        let Some(stream) = &args.stream else {
            let streams = self.archive.streams()?;
            let rows = streams.iter().map(|stream| self.stream(stream));
            return Ok(Listing::Streams(rows.collect::<Result<_, _>>()?));
        };
        let stream = &names::existing_stream(self.archive, stream)?;
        let Some(variant) = &args.variant else {
            let variants = self.archive.variants(stream)?;
            let rows = variants.iter().map(|variant| self.variant(stream, variant));
            return Ok(Listing::Variants(rows.collect::<Result<_, _>>()?));
        };
        let variant = &names::existing_variant(self.archive, stream, variant)?;
        let Some(hour) = args.hour else {
            let hours = self.archive.hours(stream, variant)?;
            let rows = hours.iter().map(|hour| self.hour(stream, variant, *hour));
            return Ok(Listing::Hours(rows.collect::<Result<_, _>>()?));
        };
        let hour = find::existing_hour(self.archive, stream, variant, hour)?;
        let segments = self.archive.segments(stream, variant, hour)?;
        let rows = segments.iter().map(|segment| self.segment(segment));
        Ok(Listing::Segments(rows.collect::<Result<_, _>>()?))
    }

    fn stream(&self, stream: &str) -> Result<Row, Failure> {
        let variants = self.archive.variants(stream)?;
        let mut row = Row {
            name: stream.to_owned(),
            variants: Some(variants.len() as u64),
            ..Row::default()
        };
        let mut hours = 0;
        for variant in &variants {
            hours += self.add_hours(&mut row, stream, variant)?;
        }
        row.hours = Some(hours);
        Ok(row)
    }

    fn variant(&self, stream: &str, variant: &str) -> Result<Row, Failure> {
        let mut row = Row {
            name: variant.to_owned(),
            ..Row::default()
        };
        row.hours = Some(self.add_hours(&mut row, stream, variant)?);
        row.covered_ns = Some(match (row.start, row.end) {
            (Some(from), Some(to)) => self.covered_ns(stream, variant, from.0, to.0)?,
            _ => 0,
        });
        Ok(row)
    }

    fn hour(&self, stream: &str, variant: &str, hour: UtcNs) -> Result<Row, Failure> {
        let mut row = Row {
            name: name::hour_folder(hour),
            ..Row::default()
        };
        self.add_hour(&mut row, stream, variant, hour)?;
        row.covered_ns = Some(self.covered_ns(stream, variant, hour, hour + HOUR_NS)?);
        Ok(row)
    }

    fn covered_ns(
        &self,
        stream: &str,
        variant: &str,
        from: UtcNs,
        to: UtcNs,
    ) -> Result<i64, Failure> {
        let now = moment::now();
        let growing = |segment: &Segment| growing_ns(segment, now);
        let coverage = self
            .archive
            .coverage_with(stream, variant, from, to, &growing)?;
        Ok(coverage.covered_ns)
    }

    fn add_hours(&self, row: &mut Row, stream: &str, variant: &str) -> Result<u64, Failure> {
        let hours = self.archive.hours(stream, variant)?;
        for hour in &hours {
            self.add_hour(row, stream, variant, *hour)?;
        }
        Ok(hours.len() as u64)
    }

    fn add_hour(
        &self,
        row: &mut Row,
        stream: &str,
        variant: &str,
        hour: UtcNs,
    ) -> Result<(), Failure> {
        if self.with_bytes {
            row.bytes.get_or_insert(0);
        }
        for segment in self.archive.segments(stream, variant, hour)? {
            row.add(&segment);
            if let Some(bytes) = self.bytes(&segment)? {
                row.bytes = row.bytes.map(|sum| sum.saturating_add(bytes));
            }
        }
        Ok(())
    }

    fn segment(&self, segment: &Segment) -> Result<SegmentRow, Failure> {
        let end = end(segment);
        let start = segment.name.start;
        Ok(SegmentRow {
            start: Time(start),
            end: Time(end),
            duration_ns: end - start,
            kind: segment.name.kind.as_str(),
            bytes: self.bytes(segment)?,
            container: segment.name.container.extension(),
            path: segment.path().to_string_lossy().into_owned(),
            file_name: segment.file_name(),
        })
    }

    /// `None` if sizes are not wanted, or the file was closed or deleted meanwhile.
    fn bytes(&self, segment: &Segment) -> io::Result<Option<u64>> {
        if !self.with_bytes {
            return Ok(None);
        }
        match fs::metadata(segment.path()) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn end(segment: &Segment) -> UtcNs {
    match segment.name.kind {
        Kind::Temp => segment.name.start + growing_ns(segment, moment::now()),
        _ => segment.name.end(),
    }
}

impl Row {
    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        let of_kind = match segment.name.kind {
            Kind::Full => &mut self.full,
            Kind::Suspect => &mut self.suspect,
            Kind::Partial => &mut self.partial,
            Kind::Temp => &mut self.temp,
        };
        *of_kind += 1;
        let (start, end) = (segment.name.start, end(segment));
        self.start = Some(Time(self.start.map_or(start, |first| first.0.min(start))));
        self.end = Some(Time(self.end.map_or(end, |last| last.0.max(end))));
    }
}

impl Listing {
    fn write(&self, out: &mut Out) -> io::Result<()> {
        match self {
            Self::Streams(rows) if rows.is_empty() => out.line("nothing is recorded here"),
            Self::Streams(rows) => write_streams(rows, out),
            Self::Variants(rows) => write_variants(rows, out),
            Self::Hours(rows) => write_hours(rows, out),
            Self::Segments(rows) => write_segments(rows, out),
        }
    }
}

fn write_streams(rows: &[Row], out: &mut Out) -> io::Result<()> {
    let mut table = Table::new([
        ("STREAM", Left),
        ("VARIANTS", Right),
        ("HOURS", Right),
        ("SEGMENTS", Right),
        ("SIZE", Right),
        ("FIRST", Left),
        ("LAST", Left),
    ]);
    for row in rows {
        table.row([
            text::clean(&row.name),
            number(row.variants),
            number(row.hours),
            row.segments.to_string(),
            size(row.bytes),
            moment(row.start),
            moment(row.end),
        ]);
    }
    table.write(out)
}

fn write_variants(rows: &[Row], out: &mut Out) -> io::Result<()> {
    let mut table = Table::new([
        ("VARIANT", Left),
        ("HOURS", Right),
        ("SEGMENTS", Right),
        ("SIZE", Right),
        ("FIRST", Left),
        ("LAST", Left),
        ("COVERED", Right),
    ]);
    for row in rows {
        table.row([
            text::clean(&row.name),
            number(row.hours),
            row.segments.to_string(),
            size(row.bytes),
            moment(row.start),
            moment(row.end),
            length(row.covered_ns),
        ]);
    }
    table.write(out)
}

fn write_hours(rows: &[Row], out: &mut Out) -> io::Result<()> {
    let mut table = Table::new([
        ("HOUR", Left),
        ("SEGMENTS", Right),
        ("FULL", Right),
        ("SUSPECT", Right),
        ("PARTIAL", Right),
        ("TEMP", Right),
        ("SIZE", Right),
        ("COVERED", Right),
    ]);
    for row in rows {
        table.row([
            row.name.clone(),
            row.segments.to_string(),
            row.full.to_string(),
            row.suspect.to_string(),
            row.partial.to_string(),
            row.temp.to_string(),
            size(row.bytes),
            length(row.covered_ns),
        ]);
    }
    table.write(out)
}

fn write_segments(rows: &[SegmentRow], out: &mut Out) -> io::Result<()> {
    let mut table = Table::new([
        ("START", Left),
        ("DURATION", Right),
        ("TYPE", Left),
        ("BYTES", Right),
        ("CONTAINER", Left),
        ("FILE", Left),
    ]);
    for row in rows {
        table.row([
            text::moment(row.start.0),
            text::duration(row.duration_ns),
            row.kind.to_owned(),
            number(row.bytes),
            row.container.to_owned(),
            text::clean(&row.file_name),
        ]);
    }
    table.write(out)
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| HumanBytes(bytes).to_string())
}

fn moment(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| text::moment(time.0))
}

fn length(ns: Option<i64>) -> String {
    ns.map_or_else(|| "-".to_owned(), text::duration)
}
