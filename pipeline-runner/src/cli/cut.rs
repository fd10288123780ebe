// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner cut`: writes a range of the archive to a file.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use gstsegmenter::archive::Archive;
use gstsegmenter::cut::{self, FrameCache, Gaps, Request, Type};
use gstsegmenter::media::VirtualMp4;
use gstsegmenter::utc::UtcNs;

/// Arguments of `cut`.
#[derive(clap::Args)]
pub struct Args {
    #[arg(long = "archive", value_name = "DIR", default_value = "./archive")]
    root: PathBuf,
    #[arg(long)]
    stream: String,
    #[arg(long, default_value = "source")]
    variant: String,
    #[arg(long)]
    start: String,
    #[arg(long)]
    end: String,
    #[arg(long = "type", default_value = "smart")]
    kind: String,
    #[arg(long)]
    allow_holes: bool,
    #[arg(long)]
    output: PathBuf,
}

/// Runs the command.
pub fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(super::EXIT_FAILED)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let archive = Archive::open(&args.root)?;
    let request = Request {
        stream: args.stream.clone(),
        variant: args.variant.clone(),
        ranges: vec![(UtcNs::parse(&args.start)?, UtcNs::parse(&args.end)?)],
        kind: args.kind.parse::<Type>()?,
        allow_holes: args.allow_holes,
        gaps: Gaps::Close,
    };
    let cut = cut::compose(
        &archive,
        &FrameCache::default(),
        &request,
        &Default::default(),
    )?;
    eprintln!("{:?}", cut.summary);
    let start = cut.summary.start;
    let file = VirtualMp4::new(cut.assembly, start)?;
    let mut out = File::create(&args.output)?;
    file.copy_to(0, file.bytes(), &mut out)?;
    Ok(())
}
