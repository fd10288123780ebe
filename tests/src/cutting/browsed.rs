// SPDX-License-Identifier: MPL-2.0
//! Cuts as Chromium shows them. The pictures of the small clips bear their numbers, so the page can
//! tell which one it was given.

use std::path::Path;

use super::source::PICTURES_PER_SECOND;
use crate::browser::{self, Shown};

/// Slow enough that few pictures are dropped on a busy machine.
const RATE: f64 = 0.7;
/// Chromium counts in microseconds.
const ROUNDING_S: f64 = 0.001;

/// A picture that should be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Width and height.
    pub size: (u64, u64),
    /// What its marks say.
    pub number: u64,
}

/// Asserts that Chromium decodes and shows exactly these pictures, from the first to the last, each
/// at its time.
///
/// # Panics
/// With what it showed instead.
#[track_caller]
pub fn assert_chromium_shows(path: &Path, expected: &[Expected]) {
    let times_s: Vec<f64> = (0..expected.len())
        .map(|number| number as f64 / PICTURES_PER_SECOND as f64)
        .collect();
    let played = browser::chromium_shows(path, RATE, &times_s);
    let path = path.display();
    assert_eq!(played.error, None, "{path}: {played:?}");
    assert_eq!(played.decoded, expected.len() as u64, "{path}: decoded");
    let end_s = expected.len() as f64 / PICTURES_PER_SECOND as f64;
    assert!(
        (played.duration_s - end_s).abs() < 0.022,
        "{path}: {} s, not {end_s}",
        played.duration_s
    );
    let is_at = |shown: &Shown, time_s: f64| (shown.time_s - time_s).abs() < ROUNDING_S;
    for (time_s, expected) in times_s.iter().zip(expected) {
        let mut shown = played.shown.iter().filter(|shown| is_at(shown, *time_s));
        let is_right =
            |shown: &Shown| (shown.size, shown.number) == (expected.size, expected.number);
        assert!(
            shown.clone().any(is_right),
            "{path}: at {time_s} s {:?}, not {expected:?}",
            shown.next()
        );
    }
    let mut others = played.shown.iter();
    let other = others.find(|shown| !times_s.iter().any(|time_s| is_at(shown, *time_s)));
    assert_eq!(other, None, "{path}: and nothing else");
}

/// Asserts that hls.js in Chromium shows exactly these pictures of MPEG-TS, evenly spaced. Some may
/// be decoded twice: hls.js seeks where a buffer does not begin at zero.
///
/// # Panics
/// With what it showed instead.
#[track_caller]
pub fn assert_hls_shows(path: &Path, expected: &[Expected]) {
    let numbers: Vec<u64> = expected.iter().map(|expected| expected.number).collect();
    let period_s = 1.0 / PICTURES_PER_SECOND as f64;
    let duration_s = expected.len() as f64 * period_s;
    let played = browser::hls_shows(path, RATE, duration_s, &numbers);
    let path = path.display();
    assert_eq!(played.error, None, "{path}: {played:?}");
    let start_s = played
        .shown
        .iter()
        .map(|shown| shown.time_s)
        .fold(f64::INFINITY, f64::min);
    // On a busy machine the page may be drawn the picture after the one it is told of.
    for (place, expected) in expected.iter().enumerate() {
        let time_s = start_s + place as f64 * period_s;
        let is_it = |shown: &&Shown| (shown.size, shown.number) == (expected.size, expected.number);
        let times_s = played.shown.iter().filter(is_it).map(|shown| shown.time_s);
        let times_s: Vec<f64> = times_s.collect();
        let is_due = |shown_s: &f64| (shown_s - time_s).abs() < ROUNDING_S;
        assert!(
            times_s.iter().any(is_due),
            "{path}: {expected:?} at {times_s:?} s, not at {time_s} s"
        );
    }
    let is_strange = |shown: &&Shown| !numbers.contains(&shown.number);
    assert_eq!(
        played.shown.iter().find(is_strange),
        None,
        "{path}: and nothing else"
    );
}
