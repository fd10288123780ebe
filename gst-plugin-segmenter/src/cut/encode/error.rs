// SPDX-License-Identifier: MPL-2.0
//! What can go wrong when pictures are encoded anew.

use std::fmt;
use std::io;

use super::WATCHDOG;

/// Why pictures could not be encoded anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start: {0}")]
    Init(#[from] gst::glib::Error),
    /// An element is not installed.
    #[error("the GStreamer element {element} is missing{}", in_package(.package))]
    ElementMissing {
        /// Its name.
        element: String,
        /// The Debian package that has it.
        package: Option<&'static str>,
    },
    /// Not a codec that can be encoded anew.
    #[error("{0} cannot be encoded anew; H.264 and H.265 can (avc1, avc3, hvc1, hev1)")]
    Codec(String),
    /// The decoder configuration is missing or damaged.
    #[error("the sample entry has no whole {0}")]
    Configuration(String),
    /// The samples could not be had.
    #[error("the frames to encode anew could not be read: {0}")]
    Feed(#[source] io::Error),
    /// A sample ends within a NAL unit.
    #[error("the frame {0} is cut short")]
    Truncated(Moment),
    /// A time too far from the others.
    #[error("the frame {0} is too far from those before it")]
    Time(Moment),
    /// Frames went in and did not come out.
    #[error("{count} frame(s) from the one {first} on could not be decoded")]
    Missing {
        /// The first of them.
        first: Moment,
        /// How many are known to be missing.
        count: usize,
    },
    /// A frame came out twice, or none that went in.
    #[error("the frame {0} came out of the decoder or the encoder more than once")]
    Unknown(Moment),
    /// The decoder says it is damaged.
    #[error("the frame {0} is damaged, or one that it refers to")]
    Corrupt(Moment),
    /// An element reported an error.
    #[error("{element}: {text}")]
    Element {
        /// Its name.
        element: String,
        /// What it said.
        text: String,
    },
    /// Nothing moved.
    #[error("nothing came out of decoder and encoder for {} s", WATCHDOG.as_secs())]
    Stalled,
    /// The encoder made a NAL unit too long for the lengths of the source's samples.
    #[error("a NAL unit of {unit_bytes} bytes does not fit lengths of {length_bytes} byte(s)")]
    UnitTooLong {
        /// Bytes of the unit.
        unit_bytes: usize,
        /// Bytes of a length in the source's samples.
        length_bytes: usize,
    },
    /// The encoder changed its parameter sets on the way.
    #[error("the encoder changed its parameter sets at the frame {0}")]
    SetsChanged(Moment),
    /// An encoded frame that no decoder could start with, at the beginning.
    #[error("the encoder did not begin with an IDR picture and parameter sets")]
    NoStart,
    /// It was asked on after an error.
    #[error("encoding has stopped")]
    Stopped,
}

/// When a frame is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In ticks of the track.
    pub pts: i64,
    /// Ticks per second.
    pub timescale: u32,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seconds = self.pts as f64 / f64::from(self.timescale.max(1));
        write!(f, "at {seconds:.3} s (pts {})", self.pts)
    }
}

fn in_package(package: &Option<&'static str>) -> String {
    package.map_or_else(String::new, |package| {
        format!("; the Debian package {package} has it")
    })
}
