// SPDX-License-Identifier: MPL-2.0
//! A track that cannot be recorded costs the others nothing: it is said once, with its codec and
//! what would help, and what comes of it is dropped and counted. Only where nothing is left that
//! can be recorded is it an error.

use gst::prelude::*;
use gstsegmenter::archivesink::Container::{self, Mp4, MpegTs};

use crate::support::clip::Clip;
use crate::support::feed::play;
use crate::support::in_both_containers;
use crate::support::readback;
use crate::support::rig::Rig;

const H265: &str = "x265enc key-int-max=25 speed-preset=ultrafast option-string=log-level=none \
    ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au";
const AAC_WITHOUT_CONFIGURATION: &str =
    "audio/mpeg, mpegversion=4, stream-format=raw, channels=2, rate=48000";
const VORBIS: &str = "audio/x-vorbis, channels=2, rate=48000";
const PCM: &str = "audio/x-raw, format=S16LE, layout=interleaved, channels=2, rate=48000";
const MP1: &str = "audio/mpeg, mpegversion=1, layer=1, parsed=true, channels=2, rate=48000";
const FLAC: &str = "audio/x-flac, framed=true, channels=2, rate=48000";

fn caps(text: &str) -> gst::Caps {
    gst::init().expect("GStreamer starts");
    text.parse().expect("caps")
}

/// Which sound each container refuses, and what is said of it.
fn refused_sound(container: Container) -> Vec<(&'static str, [&'static str; 2])> {
    let common = [
        (AAC_WITHOUT_CONFIGURATION, ["AAC", "codec_data"]),
        (VORBIS, ["Vorbis", "re-encode it as AAC"]),
        (PCM, ["PCM", "re-encode it as AAC"]),
    ];
    let own = match container {
        Mp4 => (MP1, ["Layer 1", "container mpegts"]),
        MpegTs => (FLAC, ["FLAC", "container mp4"]),
    };
    common.into_iter().chain([own]).collect()
}

#[test]
fn sound_that_cannot_be_recorded_is_said_once_and_the_pictures_are_recorded_whole() {
    let clips = [Clip::h264(2), Clip::pictures(2, H265)];
    let sound = Clip::aac(2);
    in_both_containers(|container| {
        for (index, (refused, words)) in refused_sound(container).into_iter().enumerate() {
            let clip = &clips[index % clips.len()];
            let mut rig = Rig::new(container);
            let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
            rig.play();
            audio.caps(&caps(refused));
            video.caps(&clip.caps);
            play(&[
                (&video, clip.frames.clone()),
                (&audio, sound.frames.clone()),
            ]);
            rig.finish_with_complaints(&[&video, &audio]);
            let warnings = rig.warnings();
            let [said] = warnings.as_slice() else {
                panic!("{refused}: one warning is enough: {warnings:?}");
            };
            for word in words.into_iter().chain(["audio_0"]) {
                assert!(said.contains(word), "{word:?} is not in {said:?}");
            }
            let segments = readback::segments(rig.root());
            readback::assert_each_decodes(&segments);
            let times: Vec<_> = clip.frames.iter().map(|f| rig.utc(f.pts_ns)).collect();
            readback::assert_same_times(refused, &readback::video(&segments), &times);
            assert_eq!(readback::audio(&segments, 0), [], "{refused}");
        }
    });
}

#[test]
fn what_is_dropped_of_a_refused_track_is_counted() {
    let (clip, sound) = (Clip::h264(1), Clip::aac(1));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&caps(VORBIS));
        play(&[
            (&video, clip.frames.clone()),
            (&audio, sound.frames.clone()),
        ]);
        assert_eq!(rig.counted("dropped"), sound.frames.len() as u64);
    });
}

#[test]
fn pictures_that_cannot_be_recorded_leave_the_sound() {
    let sound = Clip::aac(3);
    let mpeg4 = "video/mpeg, mpegversion=4, systemstream=false, width=320, height=240";
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&caps(mpeg4));
        audio.caps(&sound.caps);
        let pictures = Clip::h264(3).frames;
        play(&[(&video, pictures), (&audio, sound.frames.clone())]);
        rig.finish_with_complaints(&[&video, &audio]);
        let warnings = rig.warnings();
        assert!(
            matches!(warnings.as_slice(), [one] if one.contains("MPEG-4") && one.contains("H.264")),
            "{warnings:?}"
        );
        let segments = readback::segments(rig.root());
        let times: Vec<_> = sound.frames.iter().map(|f| rig.utc(f.pts_ns)).collect();
        readback::assert_same_times("audio", &readback::audio(&segments, 0), &times);
    });
}

/// A source may change its mind, as one that is set up anew does.
#[test]
fn sound_that_becomes_what_can_be_recorded_is_recorded() {
    let (clip, sound) = (Clip::h264(4), Clip::aac(4));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&caps(AAC_WITHOUT_CONFIGURATION));
        let half_ns = 2_000_000_000;
        play(&[
            (&video, clip.between(0, half_ns)),
            (&audio, sound.between(0, half_ns)),
        ]);
        audio.caps(&sound.caps);
        play(&[
            (&video, clip.between(half_ns, i64::MAX)),
            (&audio, sound.between(half_ns, i64::MAX)),
        ]);
        rig.finish_with_complaints(&[&video, &audio]);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        assert_eq!(readback::video(&segments).len(), clip.frames.len());
        let heard = sound.between(half_ns, i64::MAX).len();
        assert_eq!(readback::audio(&segments, 0).len(), heard);
    });
}

#[test]
fn where_nothing_can_be_recorded_it_is_one_error_with_codec_and_remedy() {
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.request_unlinked("video");
        let audio = rig.request_unlinked("audio_0");
        rig.play();
        let send = |pad: &gst::Pad, text: &str| {
            pad.send_event(gst::event::StreamStart::new(text));
            pad.send_event(gst::event::Caps::new(&caps(text)))
        };
        assert!(send(&audio, VORBIS), "the other may be better");
        assert!(!send(&video, "video/x-theora, width=320, height=240"));
        let errors = rig.errors();
        let [said] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        assert!(said.contains("Theora") && said.contains("H.264"), "{said}");
        assert_eq!(rig.warnings().len(), 1);
    });
}
