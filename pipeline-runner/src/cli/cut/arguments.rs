// SPDX-License-Identifier: MPL-2.0
//! What is asked for, checked as far as it can be without looking into the archive.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use gstsegmenter::cut::{Gaps, Options, Request, Type};
use gstsegmenter::utc::UtcNs;

use crate::cli::failure::Failure;
use crate::cli::place::Place;
use crate::cli::{moment, names, text};

const HELP: &str = "\
A range holds the frames that are shown from its start on and before its end. Types:
  smart  exactly these; what can be is copied as it is, only the pictures at the edges are encoded
  copy   exactly these when played: copied from the keyframe before on, and an edit list hides
         the lead-in (MP4 only; most players heed it)
  rough  whole segments that cover the range
  full   exactly these, all pictures encoded
fast is another word for smart and mpegts for full, as in wubloader.

What is written is whole or not there: until it is, it has a hidden name beside the output.

Exits with 1 if nothing could be written, with 2 if the command line is wrong.";

/// Arguments of `cut`.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    #[command(flatten)]
    pub(super) place: Place,
    /// The stream
    #[arg(long, value_parser = names::stream_name)]
    stream: String,
    /// The variant
    #[arg(long, value_parser = names::variant_name, default_value = "source")]
    variant: String,
    #[command(flatten)]
    range: moment::Range,
    /// A range, in place of --start and --end; several are joined in the order given
    #[arg(
        long = "range",
        value_name = "START,END",
        value_parser = moment::parse_range,
        allow_hyphen_values = true,
        conflicts_with_all = ["start", "end"]
    )]
    ranges: Vec<(UtcNs, UtcNs)>,
    /// smart, copy, rough or full; see below
    #[arg(long = "type", value_name = "TYPE", default_value = "smart")]
    kind: Type,
    /// Leaves out what is missing, and says what that is; without this it is an error
    #[arg(long)]
    allow_holes: bool,
    /// Whether the time of holes and between ranges is closed up, or kept as a standing picture
    #[arg(long, value_enum, default_value_t = GapsName::Close)]
    gaps: GapsName,
    /// The GStreamer element that encodes; x264enc or x265enc if not given
    #[arg(long, value_name = "ELEMENT")]
    encoder: Option<String>,
    /// The file to write; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// The format, where the file's name does not tell; mp4 for standard output
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Replaces the file if it is there
    #[arg(long)]
    pub(super) force: bool,
    /// Writes what was cut to standard output, as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Says nothing but errors
    #[arg(long)]
    quiet: bool,
}

/// What a cut is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Mp4,
    Ts,
}

/// [`Gaps`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum GapsName {
    Close,
    Keep,
}

impl Args {
    /// What is asked for.
    ///
    /// # Errors
    /// If that cannot be.
    pub(super) fn check(&self) -> Result<(Request, Format), Failure> {
        let ranges = self.ranges()?;
        let format = self.format()?;
        self.check_sense(format).map_err(Failure::Usage)?;
        let request = Request {
            stream: self.stream.clone(),
            variant: self.variant.clone(),
            ranges,
            kind: self.kind,
            allow_holes: self.allow_holes,
            gaps: match self.gaps {
                GapsName::Close => Gaps::Close,
                GapsName::Keep => Gaps::Keep,
            },
        };
        Ok((request, format))
    }

    fn ranges(&self) -> Result<Vec<(UtcNs, UtcNs)>, Failure> {
        if !self.ranges.is_empty() {
            return Ok(self.ranges.clone());
        }
        match self.range.bounds()? {
            (Some(start), Some(end)) => Ok(vec![(start, end)]),
            _ => Err(Failure::Usage(
                "what to cut is not said: give --start and --end, or --range START,END".to_owned(),
            )),
        }
    }

    fn format(&self) -> Result<Format, Failure> {
        let extension = self.output.extension().unwrap_or_default();
        match self.format {
            Some(format) => Ok(format),
            None if self.is_stdout() => Ok(Format::Mp4),
            None if extension.eq_ignore_ascii_case("mp4") => Ok(Format::Mp4),
            None if extension.eq_ignore_ascii_case("ts") => Ok(Format::Ts),
            None => Err(Failure::Usage(format!(
                "{} does not say what to write: end the name with .mp4 or .ts, or give --format",
                text::path(&self.output)
            ))),
        }
    }

    /// Finds what contradicts itself.
    fn check_sense(&self, format: Format) -> Result<(), String> {
        let encodes = matches!(self.kind, Type::Smart | Type::Full);
        if let Some(encoder) = &self.encoder
            && !encodes
        {
            return Err(format!(
                "--encoder {} has nothing to do: --type {} does not encode",
                text::clean(encoder),
                self.kind
            ));
        }
        if self.kind == Type::Copy && format == Format::Ts {
            return Err(
                "--type copy needs an edit list, which MPEG-TS does not have: write .mp4, or use \
                 --type smart, rough or full"
                    .to_owned(),
            );
        }
        if self.is_stdout() && self.json {
            return Err("--json and --output - both want standard output: name a file".to_owned());
        }
        if self.is_stdout() && io::stdout().is_terminal() {
            return Err(
                "a terminal shows no video: name a file, or redirect standard output".to_owned(),
            );
        }
        Ok(())
    }

    /// How to encode.
    pub(super) fn options(&self) -> Options {
        Options {
            encoder: self.encoder.clone(),
            // Where the cut goes there is room for it; where temporary files go, perhaps not.
            spool_folder: (!self.is_stdout()).then(|| self.folder().to_owned()),
            ..Options::default()
        }
    }

    /// The folder of the output.
    pub(super) fn folder(&self) -> &Path {
        match self.output.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    pub(super) fn is_stdout(&self) -> bool {
        self.output == Path::new("-")
    }

    /// Whether nothing is said to people.
    pub(super) fn is_silent(&self) -> bool {
        self.quiet || self.json
    }
}
