// SPDX-License-Identifier: MPL-2.0
//! Plugin `awscreds`: keeps AWS credentials fresh for what is downstream.
//!
//! [`session`] gets and renews credentials, without GStreamer; [`awscreds`] is the element.

pub mod awscreds;
pub mod session;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    awscreds::register(plugin)
}

/// What GStreamer calls to load the plugin. The macro's own items have no documentation.
#[allow(missing_docs)]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        awscreds,
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
