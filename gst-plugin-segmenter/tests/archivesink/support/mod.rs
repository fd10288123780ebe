// SPDX-License-Identifier: MPL-2.0
//! What the tests of the element share.

pub mod clip;
pub mod decode;
#[path = "../../../../tests/src/disk.rs"]
pub mod disk;
pub mod feed;
pub mod fields;
pub mod readback;
pub mod rig;
pub mod time;

use gstsegmenter::archivesink::Container;

/// Runs the same test for both containers, side by side.
pub fn in_both_containers(test: impl Fn(Container) + Sync) {
    std::thread::scope(|scope| {
        for container in [Container::Mp4, Container::MpegTs] {
            let test = &test;
            let name = format!("{container:?}");
            let thread = std::thread::Builder::new().name(name);
            thread
                .spawn_scoped(scope, move || test(container))
                .expect("a thread");
        }
    });
}
