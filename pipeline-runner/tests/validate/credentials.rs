// SPDX-License-Identifier: MPL-2.0
//! Mistakes in `credentials:`, in what uses them, and in outputs to Kinesis Video Streams.

use super::{Validate, says};

/// A definition whose session `up` has these settings, which begin at line 2, column 9.
fn session(settings: &str) -> String {
    format!("credentials:\n  up: {{ {settings} }}\n")
}

/// A definition with sessions and one pipeline, whose lines begin at line 7, column 5.
fn using(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!(
        "credentials:\n  up: {{ aws: {{ region: eu-west-1 }} }}\n  sat: {{ token: {{ access_token: \"${{TOKEN}}\" }} }}\n\
         archive: {{ root: a }}\npipelines:\n  door:\n    {lines}\n"
    )
}

fn validate(yaml: String) -> Validate {
    Validate::new(yaml)
        .without_plugins()
        .with_variable("TOKEN", "eyJhbGciOiJub25lIn0.e30.")
        .with_variable("KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
}

#[test]
fn every_kind_of_session_is_taken() {
    for settings in [
        "aws",
        "aws: {}",
        "aws: { profile: work, region: eu-west-1 }",
        "aws: { role_arn: 'arn:aws:iam::123456789012:role/up', role_session_name: door, \
           external_id: abc, duration: 1h, refresh_before_expiry: 10m }",
        "aws: { roles: [ { role_arn: 'arn:aws:iam::123456789012:role/a' }, \
           { role_arn: 'arn:aws-cn:iam::123456789012:role/b', duration: 15m } ] }",
        "web_identity: { token_file: definition.yaml, role_arn: 'arn:aws:iam::123456789012:role/up' }",
        "process: { command: pass show aws }",
        "imds",
        "container: { region: eu-west-1 }",
        "iot: { endpoint: c1.credentials.iot.eu-west-1.amazonaws.com, role_alias: cam, \
           certificate: definition.yaml, key: definition.yaml, thing_name: cam-1 }",
        "static: { access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: \"${KEY}\" }",
        "oauth2: { token_url: 'https://id.example/token', client_id: me, client_secret: \"${KEY}\", \
           scope: read }",
        "token: { access_token: \"${TOKEN}\", expires_at: '2036-11-20T10:31:07Z' }",
    ] {
        let said = validate(session(settings)).accepts();
        assert!(said.contains("1 session"), "{said}");
    }
}

#[test]
fn a_mistake_in_a_session_is_named_at_its_place() {
    for (settings, at, why) in [
        ("awz: {}", "2:9", "known here: `aws`"),
        ("aws: { role: x }", "2:16", "did you mean `roles`?"),
        (
            "aws: { role_arn: up }",
            "2:26",
            "arn:aws:iam::123456789012:role/name",
        ),
        (
            "aws: { external_id: x }",
            "2:29",
            "`external_id` goes with `role_arn`",
        ),
        (
            "aws: { role_arn: 'arn:aws:iam::123456789012:role/up', duration: 1m }",
            "2:73",
            "`duration`",
        ),
        (
            "aws: { role_arn: 'arn:aws:iam::123456789012:role/a', \
             roles: [ { role_arn: 'arn:aws:iam::123456789012:role/b', duration: 2h } ] }",
            "2:129",
            "1 h",
        ),
        ("aws: { region: 'eu west' }", "2:24", "`region`"),
        (
            "web_identity: { role_arn: x }",
            "2:25",
            "missing key `token_file`",
        ),
        (
            "iot: { endpoint: x, role_alias: y, certificate: none.pem, key: definition.yaml }",
            "2:57",
            "there is no file `none.pem`",
        ),
        (
            "oauth2: { token_url: 'http://id.example/t', client_id: me, client_secret: \"${KEY}\" }",
            "2:30",
            "in clear text",
        ),
        (
            "oauth2: { token_url: 'https://id.example/t', client_id: me }",
            "2:7",
            "missing key `client_secret` or `client_secret_file`",
        ),
        (
            "token: { access_token: \"${TOKEN}\", expires_at: tomorrow }",
            "2:56",
            "RFC 3339",
        ),
        (
            "static: { access_key_id: AKIA, secret_access_key_file: nowhere }",
            "2:64",
            "`nowhere` cannot be read",
        ),
    ] {
        let at = format!("definition.yaml:{at}");
        validate(session(settings)).says(&[&at, why]);
    }
    validate("credentials:\n  up/../x: { aws: {} }\n".to_owned())
        .says(&["definition.yaml:2:3", "`up/../x` is no name for a session"]);
    validate("credentials: []\n".to_owned()).says(&["1:14", "`credentials` is no mapping"]);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    for (settings, name) in [
        (
            "static: { access_key_id: A, secret_access_key: hunter2hunter2 }",
            "secret_access_key",
        ),
        (
            "static: { access_key_id: A, secret_access_key: \"${KEY}\", session_token: hunter2hunter2 }",
            "session_token",
        ),
        (
            "oauth2: { token_url: 'https://x/t', client_id: me, client_secret: hunter2hunter2 }",
            "client_secret",
        ),
        ("token: { access_token: hunter2hunter2 }", "access_token"),
    ] {
        let said = validate(session(settings)).complaint();
        says(
            &said,
            &["is written into the file", &format!("{name}_file: PATH")],
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_session_that_is_not_there_or_of_the_wrong_kind_is_named() {
    for (lines, at, why) in [
        (
            "launch: fakesrc ! fakesink\ncredentials: upp",
            "8:18",
            "sessions: `up`, `sat`",
        ),
        (
            "launch: fakesrc ! fakesink\ncredentials: sat",
            "8:18",
            "gives an access token",
        ),
        (
            "source: { test: {} }\noutputs: [ kvs: { credentials: ap } ]",
            "8:36",
            "there is no session `ap`",
        ),
        (
            "source: { test: {} }\ncredentials: up\noutputs: [ kvs: { credentials: default } ]",
            "9:36",
            "there is no session `default`",
        ),
        (
            "launch: souphttpsrc location=https://x/?t=${credentials.sad.access_token} ! fakesink",
            "7:47",
            "sessions with an access token: `sat`",
        ),
        (
            "launch: souphttpsrc location=https://x/?t=${credentials.up.access_token} ! fakesink",
            "7:47",
            "the session `up` has no access token",
        ),
        (
            "launch: souphttpsrc location=https://x/?t=${credentials.sat.token} ! fakesink",
            "7:47",
            "${credentials.NAME.access_token}",
        ),
        (
            "source: { test: {} }\noutputs: [ archive: { stream: \"${credentials.sat.access_token}\" } ]",
            "8:36",
            "an access token cannot stand here",
        ),
    ] {
        validate(using(lines)).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn a_stream_of_kinesis_is_an_output_beside_the_archive_and_alone() {
    for lines in [
        "source: { test: {} }\noutputs: [ kvs ]",
        "source: { test: {} }\noutputs: [ kvs: { stream: x, credentials: up } ]",
        "source: { rtsp: { uri: 'rtsp://cam/1' } }\noutputs: [ archive: {}, kvs: { credentials: up, \
         retention: 7d, create: true, kms_key: alias/a, tags: { place: door } } ]",
        "source: { uri: { uri: 'https://x/y', headers: { Authorization: \
         \"Bearer ${credentials.sat.access_token}\" } } }\noutputs: [ archive: {}, kvs: {} ]",
    ] {
        validate(using(lines)).accepts();
    }
}

#[test]
fn a_mistake_in_an_output_to_kinesis_is_named_at_its_place() {
    for (output, at, why) in [
        ("kvs: { steam: x }", "8:23", "did you mean `stream`?"),
        (
            "kvs: { stream: 'a b' }",
            "8:31",
            "does not take this stream name",
        ),
        ("kvs: { retention: 90m }", "8:34", "whole hours"),
        ("kvs: { kms_key: k }", "8:32", "add `create: true`"),
        ("kvs: { tags: { a: b } }", "8:29", "add `create: true`"),
        ("archive: {}, archive: {}", "8:29", "second `archive`"),
    ] {
        let lines = format!("source: {{ test: {{}} }}\noutputs: [ {output} ]");
        validate(using(&lines)).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn headers_are_for_http_and_have_names() {
    for (uri, header, at, why) in [
        ("srt://x", "A: b", "7:52", "takes no headers"),
        (
            "http://x",
            "'A B': c",
            "7:57",
            "`A B` is no name of a header",
        ),
    ] {
        let lines = format!(
            "source: {{ uri: {{ uri: '{uri}', headers: {{ {header} }} }} }}\noutputs: [ archive: {{}} ]"
        );
        validate(using(&lines)).says(&[&format!("definition.yaml:{at}"), why]);
    }
}

#[test]
fn a_missing_kvssink_is_said_with_where_to_get_it() {
    let lines = "source: { test: {} }\noutputs: [ kvs: { credentials: up } ]";
    Validate::new(using(lines))
        .with_variable("TOKEN", "eyJhbGciOiJub25lIn0.e30.")
        .with_variable("GST_PLUGIN_PATH", "")
        .says(&[
            "the element `kvssink` is not installed",
            "amazon-kinesis-video-streams-producer-sdk-cpp",
            "GST_PLUGIN_PATH",
        ]);
}

#[test]
fn sessions_without_pipelines_are_a_definition_for_credentials_serve() {
    validate(session("aws: {}")).accepts();
}
