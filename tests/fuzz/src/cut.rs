// SPDX-License-Identifier: MPL-2.0
//! What of cutting is a pure function.

#[path = "../../../gst-plugin-segmenter/src/cut/kind.rs"]
mod kind;
#[path = "../../../gst-plugin-segmenter/src/cut/plan/mod.rs"]
pub mod plan;

pub use kind::{Type, UnknownType};
