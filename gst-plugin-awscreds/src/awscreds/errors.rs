// SPDX-License-Identifier: MPL-2.0
//! Failures as GStreamer's errors: which domain and code, with what was wrong as the text.

use crate::session::ErrorKind;

use super::delivery::DeliveryError;

/// A property is wrong.
pub fn settings(text: &str) -> gst::ErrorMessage {
    gst::error_msg!(gst::ResourceError::Settings, ("{text}"))
}

/// There is no target, and none could be made.
pub fn no_kvssink(name: &str) -> gst::ErrorMessage {
    gst::error_msg!(
        gst::CoreError::MissingPlugin,
        ("property `target`: there is no element named `{name}` in this pipeline, and GStreamer has no plugin with kvssink; build it from awslabs/amazon-kinesis-video-streams-producer-sdk-cpp (cmake -DBUILD_GSTREAMER_PLUGIN=ON) and set GST_PLUGIN_PATH to the folder of libgstkvssink.so")
    )
}

/// No credentials came.
pub fn session(kind: Option<ErrorKind>, text: &str) -> gst::ErrorMessage {
    match kind {
        Some(ErrorKind::User) => gst::error_msg!(gst::ResourceError::NotAuthorized, ("{text}")),
        _ => gst::error_msg!(gst::ResourceError::OpenRead, ("{text}")),
    }
}

/// They came and could not be delivered.
pub fn delivery(error: &DeliveryError) -> gst::ErrorMessage {
    match error {
        DeliveryError::Refused(text) => settings(text),
        DeliveryError::File(error) => gst::error_msg!(gst::ResourceError::OpenWrite, ("{error}")),
    }
}
