// SPDX-License-Identifier: MPL-2.0
//! Archives that other programs wrote: broadcasts, HLS in fragmented MP4, a camera's plain MP4. What
//! there is of them is cut as ffmpeg plays it, and what cannot be is said, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::material::TestArchive;
use crate::support::{Cutting, at, cut, pictures, range};

const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=6";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=6";
/// Six seconds in three segments, from 10:31:00 on.
const SEGMENT_S: usize = 2;
/// The longest frame of sound here: one of AC-3.
const SOUND_S: f64 = 0.032;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("it is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    assert_eq!(said, "", "{program} {arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Encodes six seconds; options as on ffmpeg's command line, the last of them the file.
fn ffmpeg(folder: &Path, options: &str) {
    let fixed = "-nostdin -v error -y -f lavfi -i {} -itsoffset 0.5 -f lavfi -i {}";
    let fixed = match options.strip_prefix("LATE ") {
        Some(_) => fixed.to_owned(),
        None => fixed.replace("-itsoffset 0.5 ", ""),
    };
    let mut inputs = [PICTURE, TONE].into_iter();
    let fixed = fixed.split(' ').map(|word| match word {
        "{}" => inputs.next().expect("two").to_owned(),
        word => word.to_owned(),
    });
    let options = options.strip_prefix("LATE ").unwrap_or(options);
    let mut command = Command::new("ffmpeg");
    command.args(fixed.collect::<Vec<_>>());
    command.args(options.split_whitespace()).current_dir(folder);
    let output = command.output().expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options}: {said}");
}

/// An archive of these files, two seconds each, named as wubloader names them.
fn archive(files: &[PathBuf], extension: &str) -> Cutting {
    let archive = TestArchive::new();
    let hour = archive.hour_folder("cam", "source");
    fs::create_dir_all(&hour).expect("a folder");
    for (number, file) in files.iter().enumerate() {
        let bytes = fs::read(file).expect("it was just made");
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
        let second = number * SEGMENT_S;
        let name = format!("31:{second:02}.0-{SEGMENT_S}.0-full-{hash}.{extension}");
        fs::write(hour.join(name), bytes).expect("a segment");
    }
    Cutting::of(archive)
}

/// The files `s0`, `s1`, `s2` that ffmpeg's segment muxer wrote.
fn segments(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let name = |number: usize| folder.join(format!("s{number}.{extension}"));
    (0..3).map(name).collect()
}

/// What ffprobe says of each stream.
fn streams(path: &Path, entries: &str) -> Vec<Value> {
    let path = format!("file:{}", path.display());
    let entries = format!("stream={entries}:stream_side_data=rotation");
    let arguments = [
        "-v",
        "error",
        "-show_entries",
        &entries,
        "-of",
        "json",
        &path,
    ];
    let said: Value = serde_json::from_str(&run("ffprobe", &arguments)).expect("JSON");
    said["streams"].as_array().expect("a list").clone()
}

/// The packets of a stream as their MD5s, and the time of the first.
fn packets(path: &Path, stream: &str) -> (Vec<String>, f64) {
    let input = path.to_str().expect("UTF-8");
    let arguments = ["-v", "error", "-i", input, "-map", stream, "-c", "copy"];
    let text = run(
        "ffmpeg",
        &[&arguments[..], &["-f", "framemd5", "-"]].concat(),
    );
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: 1/"));
    let base: f64 = base
        .and_then(|base| base.parse().ok())
        .expect("a time base");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = |line: &str| line.split(',').map(str::trim).map(str::to_owned).collect();
    let lines: Vec<Vec<String>> = lines.map(fields).collect();
    let first: f64 = lines[0][2].parse().expect("a time");
    let md5s = lines.into_iter().map(|fields| fields[5].clone());
    (md5s.collect(), first / base)
}

/// By how much sound begins after the pictures.
fn lateness_s(path: &Path) -> f64 {
    packets(path, "0:a:0").1 - packets(path, "0:v:0").1
}

#[track_caller]
fn decodes_in_silence(path: &Path) {
    let input = path.to_str().expect("UTF-8");
    let arguments = ["-v", "warning", "-xerror", "-i", input, "-map", "0"];
    run("ffmpeg", &[&arguments[..], &["-f", "null", "-"]].concat());
}

#[test]
fn sound_of_broadcasts_is_cut_and_what_cannot_be_is_said_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = "-map 0 -map 1 -map 1 -map 1 -map 1 -map 1 -map 0 -c:v libx264 -g 25 \
        -c:a:0 mp2 -c:a:1 ac3 -c:a:2 eac3 -c:a:3 aac -c:a:4 dca -ac 2 -strict -2 \
        -f segment -segment_time 2 -segment_format mpegts \
        -segment_format_options mpegts_flags=latm s%d.ts";
    ffmpeg(folder.path(), options);
    let cutting = archive(&segments(folder.path(), "ts"), "ts");
    let range = range("01.1", "04.7");
    let range: Vec<&str> = range.iter().map(String::as_str).collect();
    let json = cut(&cutting, &range);
    let skipped = json["skipped"].as_array().expect("a list");
    let named = |skipped: &Value| {
        let field = |name: &str| skipped[name].as_str().expect("a text").to_owned();
        (field("track"), field("codec"))
    };
    let named: Vec<_> = skipped.iter().map(named).collect();
    let wanted = [("PID 261", "DTS (stream type 0x82)"), ("PID 262", "H.264")];
    let wanted = wanted.map(|(track, codec)| (track.to_owned(), codec.to_owned()));
    assert_eq!(named, wanted);
    let arguments = [&range[..], &["--output", "a.ts"]].concat();
    let answer = cutting.run(&arguments);
    answer.with_code(0);
    let warnings = answer
        .err
        .lines()
        .filter(|line| line.starts_with("warning: "));
    assert_eq!(warnings.count(), 2, "{answer:?}");

    for name in ["a.mp4", "a.ts"] {
        let path = cutting.path(name);
        decodes_in_silence(&path);
        let found = streams(&path, "codec_name,duration");
        let codecs = found.iter().map(|stream| stream["codec_name"].as_str());
        let codecs: Vec<_> = codecs.flatten().collect();
        // Of MP4, which does not tell the layer, ffprobe takes MP3 for granted.
        let mp2 = if name == "a.ts" { "mp2" } else { "mp3" };
        assert_eq!(codecs, ["h264", mp2, "ac3", "eac3", "aac"], "{name}");
        for number in 0..3 {
            let stream = format!("0:a:{number}");
            let (cut, _) = packets(&path, &stream);
            let files = segments(folder.path(), "ts");
            let source = files.iter().flat_map(|file| packets(file, &stream).0);
            let source: Vec<String> = source.collect();
            assert!(
                source.windows(cut.len()).any(|part| part == cut),
                "{name}: {number}"
            );
        }
        assert_eq!(pictures(&path).len(), 90, "{name}");
    }
    let found = streams(&cutting.path("a.mp4"), "duration");
    for stream in &found {
        let duration = stream["duration"].as_str().expect("a text");
        let duration: f64 = duration.parse().expect("a number");
        assert!((duration - 3.6).abs() < SOUND_S, "{found:?}");
    }
}

