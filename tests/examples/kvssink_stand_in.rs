// SPDX-License-Identifier: MPL-2.0
//! The stand-in for kvssink as a plugin, for `gst-launch-1.0` in tests. An example because `cargo
//! build` makes none: a release never has it beside the real plugins.
#![allow(missing_docs)]

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    tests::kvssink::register(Some(plugin))
}

gst::plugin_define!(
    kvssink_stand_in,
    "Stand-in for kvssink: for tests only",
    plugin_init,
    env!("CARGO_PKG_VERSION"),
    "MPL-2.0",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_REPOSITORY")
);
