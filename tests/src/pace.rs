// SPDX-License-Identifier: MPL-2.0
//! Sends a clip's frames when a camera would: each as soon as it could have been encoded.
//!
//! An encoder with B-frames holds pictures back, so the frame at place *k* of the decoding order
//! leaves when the *k*-th picture has been shown plus the reordering delay, which is the smallest
//! that lets no frame leave before it was captured.

use gst::prelude::*;

use crate::frames::Track;

/// One frame to be sent.
struct Departure {
    at_ns: i64,
    track: usize,
    frame: usize,
}

/// The order and times in which the frames of all tracks leave, from the clip's start.
fn departures(tracks: &[Track], period_ns: i64) -> Vec<Departure> {
    let mut all = Vec::new();
    for (track, content) in tracks.iter().enumerate() {
        let times: Vec<i64> = content.frames.iter().map(|frame| frame.pts_ns).collect();
        let mut shown = times.clone();
        shown.sort_unstable();
        let delay = times
            .iter()
            .zip(&shown)
            .map(|(pts, shown)| pts - shown)
            .max()
            .unwrap_or(0);
        let leaves = shown.iter().enumerate();
        all.extend(leaves.map(|(frame, shown)| Departure {
            at_ns: shown + delay,
            track,
            frame,
        }));
    }
    all.retain(|departure| tracks[departure.track].frames[departure.frame].pts_ns < period_ns);
    all.sort_by_key(|departure| departure.at_ns);
    all
}

/// Plays the tracks into their sources in real time, once or until `still_there` says no; tells
/// whether it came to the end.
///
/// The sources must be playing: their clock and base time decide when "now" is.
pub fn play(
    sources: &[gst_app::AppSrc],
    tracks: &[Track],
    repeat: bool,
    still_there: impl Fn() -> bool,
) -> bool {
    let Some((clock, base)) = sources
        .first()
        .and_then(|s| Some((s.clock()?, s.base_time()?)))
    else {
        return false;
    };
    let start = clock.time().saturating_sub(base);
    let video = tracks.iter().find(|track| track.codec.is_video());
    let period_ns = video.map_or_else(
        || tracks.iter().map(Track::end_ns).max().unwrap_or(0),
        Track::end_ns,
    );
    let departures = departures(tracks, if repeat { period_ns } else { i64::MAX });
    for round in 0.. {
        let shift = gst::ClockTime::from_nseconds((period_ns * round).unsigned_abs());
        for departure in &departures {
            let after = |ns: i64| start + shift + gst::ClockTime::from_nseconds(ns.unsigned_abs());
            let wait = clock.new_single_shot_id(base + after(departure.at_ns));
            let _ = wait.wait();
            if !still_there() {
                return false;
            }
            let frame = &tracks[departure.track].frames[departure.frame];
            let mut buffer = frame.data.copy();
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(after(frame.pts_ns));
                buffer.set_dts(None);
                buffer.set_offset(u64::MAX);
            }
            if sources[departure.track].push_buffer(buffer).is_err() {
                return false;
            }
        }
        if !repeat {
            break;
        }
    }
    for source in sources {
        let _ = source.end_of_stream();
    }
    true
}
