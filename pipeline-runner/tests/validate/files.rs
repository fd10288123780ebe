// SPDX-License-Identifier: MPL-2.0
//! Files: right ones, broken ones, and what is none.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{Validate, command, says, sourced};

#[test]
fn a_right_definition_is_ok_and_counted() {
    let yaml =
        "pipelines:\n  a: { launch: fakesrc ! fakesink }\n  b: { launch: fakesrc ! fakesink }\n";
    assert_eq!(
        Validate::new(yaml).accepts(),
        "definition.yaml: ok, 2 pipelines\n"
    );
    let one = Validate::new(sourced("outputs:\n  - archive: {}")).without_plugins();
    assert_eq!(one.accepts(), "definition.yaml: ok, 1 pipeline\n");
}

#[test]
fn a_definition_can_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path())
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(b"pipelines: { a: { lunch: x } }\n")
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    says(
        &String::from_utf8(output.stderr).unwrap(),
        &["-:1:19", "`lunch`", "`launch`"],
    );
}

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    for (yaml, at, why) in [
        ("pipelines:\n  a: { launch: x\n  b: }\n", ":3:", ""),
        ("pipelines:\n\ta: x\n", ":2:", "tab"),
        ("", "", "empty"),
        ("- a\n- b\n", ":1:1", "no definition"),
        (
            "pipelines: { a: { launch: *b } }\n",
            ":1:27",
            "names no anchor",
        ),
        (
            "pipelines: { a: { launch: x } }\n---\npipelines: {}\n",
            ":3:1",
            "second document",
        ),
        ("pipelines:\n", ":1:1", "`pipelines` is empty"),
        ("pipelines: {}\n", ":1:1", "`pipelines` is empty"),
        ("pipelines: []\n", ":1:12", "`pipelines` is no mapping"),
    ] {
        Validate::new(yaml).says(&[&format!("definition.yaml{at}"), why]);
    }
}

#[test]
fn a_name_given_twice_is_refused() {
    let yaml = "pipelines:\n  a: { launch: x }\n  b: { launch: x }\n  a: { launch: y }\n";
    Validate::new(yaml).says(&["definition.yaml:4:3", "`a` is given twice"]);
}

#[test]
fn what_is_no_text_is_said_plainly() {
    let yaml = b"pipelines:\n  a: { launch: \"\xff\" }\n";
    Validate::new(yaml).says(&["definition.yaml:2:17", "not UTF-8"]);
    let folder = tempfile::tempdir().unwrap();
    for (name, why) in [(".", "is a folder"), ("nothing.yaml", "no such file")] {
        let output = command(folder.path()).arg(name).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        says(&String::from_utf8(output.stderr).unwrap(), &[name, why]);
    }
}

#[test]
fn anchors_are_followed() {
    let yaml = "archive: { root: a }\n\
                pipelines:\n\
                \x20 a: &cam\n\
                \x20   source: { test: { width: 640, height: 360 } }\n\
                \x20   outputs: [ archive: {} ]\n\
                \x20 b: *cam\n\
                \x20 c:\n\
                \x20   <<: *cam\n\
                \x20   live: true\n";
    let said = Validate::new(yaml).without_plugins().accepts();
    assert_eq!(said, "definition.yaml: ok, 3 pipelines\n");
}

#[test]
fn a_bomb_does_not_go_off() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    Validate::new(bomb).says(&["definition.yaml:"]);
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    Validate::new(format!("pipelines: {open}{close}\n")).says(&["definition.yaml:1:"]);
    Validate::new("x".repeat(5 << 20)).says(&["larger than 4 MiB"]);
}

#[test]
fn what_is_written_to_a_file_has_no_colours() {
    let said = Validate::new("pipelnes: {}\n").complaint();
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn the_examples_are_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut checked = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let output = command(&examples)
                .arg(&path)
                .env("CAMERA", "rtsp://camera.example/stream")
                // Any file that is there.
                .env("CLIP", &path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} examples");
}
