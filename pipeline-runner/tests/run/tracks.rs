// SPDX-License-Identifier: MPL-2.0
//! One track never takes another along: what cannot be recorded is left out, said once with its
//! codec and what would help, and the rest is recorded whole.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::camera::{self, H264, Packet, Show};
use crate::runner::{Runner, decodable_frames, files_below};

const CONTAINERS: [&str; 2] = ["mp4", "mpegts"];
const FRAMES: u64 = 50;

fn ffmpeg(arguments: &str) {
    let made = Command::new("ffmpeg")
        .args("-v error -y -f lavfi -i testsrc2=size=160x120:rate=25 -f lavfi -i sine=sample_rate=48000 -t 2".split(' '))
        .args(arguments.split(' '))
        .status();
    assert!(made.expect("ffmpeg is installed").success(), "{arguments}");
}

fn archived(runner: &Runner, stream: &str) -> Vec<PathBuf> {
    files_below(&runner.file(&format!("archive/{stream}")))
}

fn frames(runner: &Runner, stream: &str) -> u64 {
    let files = archived(runner, stream);
    files.iter().map(|file| decodable_frames(file)).sum()
}

/// Lines of the log at WARN or above about one pipeline.
fn complaints(runner: &Runner, pipeline: &str) -> Vec<String> {
    let said = runner.said();
    let of = format!(" {pipeline}: ");
    let lines = said.lines().filter(|line| line.contains(&of));
    let loud = lines.filter(|line| line.contains(" WARN ") || line.contains("ERROR "));
    loud.map(str::to_owned).collect()
}

