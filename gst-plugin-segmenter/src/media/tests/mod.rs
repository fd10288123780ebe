// SPDX-License-Identifier: MPL-2.0
//! What other people's tools make of what is written here: material is encoded by ffmpeg, its
//! frames are written anew as a segment in chunks of 200 ms, and ffmpeg, ffprobe and GStreamer
//! read that.

mod gstreamer;
mod material;
mod packets;
mod playback;
mod reading;
mod restart;
mod tools;
mod transport;
mod ts_damage;
mod ts_frames;
mod ts_mux;
mod ts_promises;
mod ts_shapes;
mod ts_writing;
mod writing;
