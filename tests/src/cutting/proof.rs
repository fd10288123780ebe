// SPDX-License-Identifier: MPL-2.0
//! Cuts by the hundred, each looked at frame by frame.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use gstsegmenter::cut::{self, CutError, FrameCache, Gaps, Request, Type};
use gstsegmenter::media::VirtualMp4;

use super::archived::{Archived, Container, STREAM, VARIANT};
use super::judge::{Case, Output};
use super::played;
use super::ranges::{self, Wanted};
use crate::clips::Clip;
use crate::decode;

/// Ranges by chance, for each kind of archive and of cut.
const RANDOM_RANGES: usize = 50;
/// Where chance starts.
const SEED: u64 = 20_260_228;
/// Files that ffmpeg is given at once.
const AT_ONCE: usize = 20;
/// Of so many cuts one is looked at by ffprobe and played by GStreamer; of copies each is.
const LOOKED_AT_CLOSELY: usize = 10;
/// Faults of each kind that are told of.
const MOST_TOLD: usize = 4;

/// Cuts the ranges at borders and those by chance out of a recorded clip, and judges each.
///
/// # Panics
/// With what is wrong with which range, and where the archive is.
pub fn every_cut_is_exact(clip: Clip, container: Container, kind: Type, output: Output) {
    let archived = Archived::new(clip, container);
    let mut wanted = ranges::edges(&archived);
    wanted.extend(ranges::random(&archived, SEED, random_ranges()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut proof = Proof {
        archived: &archived,
        cache: FrameCache::default(),
        kind,
        output,
        folder: folder.path(),
        faults: Vec::new(),
    };
    for (batch, wanted) in wanted.chunks(AT_ONCE).enumerate() {
        proof.judge(batch * AT_ONCE, wanted);
    }
    let faults = proof.faults;
    if faults.is_empty() {
        return;
    }
    let told = told(&faults).join("\n");
    let (count, all) = (faults.len(), wanted.len());
    let root = archived.keep();
    panic!(
        "{clip:?} in {container:?}, {kind} to {output:?}: {count} of {all} cuts are wrong\n{told}\n\
         the archive is {}, stream {STREAM}",
        root.display()
    );
}

/// As many as the variable `CUT_RANGES` says, for a quick look or a long one.
fn random_ranges() -> usize {
    let wanted = std::env::var("CUT_RANGES").ok();
    wanted
        .and_then(|wanted| wanted.parse().ok())
        .unwrap_or(RANDOM_RANGES)
}

/// Some faults of each kind: those that differ in more than numbers.
fn told(faults: &[(String, String)]) -> Vec<String> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (range, fault) in faults {
        let kind: String = fault.chars().filter(|c| !c.is_ascii_hexdigit()).collect();
        kinds
            .entry(kind)
            .or_default()
            .push(format!("{range}: {fault}"));
    }
    let some = kinds.into_values().flat_map(|mut alike| {
        let more = alike.len().saturating_sub(MOST_TOLD);
        alike.truncate(MOST_TOLD);
        alike.extend((more > 0).then(|| format!("… and {more} more like it")));
        alike
    });
    some.collect()
}

struct Proof<'a> {
    archived: &'a Archived,
    cache: FrameCache,
    kind: Type,
    output: Output,
    folder: &'a Path,
    /// Each with its range.
    faults: Vec<(String, String)>,
}

impl<'a> Proof<'a> {
    /// Cuts some ranges and judges the files. `number` is that of the first.
    fn judge(&mut self, number: usize, wanted: &[Wanted]) {
        let mut cuts = Vec::new();
        for (number, wanted) in (number..).zip(wanted) {
            match self.cut(number, wanted) {
                Ok(Some((path, case))) => cuts.push((number, wanted, path, case)),
                Ok(None) => (),
                Err(fault) => self.faults.push((tell(wanted), fault)),
            }
        }
        let paths: Vec<PathBuf> = cuts.iter().map(|(_, _, path, _)| path.clone()).collect();
        for ((number, wanted, path, case), played) in
            cuts.iter().zip(played::by_ffmpeg(&paths, self.folder))
        {
            let mut verdict = case.judge(&played);
            if number % LOOKED_AT_CLOSELY == 0 {
                verdict = verdict.and_then(|()| case.judge_probed(&decode::probe(path)));
            }
            if number % LOOKED_AT_CLOSELY == 0 || case.kind == Type::Copy {
                verdict = verdict.and_then(|()| case.judge_pictures(&played::by_gstreamer(path)));
            }
            if let Err(fault) = verdict {
                self.faults.push((tell(wanted), fault));
            }
            let _ = std::fs::remove_file(path);
        }
    }

    /// The file of a cut, and what should be in it; none if the range has no picture, which is
    /// then said.
    fn cut(&self, number: usize, wanted: &Wanted) -> Result<Option<(PathBuf, Case<'a>)>, String> {
        let expected = wanted.pictures(self.archived, self.kind);
        let cut = cut::compose(
            &self.archived.archive,
            &self.cache,
            &request(wanted, self.kind),
            &Default::default(),
        );
        let cut = match (cut, expected.iter().all(Vec::is_empty)) {
            (Ok(cut), false) => cut,
            (Err(CutError::NoFrame { .. }), true) => return Ok(None),
            (Ok(cut), true) => {
                return Err(format!("there is no picture in it, but {:?}", cut.summary));
            }
            (Err(error), _) => return Err(format!("{error}")),
        };
        let name = match self.output {
            Output::Mp4 => format!("{number}.mp4"),
            Output::Ts => format!("{number}.ts"),
        };
        let path = self.folder.join(name);
        let summary = cut.summary.clone();
        write(cut, self.output, &path)?;
        let case = Case {
            archived: self.archived,
            kind: self.kind,
            output: self.output,
            expected,
            summary,
        };
        Ok(Some((path, case)))
    }
}

/// What is asked for.
pub fn request(wanted: &Wanted, kind: Type) -> Request {
    Request {
        stream: STREAM.to_owned(),
        variant: VARIANT.to_owned(),
        ranges: wanted.ranges.clone(),
        kind,
        allow_holes: false,
        gaps: Gaps::Close,
    }
}

/// Writes a cut to a file.
///
/// # Errors
/// A sentence.
pub fn write(cut: cut::Cut, output: Output, path: &Path) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| format!("it cannot be written: {error}");
    let mut file = File::create(path).map_err(|error| said(&error))?;
    match output {
        Output::Mp4 => {
            let start = cut.summary.start;
            let mp4 = VirtualMp4::new(cut.assembly, start).map_err(|error| said(&error))?;
            mp4.copy_to(0, mp4.bytes(), &mut file)
                .map_err(|error| said(&error))?;
            let written = file.metadata().map_err(|error| said(&error))?.len();
            if written != mp4.bytes() {
                return Err(format!(
                    "{} bytes were told, {written} were written",
                    mp4.bytes()
                ));
            }
            Ok(())
        }
        Output::Ts => cut::write_ts(&cut, &mut file, |_| ()).map_err(|error| said(&error)),
    }
}

fn tell(wanted: &Wanted) -> String {
    let ranges = wanted
        .ranges
        .iter()
        .map(|(start, end)| format!("[{start}, {end})"));
    format!("{}: {}", wanted.name, ranges.collect::<Vec<_>>().join(" "))
}
