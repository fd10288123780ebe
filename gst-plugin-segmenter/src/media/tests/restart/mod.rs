// SPDX-License-Identifier: MPL-2.0
//! A copy that begins at the keyframe of an open GOP: real pictures are encoded by ffmpeg, the
//! copy is decoded, and every frame from the keyframe on is there, as it was, without a complaint.

mod h264;
mod h265;
mod material;
