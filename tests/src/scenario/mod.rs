// SPDX-License-Identifier: MPL-2.0
//! What real cameras do wrong, combined by chance, recorded, and judged by independent decoders.
//!
//! A [`Scenario`] is a choice of one [kind](kinds) of each trait: how the video is coded, how fast
//! it really comes, what its timestamps and sender reports are worth, where markers are, which other
//! tracks there are, what is lost. The same seed makes the same choice, the same packets at the same
//! times. [`compile`] makes a camera's scripts of it, [`record`] records them as a user would, and
//! [`judge`] holds what is in the archive against what was sent:
//!
//! 1. Every frame sent is there exactly once, but for what cannot be: before the first place where
//!    decoding can begin, and from a lost packet to the next such place.
//! 2. A segment of type `full` decodes alone, silently, to the frames that were encoded.
//! 3. A frame's time is the camera's where its clock is sane, and within half a second of its
//!    arrival where it is not.
//! 4. What `archive coverage` misses, what a cut misses and what `archive verify` finds agree.
//! 5. Cuts of each type, by chance, are exact.
//!
//! `SEED=17` replays one seed; `TRAITS='plain reports=zero'` overrides what a seed chooses (`plain`:
//! a camera without faults, with the traits named after it).

pub mod clip;
pub mod compile;
pub mod edits;
pub mod judge;
pub mod kinds;
mod other_tracks;
pub mod pace;
pub mod record;
pub mod run;
pub mod seen;
mod video;

pub use kinds::Scenario;