#[test]
fn sound_that_begins_later_than_the_pictures_is_as_late_in_the_cut() {
    for b_frames in ["0", "2"] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!(
            "LATE -map 0 -map 1 -c:v libx264 -bf {b_frames} -g 50 -c:a aac -f hls -hls_time 2 \
             -hls_segment_type fmp4 -hls_playlist_type vod -hls_segment_filename s%d.m4s p.m3u8"
        );
        ffmpeg(folder.path(), &options);
        let head = fs::read(folder.path().join("init.mp4")).expect("a head");
        let files = segments(folder.path(), "m4s");
        for file in &files {
            let whole = [head.clone(), fs::read(file).expect("a segment")].concat();
            fs::write(file, whole).expect("a segment");
        }
        let wanted_s = lateness_s(&folder.path().join("p.m3u8"));
        assert!(wanted_s > 0.4, "{wanted_s}");
        let cutting = archive(&files, "ts");
        for kind in ["copy", "smart"] {
            cut(
                &cutting,
                &["--start", &at("00"), "--end", &at("06"), "--type", kind],
            );
            let late_s = lateness_s(&cutting.path("a.mp4"));
            assert!((late_s - wanted_s).abs() < 0.001, "{late_s} for {wanted_s}");
        }
    }
}

#[test]
fn plain_mp4_is_cut_like_fragments() {
    for places in ["", "-segment_format_options movflags=+faststart"] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!(
            "-c:v libx264 -bf 2 -g 25 -c:a aac -f segment -segment_time 2 -segment_format mp4 \
             {places} -reset_timestamps 1 s%d.mp4"
        );
        ffmpeg(folder.path(), &options);
        let files = segments(folder.path(), "mp4");
        let source: Vec<String> = files.iter().flat_map(|file| pictures(file)).collect();
        let cutting = archive(&files, "mp4");
        let range = range("01.12", "04.72");
        let range: Vec<&str> = range.iter().map(String::as_str).collect();
        cut(&cutting, &[&range[..], &["--type", "copy"]].concat());
        assert!(
            pictures(&cutting.path("a.mp4")) == source[28..118],
            "{places}"
        );
        let json = cut(&cutting, &range);
        assert!(json["frames"]["copied"].as_u64() > Some(60), "{json}");
        assert_eq!(pictures(&cutting.path("a.mp4")).len(), 90);
        let late_s = lateness_s(&cutting.path("a.mp4"));
        assert!(late_s.abs() < 2.0 * SOUND_S, "{late_s}");
        let verified = cutting.archive.run("verify", &[]);
        verified.with_code(0);
    }
}

