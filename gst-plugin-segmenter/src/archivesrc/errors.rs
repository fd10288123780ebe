// SPDX-License-Identifier: MPL-2.0
//! Which of GStreamer's errors an error is.

use std::io;

use gst::prelude::*;

use crate::cut::CutError;
use crate::cut::encode::EncodeError;
use crate::utc::UtcNs;

/// Settings that cannot be.
pub fn settings(text: &str) -> gst::ErrorMessage {
    gst::error_msg!(gst::ResourceError::Settings, ("{text}"))
}

/// Why there is no cut.
pub fn cut(error: &CutError) -> gst::ErrorMessage {
    let text = error.to_string();
    match error {
        CutError::NoRange | CutError::EndBeforeStart { .. } | CutError::TooLong { .. } => {
            settings(&text)
        }
        CutError::Holes(_) | CutError::Nothing { .. } | CutError::NoFrame { .. } => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{text}"))
        }
        CutError::Segment { .. } => gst::error_msg!(gst::StreamError::Demux, ("{text}")),
        CutError::Io(error) => read(error),
        CutError::Encode(error) => encode(error, &text),
        _ => gst::error_msg!(gst::StreamError::Format, ("{text}")),
    }
}

fn encode(error: &EncodeError, text: &str) -> gst::ErrorMessage {
    match error {
        EncodeError::ElementMissing { .. } => {
            gst::error_msg!(gst::CoreError::MissingPlugin, ("{text}"))
        }
        EncodeError::Feed(error) => read(error),
        EncodeError::Truncated(_) | EncodeError::Missing { .. } | EncodeError::Corrupt(_) => {
            gst::error_msg!(gst::StreamError::Decode, ("{text}"))
        }
        _ => gst::error_msg!(gst::StreamError::Encode, ("{text}")),
    }
}

/// What follows a pad refuses its caps: at the beginning, or where a camera was started anew with
/// others, which most muxers do not take in the middle of a file.
pub fn not_taken(pad: &gst::Pad, moment: Option<UtcNs>) -> gst::ErrorMessage {
    let mut caps = pad.current_caps().unwrap_or_else(gst::Caps::new_empty);
    for structure in caps.make_mut().iter_mut() {
        structure.remove_fields(["codec_data", "streamheader"]);
    }
    let from = moment.map_or(String::new(), |moment| {
        format!(", which comes from {moment} on")
    });
    gst::error_msg!(
        gst::StreamError::Format,
        (
            "what follows pad {} does not take {caps}{from}; parts of several formats are to be \
             cut by themselves",
            pad.name()
        )
    )
}

/// What the file system says.
pub fn read(error: &io::Error) -> gst::ErrorMessage {
    match error.kind() {
        io::ErrorKind::NotFound => gst::error_msg!(gst::ResourceError::NotFound, ("{error}")),
        io::ErrorKind::PermissionDenied => {
            gst::error_msg!(gst::ResourceError::NotAuthorized, ("{error}"))
        }
        io::ErrorKind::InvalidInput => settings(&error.to_string()),
        _ => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
    }
}
