// SPDX-License-Identifier: MPL-2.0
//! A camera's pads appear one after the other, as its streams' first packets do: all its tracks are
//! in the first segment, whichever comes first.

use gstsegmenter::utc::SECOND_NS;

use crate::support::clip::Clip;
use crate::support::feed::{Feed, play};
use crate::support::in_both_containers;
use crate::support::readback;
use crate::support::rig::Rig;

/// Adds a pad as the camera does, and says what its stream is.
fn appear(rig: &Rig, pad: &str, clip: &Clip) -> Feed {
    let feed = rig.feed(pad).live().one_of_several();
    feed.caps(&clip.caps);
    feed
}

#[test]
fn a_pad_that_appears_after_the_first_frames_has_its_track_in_the_first_segment() {
    let (clip, aac) = (Clip::h264(4), Clip::aac(4));
    let appears_ns = 300_000_000;
    in_both_containers(|container| {
        for sound_first in [false, true] {
            let mut rig = Rig::in_real_time(container);
            rig.play();
            // A camera begins with a keyframe.
            let late_ns = if sound_first { appears_ns } else { 0 };
            let pictures: Vec<_> = clip.frames.iter().map(|f| f.later(late_ns)).collect();
            let from_ns = if sound_first { 0 } else { appears_ns };
            let sounds = aac.between(from_ns, i64::MAX);
            let (video, audio) = match sound_first {
                true => {
                    let audio = appear(&rig, "audio_0", &aac);
                    play(&[(&audio, aac.between(0, appears_ns))]);
                    (appear(&rig, "video", &clip), audio)
                }
                false => {
                    let video = appear(&rig, "video", &clip);
                    play(&[(&video, clip.between(0, appears_ns))]);
                    (video, appear(&rig, "audio_0", &aac))
                }
            };
            let rest = pictures.iter().filter(|f| f.pts_ns >= appears_ns);
            let rest = rest.cloned().collect();
            play(&[(&video, rest), (&audio, aac.between(appears_ns, i64::MAX))]);
            rig.finish(&[&video, &audio]);
            check(&rig, late_ns, pictures.len(), sounds.len());
        }
    });
}

#[track_caller]
fn check(rig: &Rig, sound_leads_ns: i64, pictures: usize, sounds: usize) {
    let segments = readback::segments(rig.root());
    for segment in &segments {
        let path = segment.path.display();
        let heard = segment.audio.first().map_or(0, Vec::len);
        assert!(!segment.video.is_empty(), "{path}: no picture");
        assert!(heard > 0, "{path}: no sound");
        let start = segment.name.start;
        let early = segment.audio[0]
            .iter()
            .filter(|utc| start - **utc > sound_leads_ns + SECOND_NS / 10);
        assert_eq!(early.count(), 0, "{path}: sound before its start");
    }
    assert_eq!(readback::video(&segments).len(), pictures);
    assert_eq!(readback::audio(&segments, 0).len(), sounds);
}
