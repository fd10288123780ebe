// SPDX-License-Identifier: MPL-2.0
//! What a right definition comes out as.

use std::path::Path;
use std::time::Duration;

use gst::prelude::*;

use super::launch::escaped;
use super::{Build, Definitions, Policy, Tracks, file};

fn definitions(yaml: &str) -> Definitions {
    let environment = |name: &str| (name == "PASSWORD").then(|| "hunter2".to_owned());
    file::definitions(Path::new("test.yaml"), yaml.to_owned(), &environment).unwrap()
}

/// The pipeline `door`, with these lines.
fn door(lines: &str) -> super::Pipeline {
    let yaml = format!("archive: {{ root: ./archive }}\npipelines:\n  door: {{ {lines} }}\n");
    definitions(&yaml).pipelines.remove("door").unwrap()
}

const RECORD: &str = "outputs: [ archive: {} ]";

#[test]
fn an_archive_and_its_retention_are_read() {
    let yaml = "archive:\n  root: ./archive\n  retention: { age: 30d, bytes: 500GiB, min_free: 10GB }\n\
                pipelines: { a: { launch: fakesrc ! fakesink } }\n";
    let archive = definitions(yaml).archive.unwrap();
    assert_eq!(archive.root, Path::new("./archive"));
    assert_eq!(archive.retention.age, Some(Duration::from_secs(30 * 86400)));
    assert_eq!(archive.retention.bytes, Some(500 << 30));
    assert_eq!(archive.retention.min_free, Some(10_000_000_000));
    let yaml = "archive: { root: a }\npipelines: { a: { launch: fakesrc ! fakesink } }\n";
    assert_eq!(
        definitions(yaml).archive.unwrap().retention,
        super::Retention::default()
    );
}

#[test]
fn nothing_is_deleted_unless_asked_for() {
    let retention = super::Retention::default();
    assert_eq!(
        (retention.age, retention.bytes, retention.min_free),
        (None, None, None)
    );
}

#[test]
fn a_live_pipeline_restarts_always_and_one_that_ends_only_on_failure() {
    let rtsp = door(&format!(
        "source: {{ rtsp: {{ uri: 'rtsp://cam/1' }} }}, {RECORD}"
    ));
    assert!(rtsp.live);
    assert_eq!(rtsp.restart.policy, Policy::Always);
    assert_eq!(rtsp.restart.initial, Duration::from_secs(1));
    assert_eq!(rtsp.restart.max, Duration::from_secs(30));
    assert_eq!(rtsp.restart.reset_after, Duration::from_secs(60));
    assert_eq!(rtsp.stall_timeout, Duration::from_secs(10));
    let clip = std::file!().replace("pipeline-runner/", "");
    let file = door(&format!("source: {{ file: {{ path: {clip} }} }}, {RECORD}"));
    assert!(!file.live);
    assert_eq!(file.restart.policy, Policy::OnFailure);
    let again = door(&format!(
        "source: {{ file: {{ path: {clip}, loop: true }} }}, {RECORD}"
    ));
    assert_eq!(again.restart.policy, Policy::Always);
    assert!(door("launch: v4l2src ! fakesink").live);
    assert!(!door("launch: filesrc location=a ! fakesink").live);
    assert!(door("launch: filesrc location=a ! fakesink, live: true").live);
    let never = door("launch: fakesrc ! fakesink, restart: { policy: never, max: 5s }");
    assert_eq!(never.restart.policy, Policy::Never);
    assert_eq!(never.restart.max, Duration::from_secs(5));
}

#[test]
fn a_camera_becomes_an_rtspsrc_that_knows_utc_and_debug_shows_no_password() {
    let lines = "source: { rtsp: { uri: 'rtsp://u:hunter2@cam/1', user: admin, \
                 password: \"${PASSWORD}\", tracks: video } }, outputs: [ archive: { stream: x } ]";
    let pipeline = door(lines);
    let Build::Dynamic {
        source,
        sink,
        tracks,
        paced,
        ..
    } = &pipeline.build
    else {
        panic!("{pipeline:?}");
    };
    assert_eq!(
        source,
        "rtspsrc name=source location=rtsp://u:hunter2@cam/1 add-reference-timestamp-meta=true buffer-mode=synced \
         latency=200 protocols=tcp user-id=admin user-pw=hunter2"
    );
    assert_eq!(
        sink.as_deref(),
        Some("archivesink name=archive location=./archive stream=x variant=source")
    );
    assert_eq!((*tracks, *paced), (Tracks::Video, false));
    let shown = format!("{pipeline:?}");
    assert!(
        !shown.contains("hunter2") && shown.contains("rtspsrc"),
        "{shown}"
    );
}

