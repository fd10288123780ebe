// SPDX-License-Identifier: MPL-2.0
//! A cut that is recorded has the wall-clock times that it had at first.

use crate::recording::readback;
use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::Player;

#[test]
fn what_is_recorded_of_a_cut_is_indexed_by_the_times_of_the_source() {
    let archive = Archive::pyramid(6);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = archive.source(SECOND_NS, 5 * SECOND_NS, "smart");
    let line = format!(
        "{source} src.video ! queue ! h264parse ! sink.video \
         src.audio_0 ! queue ! aacparse ! sink.audio_0 \
         archivesink name=sink location={} stream=cam",
        folder.path().display()
    );
    Player::launch(&line).play();
    let (before, after) = (
        readback::segments(archive.root()),
        readback::segments(folder.path()),
    );
    let within = archive.utc(SECOND_NS)..archive.utc(5 * SECOND_NS);
    let mut expected = readback::video(&before);
    expected.retain(|utc| within.contains(utc));
    readback::assert_same_times("pictures", &readback::video(&after), &expected);
}
