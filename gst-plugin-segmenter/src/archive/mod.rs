// SPDX-License-Identifier: MPL-2.0
//! The archive on disk: plain files whose names are the index, and nothing else.
//!
//! Everything is answered from the folders' names, so there is no state that can disagree with
//! the disk, and any process may read, write, sweep and recover beside any other. What keeps them
//! apart are three things the kernel does atomically: creating a file that must not exist,
//! renaming one, and the advisory lock that a writer holds on the file it is growing.

pub mod best;
mod cache;
pub mod coverage;
pub mod file;
mod listing;
pub mod mount;
pub mod name;
mod read;
pub mod recovery;
pub mod retention;
mod walk;

pub use best::{Best, Piece};
pub use coverage::{Coverage, Covered, Span};
pub use file::{Finished, SegmentFile};
pub use listing::{MAX_REACH_NS, Segment, Stray};
pub use name::{Container, Id, Kind, NameError, SegmentName};
pub use read::{Archive, DEFAULT_CACHE_BYTES, GrowingNs};
pub use recovery::{Measured, Outcome, Recovered, recover};
pub use retention::{Free, Policy, Report, Retention, free, sweep};

#[cfg(test)]
mod test_archive;
