// SPDX-License-Identifier: MPL-2.0
//! The rooms of the segmenter that know no GStreamer, taken in as they are: the plugin's crate
//! would bring GStreamer along, to be instrumented and linked for nothing.

#[path = "../../../gst-plugin-segmenter/src/archive/mod.rs"]
pub mod archive;
pub mod cut;
#[path = "../../../gst-plugin-segmenter/src/media/mod.rs"]
pub mod media;
#[path = "../../../gst-plugin-segmenter/src/utc.rs"]
pub mod utc;
