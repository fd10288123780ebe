// SPDX-License-Identifier: MPL-2.0
//! The output is whole or not there, and nothing that was there is lost.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use gstsegmenter::archive::Container;

use crate::disk::{Disk, in_own_namespace};
use crate::material::Answer;
use crate::support::{Caught, Cutting, FRAMES, WHOLE, pictures};

const COPY: [&str; 2] = ["--type", "copy"];

/// Cuts everything.
fn to<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&WHOLE[..], &COPY, &["--output", output], more].concat()
}

#[test]
fn what_is_there_is_replaced_by_force_only() {
    let cutting = Cutting::new(Container::Mp4);
    fs::write(cutting.path("a.mp4"), "precious").expect("a file");
    cutting.refuses(1, &to("a.mp4", &[]), &["a.mp4 exists", "--force"]);
    assert_eq!(
        fs::read(cutting.path("a.mp4")).expect("a file"),
        b"precious"
    );
    cutting.run(&to("a.mp4", &["--force"])).with_code(0);
    assert_eq!(pictures(&cutting.path("a.mp4")).len(), FRAMES);
    assert_eq!(cutting.names(), ["a.mp4"]);
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
    let cutting = Cutting::new(Container::Mp4);
    fs::write(cutting.path("precious"), "precious").expect("a file");
    for target in ["precious", "/dev/null", "nowhere"] {
        let link = cutting.path("link.mp4");
        let _ = fs::remove_file(&link);
        symlink(target, &link).expect("a link");
        cutting.refuses(1, &to("link.mp4", &[]), &["link.mp4 exists"]);
        cutting.run(&to("link.mp4", &["--force"])).with_code(0);
        let metadata = fs::symlink_metadata(&link).expect("it is there");
        assert!(metadata.is_file(), "{target}");
    }
    let precious = fs::read(cutting.path("precious")).expect("a file");
    assert_eq!(precious, b"precious");
}

#[test]
fn a_file_that_comes_to_be_meanwhile_is_not_replaced() {
    let cutting = Cutting::new(Container::Mp4);
    let caught = Caught::in_the_middle(&cutting, &to("a.mp4", &[]), 0);
    fs::write(cutting.path("a.mp4"), "precious").expect("a file");
    let answer = caught.go_on();
    let error = answer.error_with_code(1);
    assert!(error.contains("a.mp4 exists"), "{error}");
    assert_eq!(cutting.names(), ["a.mp4"]);
    assert_eq!(
        fs::read(cutting.path("a.mp4")).expect("a file"),
        b"precious"
    );
}

#[test]
fn a_folder_that_goes_away_meanwhile_is_one_clear_error() {
    let cutting = Cutting::new(Container::Mp4);
    let caught = Caught::in_the_middle(&cutting, &to("a.mp4", &[]), 0);
    fs::remove_dir_all(cutting.folder()).expect("it is removed");
    let answer = caught.go_on();
    let error = answer.error_with_code(1);
    assert!(error.contains("cannot write a.mp4"), "{error}");
}

#[test]
fn the_umask_decides_who_may_read_it() {
    let cutting = Cutting::new(Container::Mp4);
    for (mask, mode) in [("022", 0o644), ("077", 0o600), ("000", 0o666)] {
        let name = format!("{mask}.mp4");
        let command = cutting.command(&to(&name, &[]));
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {mask}; exec \"$0\" \"$@\"")]);
        shell.arg(command.get_program()).args(command.get_args());
        let output = shell.current_dir(cutting.folder()).output();
        Answer::of(output.expect("it runs")).with_code(0);
        let metadata = fs::metadata(cutting.path(&name)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_name_may_be_as_long_as_names_can_be_and_of_any_bytes() {
    let cutting = Cutting::new(Container::Mp4);
    let long = format!("{}.MP4", "a".repeat(251));
    let mut command = cutting.command(&to(&long, &[]));
    assert!(command.status().expect("it runs").success());
    let odd = std::ffi::OsStr::from_bytes(b"\xff \n.mp4");
    let mut command = cutting.command(&[&WHOLE[..], &COPY, &["--output"]].concat());
    let output = command.arg(odd).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said.lines().count(), 1, "{said}");
    let lengths =
        |name: &std::ffi::OsStr| fs::metadata(cutting.folder().join(name)).map(|it| it.len());
    let written = lengths(odd).expect("it is there");
    assert_eq!(written, lengths(long.as_ref()).expect("it is there"));
}

#[test]
fn a_full_disk_is_one_clear_error_and_leaves_nothing() {
    in_own_namespace(
        "writing::a_full_disk_is_one_clear_error_and_leaves_nothing",
        || {
            let cutting = Cutting::new(Container::Mp4);
            let disk = Disk::mount(64 << 10);
            let path = disk.path().join("a.mp4");
            let output = path.to_str().expect("UTF-8");
            cutting.refuses(1, &to(output, &[]), &["No space left", output]);
            assert_eq!(fs::read_dir(disk.path()).expect("a folder").count(), 0);
            fs::write(&path, "precious").expect("room for a little");
            for kind in ["copy", "full"] {
                let arguments = ["--type", kind, "--output", output, "--force"];
                let arguments = [&WHOLE[..], &arguments].concat();
                cutting.refuses(1, &arguments, &["No space left", output]);
            }
            assert_eq!(fs::read(&path).expect("a file"), b"precious");
            fs::write(disk.path().join("more"), vec![0; 48 << 10]).expect("room for more");
            let arguments = ["--type", "full", "--output", "-"];
            let mut command = cutting.command(&[&WHOLE[..], &arguments].concat());
            let answer = command.env("TMPDIR", disk.path()).output();
            let answer = Answer::of(answer.expect("it runs"));
            let error = answer.error_with_code(1);
            let folder = disk.path().display().to_string();
            for word in ["No space left", &folder, "TMPDIR"] {
                assert!(error.contains(word), "{error}");
            }
        },
    );
}

#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let cutting = Cutting::new(Container::Mp4);
    let mut command = cutting.command(&to("-", &[]));
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let output = command.stdout(full.expect("Linux has it")).output();
    let answer = Answer::of(output.expect("it runs"));
    let error = answer.error_with_code(1);
    assert!(error.contains("standard output: No space left"), "{error}");
}

#[test]
fn standard_output_gets_the_same_bytes_as_a_file() {
    let cutting = Cutting::new(Container::Mp4);
    cutting.run(&to("a.mp4", &[])).with_code(0);
    let output = cutting.command(&to("-", &[])).output().expect("it runs");
    assert!(output.status.success());
    let file = fs::read(cutting.path("a.mp4")).expect("it is there");
    assert!(output.stdout == file, "{} bytes", output.stdout.len());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.starts_with("standard output: "), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn quiet_says_nothing() {
    let cutting = Cutting::new(Container::Mp4);
    let answer = cutting.run(&to("a.mp4", &["--quiet"]));
    assert_eq!(answer.with_code(0), "");
    assert_eq!(answer.err, "");
}