#[test]
fn what_a_camera_puts_beside_its_pictures_is_left_out_and_said_and_how_they_are_turned_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("t.srt"),
        "1\n00:00:00,000 --> 00:00:03,000\nhello\n",
    )
    .expect("a file");
    let options = "-i t.srt -map 0 -map 1 -map 1 -map 2 -c:v libx264 -g 25 -c:a:0 aac \
        -c:a:1 pcm_s16le -c:s mov_text -t 2 -f mov plain.mov";
    ffmpeg(folder.path(), options);
    let options = "-i plain.mov -map 2 -c copy -metadata:s:v:0 rotate=90 \
        -timecode 00:00:00:00 -f mov s0.mov";
    ffmpeg(folder.path(), options);
    let file = folder.path().join("s0.mov");
    let cutting = archive(std::slice::from_ref(&file), "mp4");
    let ends = ["--start", &at("00.4"), "--end", &at("01.6")].map(str::to_owned);
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    let json = cut(&cutting, &ends);
    let skipped = json["skipped"].as_array().expect("a list");
    let codecs = skipped.iter().map(|skipped| skipped["codec"].as_str());
    let codecs: Vec<_> = codecs.flatten().collect();
    assert_eq!(codecs, ["sowt", "text", "tmcd"], "{json}");
    let found = streams(&cutting.path("a.mp4"), "codec_name");
    let codecs = found.iter().map(|stream| stream["codec_name"].as_str());
    assert_eq!(codecs.collect::<Vec<_>>(), [Some("h264"), Some("aac")]);
    let turned = |streams: &[Value]| streams[0]["side_data_list"][0]["rotation"].as_i64();
    let wanted = turned(&streams(&file, "codec_name"));
    assert!(wanted.is_some(), "the source is turned");
    assert_eq!(turned(&found), wanted);
    decodes_in_silence(&cutting.path("a.mp4"));
}

#[test]
fn where_open_gops_meet_there_is_no_hole_in_either_container() {
    let h264 = "libx264 -bf 3 -x264-params open-gop=1:keyint=25:min-keyint=25:b-adapt=0:scenecut=0";
    let h265 = "libx265 -tag:v hvc1 \
        -x265-params open-gop=1:keyint=25:min-keyint=25:bframes=4:b-adapt=0:scenecut=0:log-level=0";
    let fragments =
        "mp4 -segment_format_options movflags=+frag_keyframe+empty_moov+default_base_moof";
    for codec in [h264, h265] {
        for format in ["mpegts -bsf:v dump_extra", fragments, "mp4"] {
            let folder = tempfile::tempdir().expect("a folder");
            let options = format!(
                "-map 0:v -c:v {codec} -f segment -segment_time 2 -segment_format {format} s%d.bin"
            );
            ffmpeg(folder.path(), &options);
            let cutting = archive(&segments(folder.path(), "bin"), "ts");
            for kind in ["smart", "copy"] {
                let ends = ["--start", &at("00.4"), "--end", &at("05.4"), "--type", kind];
                let json = cut(&cutting, &ends);
                assert_eq!(json["holes"], Value::Array(Vec::new()), "{format}: {json}");
                let shown = pictures(&cutting.path("a.mp4")).len();
                assert_eq!(shown, 125, "{kind}, {format}: {json}");
            }
        }
    }
}
