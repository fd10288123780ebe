// SPDX-License-Identifier: MPL-2.0
//! Mistakes in keys, types, kinds, ranges and names.

use super::{Validate, pipeline, sourced};

#[test]
fn an_unknown_key_at_the_top_is_named_with_the_nearest() {
    let at = "definition.yaml:1:1";
    let near = "did you mean `pipelines`?";
    Validate::new("pipelnes: {}\n").says(&[at, "unknown key `pipelnes`", near]);
}

#[test]
fn a_key_of_a_later_version_is_refused_and_not_ignored() {
    let yaml = "pipelines: { a: { launch: fakesrc ! fakesink } }\nhttp: {}\n";
    let why = "`http` is not supported yet by this version";
    Validate::new(yaml).says(&["definition.yaml:2:1", why]);
}

#[test]
fn an_unknown_key_in_a_pipeline_is_named_with_the_nearest() {
    let at = "definition.yaml:6:5";
    let near = "did you mean `outputs`?";
    Validate::new(sourced("outputz: []")).says(&[at, "unknown key `outputz`", near]);
}

#[test]
fn an_unknown_key_in_a_step_is_named_with_the_nearest() {
    let yaml = sourced("outputs:\n  - archive:\n      varaint: low");
    let near = "did you mean `variant`?";
    Validate::new(yaml).says(&["definition.yaml:8:11", "unknown key `varaint`", near]);
    let yaml = pipeline("source: { rtsp: { url: x } }");
    Validate::new(yaml).says(&["definition.yaml:5:23", "unknown key `url`", "`uri`"]);
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_the_right_type() {
    for (yaml, at, why) in [
        (
            pipeline("source: { test: { width: wide } }"),
            "5:30",
            "expected a whole number, found `wide`",
        ),
        (
            pipeline("launch: fakesrc ! fakesink\nlive: maybe"),
            "6:11",
            "expected `true` or `false`, found `maybe`",
        ),
        (
            sourced("outputs: { archive: {} }"),
            "6:14",
            "expected a list",
        ),
        (
            sourced("outputs: [ archive: 5 ]"),
            "6:",
            "expected a mapping",
        ),
        (
            sourced("outputs:\n  - archive: { stream: [a] }"),
            "7:28",
            "expected a text",
        ),
        (
            sourced("restart: { policy: alwys }\noutputs: [ archive: {} ]"),
            "6:24",
            "did you mean `always`?",
        ),
        (
            pipeline("source: { test: { framerate: fast } }"),
            "5:34",
            "`fast` is no frame rate",
        ),
    ] {
        Validate::new(yaml).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn an_output_without_options_needs_no_more_than_its_name() {
    for outputs in [
        "outputs: [ archive ]",
        "outputs:\n  - archive",
        "outputs: [ archive: {} ]",
    ] {
        Validate::new(sourced(outputs)).accepts();
    }
}

#[test]
fn a_missing_key_is_named_where_it_belongs() {
    for (yaml, at, why) in [
        (
            pipeline("source: { rtsp: { user: admin } }"),
            "5:23",
            "missing key `uri`",
        ),
        (
            "archive: { root: a }\n".to_owned(),
            "1:1",
            "missing key `pipelines`",
        ),
        (
            "pipelines: { door: {} }\n".to_owned(),
            "1:14",
            "`door` has neither `source` nor `launch`",
        ),
        (
            pipeline("source: { test: {} }"),
            "4:3",
            "`door` has no `outputs`",
        ),
        (
            "pipelines:\n  a:\n    source: { test: {} }\n    outputs: [ archive: {} ]\n".to_owned(),
            "4:16",
            "archive: { root: ./archive }",
        ),
    ] {
        Validate::new(yaml).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn an_unknown_kind_of_source_is_named_with_the_nearest() {
    let yaml = pipeline("source: { rtps: { uri: x } }");
    let near = "did you mean `rtsp`?";
    Validate::new(yaml).says(&["definition.yaml:5:15", "`rtps`", near, "`file`"]);
}

#[test]
fn two_sources_are_one_too_many() {
    let yaml = pipeline("source: { test: {}, file: { path: x } }");
    Validate::new(yaml).says(&["definition.yaml:5:25", "`file` is one too many"]);
    let yaml = sourced("launch: fakesrc ! fakesink");
    Validate::new(yaml).says(&["definition.yaml:5:", "either `launch` or `source`"]);
}

#[test]
fn outputs_must_be_there_and_go_with_a_source() {
    let empty = Validate::new(sourced("outputs: []"));
    empty.says(&["definition.yaml:6:14", "`outputs` is empty", "archive: {}"]);
    let yaml = pipeline("launch: fakesrc ! fakesink\noutputs: [ archive: {} ]");
    Validate::new(yaml).says(&["definition.yaml:6:14", "`outputs` goes with `source`"]);
    let two = sourced("outputs:\n  - archive: {}\n  - archive: { variant: b }");
    let why = "the second `archive` of one pipeline";
    Validate::new(two).says(&["definition.yaml:8:9", why]);
}

#[test]
fn a_bad_duration_or_size_is_named_with_how_to_write_one() {
    let yaml = sourced("stall_timeout: 10\noutputs: [ archive: {} ]");
    Validate::new(yaml).says(&["definition.yaml:6:20", "`10` is no duration", "`500ms`"]);
    let yaml = sourced("outputs: [ archive: { target_duration: 0s } ]");
    Validate::new(yaml).says(&["definition.yaml:6:44", "`100ms` to `1h`"]);
    let yaml = sourced("outputs: [ archive: { chunk_duration: 5s } ]");
    Validate::new(yaml).says(&["definition.yaml:6:43", "longer than `target_duration`"]);
    for (given, at, why, right) in [
        (
            "age: 30 parsecs",
            "3:21",
            "`30 parsecs` is no duration",
            "`30d`",
        ),
        ("bytes: 5 Gigs", "3:23", "`5 Gigs` is no size", "`500GiB`"),
    ] {
        let retention = format!("archive:\n  root: a\n  retention: {{ {given} }}\n");
        let yaml = retention + "pipelines: { a: { launch: fakesrc ! fakesink } }\n";
        Validate::new(yaml).says(&[&format!("definition.yaml:{at}"), why, right]);
    }
}

#[test]
fn a_number_out_of_range_is_named_with_the_range() {
    let yaml = sourced("outputs: [ archive: {} ]").replace("test: {}", "test: { height: 9001 }");
    Validate::new(yaml).says(&["definition.yaml:5:31", "`height` is 9001", "16 to 4320"]);
}

#[test]
fn names_that_can_be_no_folder_are_refused() {
    for (name, why) in [
        ("a/b", "contains `/`"),
        (".a", "begins with `.`"),
        ("''", "is empty"),
    ] {
        let yaml = format!("pipelines: {{ {name}: {{ launch: fakesrc ! fakesink }} }}\n");
        Validate::new(yaml).says(&["definition.yaml:1:14", "the pipeline name", why]);
    }
    for (name, why) in [
        ("'../x'", "contains `/`"),
        ("\"a\\0b\"", "contains a control character"),
        ("..", "begins with `.`"),
    ] {
        for (key, column) in [("stream", 28), ("variant", 29)] {
            let yaml = sourced(&format!("outputs:\n  - archive: {{ {key}: {name} }}"));
            let at = format!("definition.yaml:7:{column}");
            Validate::new(yaml).says(&[&at, &format!("the {key} name"), why]);
        }
    }
}

#[test]
fn what_is_no_uri_is_refused() {
    for (source, at, why) in [
        ("rtsp: { uri: http://a/b }", "5:28", "no RTSP URI"),
        ("rtsp: { uri: 'rtsp:///x' }", "5:28", "names no host"),
        ("uri: { uri: nonsense }", "5:27", "no URI"),
        (
            "file: { path: nothing.mp4 }",
            "5:29",
            "no file `nothing.mp4`",
        ),
    ] {
        let yaml = pipeline(&format!(
            "source: {{ {source} }}\noutputs: [ archive: {{}} ]"
        ));
        Validate::new(yaml).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn every_broken_pipeline_is_reported_in_one_run() {
    let yaml = "archive: { rot: a }\n\
                pipelines:\n\
                \x20 a: { sorce: {} }\n\
                \x20 b: { source: { test: { width: 3 } }, outputs: [] }\n\
                \x20 c: { launch: \"${UNSET_C}\" }\n\
                \x20 d: { launch: fakesrc ! fakesink, live: 7 }\n";
    Validate::new(yaml).says(&[
        "7 problems",
        "definition.yaml:1:12",
        "`rot`",
        "definition.yaml:3:8",
        "`sorce`",
        "definition.yaml:4:33",
        "`width`",
        "definition.yaml:4:49",
        "`outputs` is empty",
        "definition.yaml:5:17",
        "`UNSET_C`",
        "definition.yaml:6:42",
        "`true` or `false`",
    ]);
}

#[test]
fn an_address_that_cannot_be_is_refused_before_anything_connects() {
    for (uri, why) in [
        (
            "rtsp://cam:99999/x",
            "the port is not a number from 1 to 65535",
        ),
        ("rtsp://[::1/x", "not an IPv6 address"),
        ("rtsp://u:P@ss@cam/x", "write `@` as `%40`"),
        ("rtsp://u:50%off@cam/x", "write `%` itself as `%25`"),
    ] {
        for source in ["rtsp", "uri"] {
            let yaml =
                format!("source: {{ {source}: {{ uri: \"{uri}\" }} }}\noutputs: [ archive: {{}} ]");
            Validate::new(pipeline(&yaml)).says(&["definition.yaml:5:", why]);
        }
    }
}

#[test]
fn two_pipelines_do_not_record_into_one_stream_and_variant() {
    let two = "archive: { root: ./archive }\npipelines:\n  a:\n    source: { test: {} }\n    \
        outputs: [ archive: {} ]\n  b:\n    source: { test: {} }\n    \
        outputs: [ archive: { stream: a } ]\n";
    let why = "the pipeline `a` records into `a/source` already";
    Validate::new(two).says(&["definition.yaml:8:16", why]);
    Validate::new(two.replace("stream: a", "stream: a, variant: b")).accepts();
}

#[test]
fn a_root_that_can_be_no_folder_is_said_to_be_none() {
    let of = |root: &str| pipeline("launch: fakesrc ! fakesink").replace("./archive", root);
    let file = tempfile::NamedTempFile::new().unwrap();
    Validate::new(of(file.path().to_str().unwrap())).says(&["is not a folder"]);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("gone"), &link).unwrap();
    let why = "is a link to";
    Validate::new(of(link.to_str().unwrap())).says(&[why, "which is not there"]);
}
