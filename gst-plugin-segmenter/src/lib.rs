// SPDX-License-Identifier: MPL-2.0
//! Plugin `segmenter`: records streams into segment files indexed by wall-clock time, and cuts
//! any range out of them.
//!
//! The rooms, and who may know whom: [`archive`] (names, coverage, retention, recovery) and
//! [`media`] (boxes and samples) know nobody but the clock face [`utc`], and no GStreamer;
//! [`caps`] says in GStreamer's words what a sample entry says; [`cut`] knows those,
//! [`archivesink`] and [`archivesrc`] know them all.

#![allow(clippy::non_send_fields_in_send_ty)]

pub mod archive;
pub mod archivesink;
pub mod archivesrc;
pub mod caps;
pub mod cut;
pub mod media;
pub mod utc;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    archivesink::register(plugin)?;
    archivesrc::register(plugin)
}

/// What GStreamer calls to load the plugin. The macro's own items have no documentation.
#[allow(missing_docs)]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        segmenter,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MPL-2.0",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

pub use plugin::plugin_register_static;
