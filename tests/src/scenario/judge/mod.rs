// SPDX-License-Identifier: MPL-2.0
//! Holds what is in an archive against what a camera sent.

mod agreement;
mod audio;
mod cuts;
mod decoding;
mod frames;
mod times;

use super::clip::Clip;
use super::kinds::Scenario;
use super::record::{Recording, STREAM, VARIANT};
use super::seen::{self, Segment};
use crate::scripted_camera::script::Sent;

/// Of each kind of fault so many are told.
const MOST_TOLD: usize = 3;

/// All there is to judge by.
pub struct Case<'a> {
    /// What was chosen.
    pub scenario: &'a Scenario,
    /// What was shown.
    pub clip: &'a Clip,
    /// What a decoder makes of it, in the order shown.
    pub shown: Vec<Vec<u8>>,
    /// What was recorded.
    pub recording: &'a Recording,
    /// The video that was sent, in the order sent.
    pub video: Vec<Sent>,
    /// What is in the archive.
    pub segments: Vec<Segment>,
    /// Cuts of each type.
    pub cuts: usize,
}

/// What is wrong: a sentence for each fault, with the invariant that it breaks in front.
pub fn judge(scenario: &Scenario, clip: &Clip, recording: &Recording, cuts: usize) -> Vec<String> {
    let sent = recording.sent.iter();
    let case = Case {
        scenario,
        clip,
        shown: clip.shown(),
        recording,
        video: sent
            .filter(|sent| sent.note.codec == clip.codec)
            .copied()
            .collect(),
        segments: seen::segments(&recording.root, STREAM, VARIANT, clip.codec),
        cuts,
    };
    let mut faults = told("recording", recording.faults.clone());
    if case
        .segments
        .iter()
        .all(|segment| segment.stored.is_empty())
    {
        let count = case.video.len();
        faults.push(format!("frames: {count} were sent, none is recorded"));
        return faults;
    }
    faults.extend(told("frames", case.frames()));
    faults.extend(told("decoding", case.decoding()));
    faults.extend(told("times", case.times()));
    faults.extend(told("audio", case.audio()));
    faults.extend(told("agreement", case.agreement()));
    faults.extend(told("cuts", case.cuts()));
    faults
}

fn told(what: &str, faults: Vec<String>) -> Vec<String> {
    let more = faults.len().saturating_sub(MOST_TOLD);
    let some = faults.into_iter().take(MOST_TOLD);
    let mut some: Vec<String> = some.map(|fault| format!("{what}: {fault}")).collect();
    some.extend((more > 0).then(|| format!("{what}: … and {more} more")));
    some
}
