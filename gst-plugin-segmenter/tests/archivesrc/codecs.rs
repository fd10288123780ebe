// SPDX-License-Identifier: MPL-2.0
//! Every codec that can be archived, out of both containers: players find a decoder by the caps
//! alone, and what it shows is what was recorded.

use gstsegmenter::archivesink::Container::{self, Mp4, MpegTs};

use crate::recording::clip::Clip;
use crate::support::archive::{Archive, FRAME_NS, SECOND_NS};
use crate::support::player::{Player, Seen, digests};

const SECONDS: u32 = 4;
const FROM_NS: i64 = SECOND_NS + 7 * FRAME_NS;
const TO_NS: i64 = 3 * SECOND_NS + 4 * FRAME_NS;
/// The longest frame of sound here is one of MP3, 26 ms.
const SOUND_NS: i64 = 30_000_000;

const OPEN_H264: &str = "x264enc key-int-max=25 bframes=3 b-adapt=false speed-preset=veryfast \
    option-string=open-gop=1:scenecut=0:min-keyint=25 \
    ! h264parse ! video/x-h264,stream-format=avc,alignment=au";
const H265: &str = "x265enc key-int-max=25 speed-preset=ultrafast \
    option-string=log-level=none:bframes=3:open-gop=0:scenecut=0:min-keyint=25:pools=none \
    ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au";
const OPEN_H265: &str = "x265enc key-int-max=25 speed-preset=ultrafast \
    option-string=log-level=none:bframes=3:open-gop=1:scenecut=0:min-keyint=25:pools=none \
    ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au";
const AV1: &str = "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=25 ! av1parse \
    ! video/x-av1,stream-format=obu-stream,alignment=tu";
const VP9: &str = "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! vp9parse";

fn opus() -> Clip {
    Clip::sound(SECONDS, 48_000, "opusenc ! opusparse")
}

fn mp3() -> Clip {
    let encoder = "lamemp3enc target=bitrate bitrate=64 cbr=true ! mpegaudioparse";
    Clip::sound(SECONDS, 44_100, encoder)
}

/// Plays a range by URI, in every player there is.
fn plays(container: Container, video: Clip, audio: &Clip) {
    let archive = Archive::in_container(container, video, audio);
    let uri = archive.uri(FROM_NS, TO_NS, "copy");
    for element in ["uridecodebin", "uridecodebin3"] {
        let player = Player::launch(&format!(
            "{element} name=src uri={uri} src. ! video/x-raw ! queue ! fakesink name=video \
             src. ! audio/x-raw ! queue ! fakesink name=audio"
        ));
        assert_plays(&archive, &player, element);
    }
    for element in ["playbin", "playbin3"] {
        assert_plays(&archive, &Player::playbin(element, &uri), element);
    }
}

#[track_caller]
fn assert_plays(archive: &Archive, player: &Player, what: &str) {
    player.play();
    let pictures = player.pictures();
    let expected = archive.shown(FROM_NS, TO_NS);
    let found = digests(&pictures);
    assert!(
        found == expected,
        "{what}: {} of {}",
        found.len(),
        expected.len()
    );
    for (number, seen) in (0_i64..).zip(&pictures) {
        let running_ns = seen.running_ns.expect("within");
        assert!(
            (running_ns - number * FRAME_NS).abs() < 20_000,
            "{what}, {number}: {running_ns}"
        );
    }
    assert_sound_covers(&player.sounds(), expected.len() as i64 * FRAME_NS, what);
}

#[track_caller]
fn assert_sound_covers(sounds: &[Seen], duration_ns: i64, what: &str) {
    let mut end_ns = 0;
    for seen in sounds {
        let from_ns = seen.running_ns.expect("within");
        let gap_ns = (from_ns - end_ns).abs();
        assert!(gap_ns < SOUND_NS, "{what}: {gap_ns} ns at {end_ns}");
        end_ns = from_ns + seen.duration_ns;
    }
    let short_ns = (duration_ns - end_ns).abs();
    assert!(short_ns < SOUND_NS, "{what}: {end_ns} of {duration_ns} ns");
}

