// SPDX-License-Identifier: MPL-2.0
//! However a cut ends before it is done, nothing of it is left.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use gstsegmenter::archive::Container;
use rustix::process::Signal;

use crate::material::{TestArchive, add_from_ffmpeg};
use crate::support::{Caught, Cutting};

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];
/// More than a pipe holds.
const MUCH_BYTES: u64 = 10 << 20;

/// Two seconds in which every pixel is noise.
fn noise() -> Cutting {
    let archive = TestArchive::new();
    let noise = [
        "-vf",
        "scale=640:480,noise=alls=100:allf=t",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-qp",
        "8",
        "-movflags",
        "+frag_keyframe+empty_moov+default_base_moof",
        "-f",
        "mp4",
    ];
    add_from_ffmpeg(&archive, "cam", Container::Mp4, &noise);
    Cutting::of(archive)
}

/// All of the noise, to there.
fn all(output: &str) -> Vec<&str> {
    let two_seconds = ["--range", "2026-11-20T10:31:06.25Z,2026-11-20T10:31:08.20Z"];
    let rough = ["--type", "rough", "--output", output];
    [&two_seconds[..], &rough].concat()
}

#[test]
fn a_signal_in_the_middle_of_writing_leaves_nothing() {
    let cutting = noise();
    for signal in SIGNALS {
        let caught = Caught::in_the_middle(&cutting, &all("a.mp4"), 1);
        let output = caught.end_by(signal);
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        assert_eq!(output.stdout, b"");
        assert_eq!(output.stderr, b"");
        assert_eq!(cutting.names(), [""; 0], "{signal:?}");
    }
}

#[test]
fn a_signal_before_anything_is_written_leaves_what_was_there() {
    let cutting = noise();
    fs::write(cutting.path("a.mp4"), "precious").expect("a file");
    let arguments = [&all("a.mp4")[..], &["--force"]].concat();
    for signal in SIGNALS {
        let caught = Caught::in_the_middle(&cutting, &arguments, 0);
        let output = caught.end_by(signal);
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        assert_eq!(cutting.names(), ["a.mp4"], "{signal:?}");
        let content = fs::read(cutting.path("a.mp4")).expect("a file");
        assert!(content == b"precious", "{} bytes", content.len());
    }
}

#[test]
fn under_nohup_a_terminal_that_closes_is_no_matter() {
    let cutting = noise();
    let arguments = all("a.mp4");
    let command = cutting.command(&arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; kill -HUP $$; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    let caught = Caught::command_in_the_middle(&cutting, &mut shell, 1);
    let output = caught.end_by(Signal::HUP);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cutting.names(), ["a.mp4"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cutting = noise();
    let mut command = cutting.command(&all("-"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut out = child.stdout.take().expect("a pipe");
    let mut start = [0; 8];
    out.read_exact(&mut start).expect("the first bytes");
    assert_eq!(start[4..], *b"ftyp");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"", "nothing to complain about");
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_who_wants_to_leave() {
    let cutting = noise();
    for signal in SIGNALS {
        let mut command = cutting.command(&all("-"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut out = child.stdout.take().expect("a pipe");
        out.read_exact(&mut [0; 8]).expect("the first bytes");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).expect("it is at work");
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal.as_raw()));
    }
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    let cutting = noise();
    let mut command = cutting.command(&all("-"));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut out = child.stdout.take().expect("a pipe");
    let mut buffer = vec![0; 1000];
    let mut bytes = 0;
    loop {
        match out.read(&mut buffer).expect("it is read") {
            0 => break,
            read => bytes += read as u64,
        }
    }
    assert!(child.wait().expect("it ends").success());
    assert!(bytes > MUCH_BYTES, "{bytes}");
    assert!(cutting.run(&all("a.mp4")).code == Some(0));
    let metadata = fs::metadata(cutting.path("a.mp4")).expect("a file");
    assert_eq!(bytes, metadata.len());
}
