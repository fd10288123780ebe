// SPDX-License-Identifier: MPL-2.0
//! Pictures encoded anew beside those they came from: ffmpeg encodes the material, and decodes
//! both again to compare.

mod archived;
mod display;
mod faults;
mod fitting;
mod groups;
mod sets;
mod support;
