// SPDX-License-Identifier: MPL-2.0
//! Encoding pictures anew, so that they fit beside copied ones.
//!
//! Where a cut begins or ends inside a group of pictures, the wanted ones must be decoded and
//! encoded again. [`Encoder`] takes the frames a decoder needs, in decoding order, and gives back
//! those that are wanted, in the order in which they are shown: exactly one for each, with its
//! very own time, in the form and of the profile, level and looks of the source. Anything else is
//! an error that names the frame; see [`ledger`].
//!
//! GStreamer decodes and encodes: `appsrc ! decoder ! videoscale ! videoconvert ! capsfilter !
//! encoder ! appsink`, where the two in the middle work only when the picture changes its size or
//! form on the way. Frames stream through: the feed is read as the decoder wants it, and nothing
//! is encoded that is not soon taken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

mod elements;
mod error;
mod form;
mod hevc;
mod information;
mod ledger;
mod output;
mod pipeline;
mod source;
mod sps;

pub use crate::media::nal::Sets;
pub use error::{EncodeError, Moment};
pub use pipeline::Encoder;

/// An encoder that has shown no sign of life for this long has none.
const WATCHDOG: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// What is to be encoded anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Sample entry of the source, a whole `avc1`, `avc3`, `hvc1` or `hev1` box.
    ///
    /// H.264: the parameter sets of the result get a number that none in here has, so that both
    /// can stand in one record. H.265: x265 always numbers from 0, so its sets must stand in the
    /// samples.
    pub entry: Vec<u8>,
    /// Ticks per second of all times.
    pub timescale: u32,
    /// How to do it.
    pub options: Options,
}

/// How to encode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Element that encodes, e.g. one that uses hardware; else x264enc or x265enc.
    pub encoder: Option<String>,
    /// Element that decodes; else avdec_h264 or avdec_h265, else the one of the highest rank.
    pub decoder: Option<String>,
    /// Frames from one keyframe to the next at most; else only the first frame is one.
    pub keyframe_interval: Option<u32>,
    /// Frames in how many seconds; else what the source says, else by the first frame's duration.
    /// Give it where several results must have the same parameter sets.
    pub frame_rate: Option<(u32, u32)>,
    /// Ids that the H.264 parameter sets of the result may not have, besides those in the entry.
    pub taken_ids: Vec<u32>,
}

/// A frame of the source, in decoding order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// When it is shown, in ticks.
    pub pts: i64,
    /// When it is decoded, in ticks.
    pub dts: i64,
    /// For how long it is shown, in ticks.
    pub duration: u32,
    /// Decoding can start here.
    pub is_entry: bool,
    /// It is wanted; others are only decoded, because wanted ones refer to them.
    pub keep: bool,
    /// Its bytes, in the form of MP4: NAL units with their lengths.
    pub sample: Vec<u8>,
    /// Its sample entry where that is another than before (a camera that came back with other
    /// settings). The result keeps the form of the first: what has another size is scaled, with
    /// borders where it is shaped differently.
    pub entry: Option<Arc<[u8]>>,
}

/// A frame encoded anew. Decoding order is the order in which frames are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// When it is shown, in ticks; exactly that of the frame it was.
    pub pts: i64,
    /// Decoding can start here: an IDR picture.
    pub is_entry: bool,
    /// Its bytes, in the form of MP4, without parameter sets.
    pub sample: Vec<u8>,
}

/// Encodes all of a feed; returns the parameter sets, which are empty if nothing was kept.
///
/// # Errors
/// If a frame is damaged or lost, an element missing or failing, or the feed cannot be read.
pub fn reencode(
    job: Job,
    feed: impl Iterator<Item = io::Result<Feed>> + Send + 'static,
) -> Result<(Sets, Vec<Encoded>), EncodeError> {
    let mut encoder = Encoder::start(job, feed)?;
    let mut frames = Vec::new();
    while let Some(frame) = encoder.next()? {
        frames.push(frame);
    }
    Ok((encoder.sets().cloned().unwrap_or_default(), frames))
}

#[cfg(test)]
mod tests;
