// SPDX-License-Identifier: MPL-2.0
//! Cuts: any range out of the archive, exact to the frame, at the cost of a file read.
//!
//! Three steps, each a room. [`footage`] finds the segments of a range and indexes their frames.
//! [`plan`] says, frame by frame, what is copied, what is encoded anew and what is hidden: a pure
//! function. [`compose`] does it, and yields an [`Assembly`](crate::media::assembly::Assembly), a
//! table of samples that a virtual MP4, a transport stream or an element is made of.
//!
//! A range is half-open, `[start, end)`, in wall-clock time of presentation. What belongs together
//! without a break is a *clip*; where the archive has a hole, where one recording is left for
//! another, and where one range ends and the next begins, a new clip begins.

pub mod cache;
pub mod compose;
pub mod edges;
pub mod encode;
pub mod error;
pub mod footage;
mod kind;
mod line;
pub mod names;
mod pictures;
pub mod plan;
pub mod reader;
mod recipes;
pub mod request;
mod sample_entries;
pub mod sound;
mod span;
pub(crate) mod stretch;
pub mod transport;

pub use cache::FrameCache;
pub use compose::{Cut, Summary, compose};
pub use edges::Options;
pub use error::CutError;
pub use kind::{Type, UnknownType};
pub use request::{Gaps, Request};
pub use transport::{check_ts, write_ts};
