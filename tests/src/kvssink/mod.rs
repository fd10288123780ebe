// SPDX-License-Identifier: MPL-2.0
//! A stand-in for AWS's `kvssink`.
//!
//! kvssink is in no registry and no distribution: it is built from source, with a C SDK and other
//! libraries, so tests that anyone can run cannot have it. This element takes its name, its pads
//! and its properties, looks for credentials in the same places in the same order ([`choice`]),
//! reads the file by the same rules ([`file`]) at the same moments, and fails with the same words
//! and status codes. It uploads nothing: frames are counted and dropped.
//!
//! Where kvssink may do one thing or another, it does the stricter one. kvssink reads the file at
//! some moment of the last 38 s before the declared expiry; this reads at each frame of them, and
//! whatever is wrong with the file at any of these moments ends the stream, while kvssink would
//! get over it by luck.
//!
//! It is a plugin for `gst-launch-1.0`, too: `cargo build --package tests --example
//! kvssink_stand_in` makes the library, which is never installed.

pub mod choice;
pub mod file;
mod imp;
mod properties;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// What stands in for kvssink.
    pub struct KvsSink(ObjectSubclass<imp::KvsSink>) @extends gst::Element, gst::Object;
}

/// Registers it as `kvssink`, with a plugin or for this process.
///
/// # Errors
/// As [`gst::Element::register`].
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "kvssink", gst::Rank::NONE, KvsSink::static_type())
}
