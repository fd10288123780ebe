// SPDX-License-Identifier: MPL-2.0
//! The recording element.

/// Registers the element with the plugin.
pub fn register(_plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    Ok(())
}
