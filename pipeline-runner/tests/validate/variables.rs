// SPDX-License-Identifier: MPL-2.0
//! Variables, and the secrets in them.

use super::{Validate, launch, pipeline, says};

const CAMERA: &str = "source: { rtsp: { uri: \"${FRONT_DOOR_URL:?set it to the camera}\" } }\n\
                      outputs: [ archive: {} ]";

#[test]
fn an_unset_variable_is_named_with_its_hint() {
    let why = "`FRONT_DOOR_URL` is not set";
    let hinted = Validate::new(pipeline(CAMERA));
    hinted.says(&["definition.yaml:5:29", why, "help: set it to the camera"]);
    let plain = CAMERA.replace(":?set it to the camera", "");
    let help = "${FRONT_DOOR_URL:-";
    Validate::new(pipeline(&plain)).says(&["definition.yaml:5:29", why, help]);
    let empty = Validate::new(pipeline(CAMERA)).with_variable("FRONT_DOOR_URL", "");
    empty.says(&["definition.yaml:5:29", "`FRONT_DOOR_URL` is empty"]);
}

#[test]
fn a_variable_that_is_set_or_has_a_default_is_put_in() {
    let set = Validate::new(pipeline(CAMERA)).without_plugins();
    set.with_variable("FRONT_DOOR_URL", "rtsp://camera.example/1")
        .accepts();
    let default = CAMERA.replace(":?set it to the camera", ":-rtsp://camera.example/2");
    Validate::new(pipeline(&default))
        .without_plugins()
        .accepts();
    let wrong = CAMERA.replace(":?set it to the camera", ":-http://camera.example/2");
    Validate::new(pipeline(&wrong))
        .without_plugins()
        .says(&["no RTSP URI"]);
    let number = "source: { test: { width: \"${FRONT_DOOR_URL}\" } }\noutputs: [ archive: {} ]";
    let number = Validate::new(pipeline(number)).without_plugins();
    number.with_variable("FRONT_DOOR_URL", "640").accepts();
}

#[test]
fn a_dollar_sign_is_never_taken_for_a_variable_by_surprise() {
    let yaml = pipeline("launch: fakesrc name=a$FRONT_DOOR_URL ! fakesink");
    let why = "`$FRONT_DOOR_URL` is ambiguous";
    Validate::new(&yaml).says(&["definition.yaml:5:27", why, "`$$FRONT_DOOR_URL`"]);
    Validate::new(yaml.replace('$', "$$")).accepts();
    Validate::new(yaml.replace("$FRONT", "$5")).accepts();
    for malformed in ["${1}", "${}", "${A", "${A!b}", "${A:b}"] {
        let yaml = pipeline(&format!("launch: 'fakesrc name=x{malformed} ! fakesink'"));
        Validate::new(yaml).says(&[
            "definition.yaml:5:28",
            "is no variable",
            "`${NAME:-default}`",
        ]);
    }
}

#[test]
fn a_variable_can_never_become_yaml() {
    let yaml = pipeline("launch: fakesrc name=${PASSWORD} ! fakesink");
    let hostile = "a\n    outputs: []\n  other: {}";
    let said = Validate::new(yaml)
        .without_plugins()
        .with_variable("PASSWORD", hostile)
        .accepts();
    assert_eq!(said, "definition.yaml: ok, 1 pipeline\n");
}

#[test]
fn a_line_break_in_a_variable_is_refused() {
    let camera = Validate::new(pipeline(CAMERA)).with_variable("FRONT_DOOR_URL", "rtsp://cam/1\n");
    camera.says(&["definition.yaml:5:28", "a control character", "line break"]);
}

#[test]
fn no_secret_from_a_variable_is_ever_printed() {
    let yaml = "source: { rtsp: { uri: \"${FRONT_DOOR_URL}\", tracks: \"${PASSWORD}\" } }";
    for (url, tracks) in [
        ("htp://admin:hunter2@camera", "all"),
        ("rtsp://admin:hunter2@camera", "hunter2"),
        ("hunter2", "all"),
    ] {
        let validate = Validate::new(pipeline(yaml))
            .with_variable("FRONT_DOOR_URL", url)
            .with_variable("PASSWORD", tracks);
        let said = validate.complaint();
        assert!(!said.contains("hunter2"), "{said}");
    }
    let text = launch("fakesrc num-buffers=${PASSWORD} ! fakesink x=3");
    let said = Validate::new(text)
        .with_variable("PASSWORD", "hunter2")
        .complaint();
    says(&said, &["definition.yaml:3:", "its value", "`x`"]);
    assert!(!said.contains("hunter2"), "{said}");
    for (key, value) in [
        ("width", "whole number"),
        ("framerate", "frame rate"),
        ("pattern", ""),
    ] {
        let yaml = format!("source: {{ test: {{ {key}: \"${{PASSWORD}}\" }} }}\noutputs: []");
        let said = Validate::new(pipeline(&yaml))
            .with_variable("PASSWORD", "hunter2")
            .complaint();
        says(&said, &["definition.yaml:5:", value]);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn no_secret_in_the_file_is_ever_printed() {
    for source in [
        "rtsp: { uri: \"htp://admin:hunter2@camera\", password: hunter2 }",
        "rtsp: { uri: \"rtsp://admin:hunter2@camera\", password: \"hunter2\", latency: x }",
        "rtsp: { uri: \"rtsp://admin:hunter2@camera\", password: [hunter2] }",
    ] {
        let said = Validate::new(pipeline(&format!("source: {{ {source} }}\noutputs: []")));
        let said = said.complaint();
        says(&said, &["definition.yaml:5:"]);
        assert!(!said.contains("hunter2"), "{said}");
    }
    let text =
        launch("rtspsrc location=rtsp://admin:hunter2@camera/ user-pw=hunter2 x=3 ! fakesink");
    let said = Validate::new(text).complaint();
    says(&said, &["definition.yaml:3:", "`x`"]);
    assert!(!said.contains("hunter2"), "{said}");
}
