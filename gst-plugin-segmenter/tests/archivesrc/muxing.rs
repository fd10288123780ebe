// SPDX-License-Identifier: MPL-2.0
//! Cuts as muxers write them.

use std::path::Path;

use crate::recording::decode::{self, What};
use crate::recording::readback;
use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::Player;

/// Writes a range to a file by this line.
fn write(archive: &Archive, line: &str, file: &Path) {
    let source = archive.source(SECOND_NS, 4 * SECOND_NS, "smart");
    let line = line.replace("FILE", &file.display().to_string());
    Player::launch(&format!("{source} {line}")).play();
    assert_eq!(readback::complaints(file), "", "{line}");
}

/// Digests of the pictures of a file that holds the same range, cut from what was recorded.
fn expected(archive: &Archive) -> usize {
    archive.shown(SECOND_NS, 4 * SECOND_NS).len()
}

#[test]
fn mp4mux_writes_the_frames_of_the_range_and_nothing_else() {
    let archive = Archive::pyramid(5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cut.mp4");
    for line in [
        "src.video ! h264parse ! mp4mux ! filesink location=FILE",
        // No queues: nothing makes one pad wait for another.
        "mp4mux name=m ! filesink location=FILE src.video ! h264parse ! m. \
         src.audio_0 ! aacparse ! m.",
        "src.video ! queue ! h264parse ! mp4mux name=m ! filesink location=FILE \
         src.audio_0 ! queue ! aacparse ! m.",
    ] {
        write(&archive, line, &file);
        let player = Player::launch(&format!(
            "filesrc location={} ! qtdemux ! h264parse ! avdec_h264 ! fakesink name=video",
            file.display()
        ));
        player.play();
        let found = crate::support::player::digests(&player.pictures());
        assert!(
            found == archive.shown(SECOND_NS, 4 * SECOND_NS),
            "{line}: {}",
            found.len()
        );
        assert_eq!(decode::frames(&file, What::Video).len(), expected(&archive));
    }
}

#[test]
fn matroskamux_and_mpegtsmux_take_it_too() {
    let archive = Archive::pyramid(5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (mux, name) in [("matroskamux", "cut.mkv"), ("mpegtsmux", "cut.ts")] {
        let file = folder.path().join(name);
        let line = format!(
            "{mux} name=m ! filesink location=FILE src.video ! h264parse ! m. \
             src.audio_0 ! aacparse ! m."
        );
        write(&archive, &line, &file);
        assert_eq!(
            decode::frames(&file, What::Video).len(),
            expected(&archive),
            "{mux}"
        );
    }
}