#[test]
fn no_debug_output_of_a_definition_shows_a_password() {
    let yaml =
        "pipelines: { a: { launch: 'rtspsrc location=rtsp://u:hunter2@cam/1 ! fakesink' } }\n";
    let shown = format!("{:?}", definitions(yaml));
    assert!(
        !shown.contains("hunter2") && shown.contains("rtspsrc"),
        "{shown}"
    );
}

#[test]
fn settings_of_an_output_reach_the_sink() {
    let lines = "source: { test: {} }, outputs: [ archive: { variant: low, container: mpegts, \
                 target_duration: 4s, chunk_duration: 500ms, align: true, time_source: clock, \
                 max_clock_offset: 7d, fsync: chunk } ]";
    let Build::Launch(text) = door(lines).build else {
        panic!("a test picture is one text");
    };
    let sink = "archivesink name=archive location=./archive stream=door variant=low \
                container=mpegts target-duration=4000000000 chunk-duration=500000000 align=true \
                time-source=clock max-clock-offset=604800000000000 fsync=chunk";
    assert!(text.ends_with(sink), "{text}");
}

#[test]
fn the_clock_of_a_test_picture_runs_in_utc() {
    let with = door(&format!("source: {{ test: {{}} }}, {RECORD}"));
    assert_eq!(with.environment.get("TZ").map(String::as_str), Some("UTC"));
    let without = door(&format!("source: {{ test: {{ clock: false }} }}, {RECORD}"));
    assert!(without.environment.is_empty());
}

#[test]
fn every_test_picture_can_be_built_and_plays() {
    gst::init().unwrap();
    for settings in [
        "",
        "clock: false, audio: false",
        "width: 640, height: 360, framerate: 30000/1001, pattern: ball, keyframe_interval: 500ms",
    ] {
        let lines = format!("source: {{ test: {{ live: false, {settings} }} }}, {RECORD}");
        let Build::Launch(text) = door(&lines).build else {
            panic!("a test picture is one text");
        };
        // Any sink with pads on request will do for seeing that the streams negotiate.
        let start = text.find("archivesink").unwrap();
        let text = text.get(..start).unwrap().replace(".video", ".sink_%u");
        let text = text.replace(".audio_0", ".sink_%u") + "funnel name=archive ! fakesink";
        let pipeline = gst::parse::launch(&text).unwrap();
        pipeline.set_state(gst::State::Paused).unwrap();
        let (reached, state, _) = pipeline.state(gst::ClockTime::from_seconds(30));
        pipeline.set_state(gst::State::Null).unwrap();
        reached.unwrap();
        assert_eq!(state, gst::State::Paused, "{text}");
    }
}

#[test]
fn a_value_arrives_in_an_element_as_it_was_written() {
    gst::init().unwrap();
    for value in [
        "plain",
        "two words",
        " blanks ",
        "a ! b",
        "say \"hi\"",
        "\"quoted\"",
        "\"half",
        "half\"",
        "it's",
        "'single'",
        "back\\slash",
        "end\\",
        "ümlaut \"at the\" end\\",
        "\\\"",
        "\\\\\"\"",
        "tab\there",
        "(bin) {x} [y]",
        "a=b;c,d:e",
        "video/x-raw,width=1",
        "ümlaut→日本",
        "$HOME `x` #y",
        "rtsp://u:p%20w@host:554/a?b=c&d=e",
        "name=x",
        ".",
        "",
    ] {
        let text = format!("filesrc name=x location={} ! fakesink", escaped(value));
        let made = gst::parse::launch(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let element = made.downcast::<gst::Bin>().unwrap().by_name("x").unwrap();
        let arrived: Option<String> = element.property("location");
        assert_eq!(arrived.unwrap_or_default(), value, "{text}");
        // The words that problems are looked for in are the same as GStreamer's.
        let found = super::launch::elements(&text);
        let location = found.first().and_then(|element| element.properties.get(1));
        let read = location
            .map(|property| property.value())
            .unwrap_or_default();
        if !(value.is_empty() || value.starts_with('"') || value.ends_with('\\')) {
            assert_eq!(read, value, "{text}");
        }
        assert_eq!(found.len(), 2, "{text}");
    }
}
