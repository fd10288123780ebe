// SPDX-License-Identifier: MPL-2.0
//! Records the commit and date that `plugin_define!` reports to `gst-inspect-1.0`.

fn main() {
    gst_plugin_version_helper::info();
}