#[test]
fn a_file_with_a_track_that_cannot_be_recorded_is_recorded_without_it() {
    const VIDEO: &str = "-c:v libx264 -pix_fmt yuv420p -g 25 -c:a";
    // What it is made with, how the file is named, what is said of it in MP4 and in MPEG-TS.
    let cases: [(&str, &str, [&str; 2]); 6] = [
        ("pcm_s16le", "pcm.mkv", ["PCM", "PCM"]),
        ("libvorbis", "vorbis.mkv", ["Vorbis", "Vorbis"]),
        ("ac3", "ac3.ts", ["", ""]),
        ("mp2", "mp2.ts", ["", ""]),
        ("flac", "flac.mkv", ["", "FLAC"]),
        (
            "aac -map 0 -map 0 -map 1",
            "two.mp4",
            ["another video", "another video"],
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let mut yaml = "archive: { root: FOLDER/archive }\npipelines:\n".to_owned();
    let mut pipeline = |name: &str, file: &str, container: &str| {
        let path = folder.path().join(file);
        let _ = writeln!(
            yaml,
            "  {name}:\n    source: {{ file: {{ path: {} }} }}\n    \
             outputs: [ archive: {{ container: {container} }} ]\n    restart: {{ policy: never }}",
            path.display()
        );
    };
    for (codec, file, _) in cases {
        ffmpeg(&format!(
            "{VIDEO} {codec} {}",
            folder.path().join(file).display()
        ));
        for container in CONTAINERS {
            pipeline(&format!("{file}-{container}"), file, container);
        }
    }
    ffmpeg(&format!(
        "-c:v mpeg4 -c:a aac {}",
        folder.path().join("mpeg4.mp4").display()
    ));
    ffmpeg(&format!(
        "-c:v mpeg4 -an {}",
        folder.path().join("mute.mkv").display()
    ));
    for container in CONTAINERS {
        pipeline(&format!("mpeg4-{container}"), "mpeg4.mp4", container);
        pipeline(&format!("mute-{container}"), "mute.mkv", container);
    }
    let mut runner = Runner::start(&yaml);
    assert_eq!(runner.await_code(), 1, "of the mute ones nothing is left");
    let said = runner.said();
    for bad in ["file a bug", "not-negotiated", "not-linked", "CRITICAL"] {
        assert!(!said.contains(bad), "{bad}:\n{said}");
    }
    for (container, which) in CONTAINERS.into_iter().zip(0..) {
        for (_, file, words) in &cases {
            let name = format!("{file}-{container}");
            let complaints = complaints(&runner, &name);
            match words[which] {
                "" => assert!(complaints.is_empty(), "{complaints:?}"),
                word => assert!(
                    matches!(complaints.as_slice(), [one] if one.contains(word)),
                    "{word}: {complaints:?}"
                ),
            }
            assert_eq!(frames(&runner, &name), FRAMES, "{name}\n{said}");
        }
        let pictures = complaints(&runner, &format!("mpeg4-{container}"));
        assert!(
            matches!(pictures.as_slice(), [one] if one.contains("H.264")),
            "{pictures:?}"
        );
        assert!(!archived(&runner, &format!("mpeg4-{container}")).is_empty());
        let mute = complaints(&runner, &format!("mute-{container}"));
        let why = "the source offers no stream that can be recorded: video track left out";
        assert!(mute.iter().any(|line| line.contains(why)), "{mute:?}");
    }
}

/// Records a camera in both containers for some seconds, and returns what each holds.
fn recorded(media: &str, packets: Vec<Packet>, seconds: u64) -> (Runner, [u64; 2]) {
    let uri = camera::start(Show {
        media: media.to_owned(),
        packets,
    });
    let mut yaml = "archive: { root: FOLDER/archive }\npipelines:\n".to_owned();
    for container in CONTAINERS {
        let _ = writeln!(
            yaml,
            "  {container}:\n    source: {{ rtsp: {{ uri: \"{uri}\" }} }}\n    \
             outputs: [ archive: {{ container: {container}, target_duration: 1s }} ]"
        );
    }
    let mut runner = Runner::start(&yaml);
    for container in CONTAINERS {
        runner.await_line(&format!("{container}: running"));
    }
    // As long as the camera sends, and what waits on the way.
    std::thread::sleep(Duration::from_millis(seconds * 1000 + 1_500));
    runner.ctrl_c();
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    for container in CONTAINERS {
        let starts = runner.count(&format!("{container}: starting"));
        assert_eq!(starts, 1, "{}", runner.said());
    }
    let frames = CONTAINERS.map(|container| frames(&runner, container));
    (runner, frames)
}

#[test]
fn a_camera_with_sound_that_cannot_be_recorded_is_recorded_without_it_at_the_first_start() {
    const AAC: &str = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/1\r\n\
        a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3\r\na=control:track1\r\n";
    const G726: &str = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\na=control:track1\r\n";
    let sound = "audiotestsrc num-buffers=180 ! audioconvert ! audioresample";
    let aac = format!(
        "{sound} ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! aacparse ! rtpmp4gpay pt=97"
    );
    let alaw = format!("{sound} ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay pt=97");
    for (what, text, word) in [(AAC, aac, "AAC"), (G726, alaw, "G726-32")] {
        let packets = [camera::h264(0, 4, 1), camera::packets(1, &text)];
        let (runner, frames) = recorded(&format!("{H264}{what}"), camera::merged(packets), 4);
        assert_eq!(frames, [100, 100], "{word}\n{}", runner.said());
        let left_out = runner.count("audio track left out");
        assert_eq!((left_out, runner.count(word)), (2, 2), "{}", runner.said());
    }
}

#[test]
fn a_second_source_of_a_cameras_stream_costs_no_frame_and_takes_over_when_the_first_is_silent() {
    let stream = camera::h264(0, 6, 1);
    // Strays of another source among the first three seconds, which then takes over.
    let change = Duration::from_secs(3);
    let own = stream.iter().filter(|packet| packet.at < change).cloned();
    let other = camera::h264(0, 6, 2);
    let (strays, rest) = other.into_iter().partition::<Vec<_>, _>(|p| p.at < change);
    let strays = strays
        .into_iter()
        .filter(|packet| packet.at.as_millis() % 1000 == 400);
    let packets = camera::merged([own.collect(), strays.collect(), rest]);
    let (runner, frames) = recorded(H264, packets, 6);
    assert_eq!(frames, [150, 150], "{}", runner.said());
}

/// Whether an RTP packet holds a piece of a keyframe (RFC 6184, 5.4 and 5.8).
fn is_of_a_keyframe(packet: &Packet) -> bool {
    match packet.bytes.get(12..14) {
        Some([28 | 60 | 92 | 124, header]) => header & 31 == 5,
        Some([header, _]) => header & 31 == 5,
        _ => false,
    }
}

#[test]
fn a_camera_of_which_nothing_is_recorded_is_not_called_running_but_fails_with_the_reason() {
    let mut packets = camera::h264(0, 8, 1);
    packets.retain(|packet| !is_of_a_keyframe(packet));
    let uri = camera::start(Show {
        media: H264.to_owned(),
        packets,
    });
    // A keyframe is waited for twelve times as long. (Shorter, and the RTP client's own wait for what
    // was left out is a stall.)
    let yaml = format!(
        "archive: {{ root: FOLDER/archive }}\npipelines:\n  cam:\n    \
         source: {{ rtsp: {{ uri: \"{uri}\" }} }}\n    outputs: [ archive: {{}} ]\n    \
         stall_timeout: 500ms\n    restart: {{ initial: 100ms, max: 100ms }}\n"
    );
    let runner = Runner::start(&yaml);
    runner.await_line("cam: nothing was recorded for 6s: ");
    runner.await_line("no keyframe came");
    assert_eq!(runner.count("cam: running"), 0, "{}", runner.said());
    assert_eq!(archived(&runner, "cam"), [] as [PathBuf; 0]);
}