#[test]
fn h264_with_open_gops_and_opus_play_out_of_mp4() {
    plays(Mp4, Clip::pictures(SECONDS, OPEN_H264), &opus());
}

#[test]
fn h264_with_a_pyramid_and_a_law_play_out_of_mp4() {
    let sound = Clip::sound(SECONDS, 8_000, "alawenc");
    plays(Mp4, Clip::h264_pyramid(SECONDS), &sound);
}

#[test]
fn h264_without_b_frames_and_u_law_play_out_of_mp4() {
    let sound = Clip::sound(SECONDS, 8_000, "mulawenc");
    plays(Mp4, Clip::h264(SECONDS), &sound);
}

#[test]
fn h265_and_mp3_play_out_of_mp4() {
    plays(Mp4, Clip::pictures(SECONDS, H265), &mp3());
}

#[test]
fn av1_and_flac_play_out_of_mp4() {
    let sound = Clip::sound(SECONDS, 44_100, "flacenc ! flacparse");
    plays(Mp4, Clip::pictures(SECONDS, AV1), &sound);
}

#[test]
fn vp9_and_opus_play_out_of_mp4() {
    plays(Mp4, Clip::pictures(SECONDS, VP9), &opus());
}

#[test]
fn h264_with_a_pyramid_and_aac_play_out_of_mpegts() {
    plays(MpegTs, Clip::h264_pyramid(SECONDS), &Clip::aac(SECONDS));
}

#[test]
fn h264_with_open_gops_and_mp3_play_out_of_mpegts() {
    plays(MpegTs, Clip::pictures(SECONDS, OPEN_H264), &mp3());
}

#[test]
fn h265_and_opus_play_out_of_mpegts() {
    plays(MpegTs, Clip::pictures(SECONDS, H265), &opus());
}

#[test]
fn h265_with_open_gops_and_aac_play_out_of_both() {
    for container in [Mp4, MpegTs] {
        let video = Clip::pictures(SECONDS, OPEN_H265);
        plays(container, video, &Clip::aac(SECONDS));
    }
}

/// What is downstream may want start codes, as decoders of devices and network sinks do, or
/// lengths, as muxers do: a parser makes either of what comes.
#[test]
fn parsers_make_of_the_pictures_the_form_that_is_wanted() {
    let forms = |kind: &'static str| match kind {
        "h264" => ["avc", "avc3", "byte-stream"],
        _ => ["hvc1", "hev1", "byte-stream"],
    };
    for (kind, video) in [
        ("h264", Clip::h264_pyramid(SECONDS)),
        ("h265", Clip::pictures(SECONDS, H265)),
    ] {
        for container in [Mp4, MpegTs] {
            let archive = Archive::in_container(container, video.clone(), &Clip::aac(SECONDS));
            let expected = archive.shown(FROM_NS, TO_NS);
            for form in forms(kind) {
                let wanted = format!("video/x-{kind},stream-format={form},alignment=au");
                let player = archive.player(
                    FROM_NS,
                    TO_NS,
                    "copy",
                    &format!(
                        "src.video ! {kind}parse ! {wanted} ! tee name=t \
                         t. ! queue ! {kind}parse ! avdec_{kind} ! fakesink name=video \
                         t. ! queue ! fakesink name=audio"
                    ),
                );
                player.play();
                let found = digests(&player.pictures());
                assert!(
                    found == expected,
                    "{container:?}, {form}: {} of {}",
                    found.len(),
                    expected.len()
                );
                let wanted: gst::Caps = wanted.parse().expect("caps");
                let passed = player.sounds();
                let first = passed.first().expect("some came");
                assert!(first.caps.is_subset(&wanted), "{}", first.caps);
            }
        }
    }
}
