// SPDX-License-Identifier: MPL-2.0
//! What `archive coverage` misses, what a cut misses and what `archive verify` finds agree.

use std::process::Command;

use gstsegmenter::archive::{Archive, Kind, Span};
use gstsegmenter::cut::{self, FrameCache, Gaps, Request, Type};
use gstsegmenter::utc::UtcNs;
use serde_json::Value;

use super::Case;
use crate::recording::built;
use crate::scenario::kinds::{Loss, Sessions};
use crate::scenario::record::{STREAM, VARIANT};
use crate::scripted_camera::access_units::Entry;

/// Two holes that differ by no more are the same.
const SAME_NS: i64 = 10_000_000;
/// What may be missing where nothing was.
const NOTHING_NS: i64 = 600_000_000;

impl Case<'_> {
    /// The moments from which and up to which something is recorded.
    pub(super) fn range(&self) -> (UtcNs, UtcNs) {
        let recorded = self.segments.iter().map(|segment| &segment.recorded);
        let start = recorded.clone().map(|segment| segment.start_ns).min();
        let end = recorded.map(|segment| segment.end_ns()).max();
        (UtcNs(start.unwrap_or(0)), UtcNs(end.unwrap_or(0)))
    }

    /// What does not agree.
    pub(super) fn agreement(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (from, to) = self.range();
        let archive = Archive::open(&self.recording.root).expect("there are segments");
        let coverage = archive.coverage(STREAM, VARIANT, from, to);
        let covered: Vec<Span> = coverage.map(|coverage| coverage.holes).unwrap_or_default();
        match self.holes_of_cut(&archive, from, to) {
            Ok(cut) if !alike(&covered, &cut) => {
                let (covered, cut) = (tell(&covered), tell(&cut));
                faults.push(format!("coverage misses {covered}; a cut misses {cut}"));
            }
            Ok(_) => (),
            Err(error) => faults.push(format!("a cut of everything with holes: {error}")),
        }
        let missing_ns: i64 = covered.iter().map(|hole| hole.duration_ns()).sum();
        let is_whole = self.scenario.sessions == Sessions::One && self.scenario.loss == Loss::None;
        if is_whole && missing_ns > NOTHING_NS {
            let covered = tell(&covered);
            faults.push(format!(
                "coverage misses {covered}, and nothing was missing"
            ));
        }
        // Segments of open GOPs do not decode alone without complaints.
        let mut pictures = self.clip.pictures.iter();
        if !pictures.any(|picture| picture.entry == Entry::Open) {
            faults.extend(self.verify());
        }
        faults
    }

    fn holes_of_cut(&self, archive: &Archive, from: UtcNs, to: UtcNs) -> Result<Vec<Span>, String> {
        let request = Request {
            stream: STREAM.to_owned(),
            variant: VARIANT.to_owned(),
            ranges: vec![(from, to)],
            kind: Type::Rough,
            allow_holes: true,
            gaps: Gaps::Close,
        };
        let cut = cut::compose(
            archive,
            &FrameCache::default(),
            &request,
            &Default::default(),
        );
        let cut = cut.map_err(|error| error.to_string())?;
        let holes = cut.summary.holes.iter();
        Ok(holes
            .map(|hole| Span {
                from: hole.from,
                to: hole.to,
            })
            .collect())
    }

    /// What `archive verify` says against segments of type `full`.
    fn verify(&self) -> Vec<String> {
        let verified = Command::new(built().join("pipeline-runner"))
            .args(["archive", "verify", "--json", "--jobs", "1", "--archive"])
            .arg(&self.recording.root)
            .output()
            .expect("pipeline-runner was built");
        let Ok(report) = serde_json::from_slice::<Value>(&verified.stdout) else {
            let said = String::from_utf8_lossy(&verified.stderr);
            return vec![format!("archive verify says: {said}")];
        };
        let bad = report["bad"].as_array().cloned().unwrap_or_default();
        let full = self.segments.iter();
        let full = full.filter(|segment| segment.recorded.kind == Kind::Full);
        let names: Vec<String> = full
            .map(|segment| segment.recorded.path.to_string_lossy().into_owned())
            .collect();
        let bad = bad.iter().filter(|bad| {
            let path = bad["path"].as_str().unwrap_or_default();
            names.iter().any(|name| name == path)
        });
        let bad: Vec<&Value> = bad.collect();
        let Some(first) = bad.first() else {
            return Vec::new();
        };
        let problem = &first["problems"][0]["message"];
        let (bad, all) = (bad.len(), names.len());
        vec![format!(
            "archive verify calls {bad} of {all} bad: {problem}"
        )]
    }
}

fn alike(one: &[Span], other: &[Span]) -> bool {
    let near = |one: UtcNs, other: UtcNs| (one - other).abs() <= SAME_NS;
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| near(one.from, other.from) && near(one.to, other.to))
}

fn tell(holes: &[Span]) -> String {
    if holes.is_empty() {
        return "nothing".to_owned();
    }
    let ms = holes.iter().map(|hole| hole.duration_ns() / 1_000_000);
    let ms: Vec<String> = ms.take(4).map(|ms| format!("{ms} ms")).collect();
    format!("{} ({} holes)", ms.join(", "), holes.len())
}
