// SPDX-License-Identifier: MPL-2.0
//! `credentials get` and `credentials status`.

use std::process::Command;

use serde_json::Value;

use crate::server::{ACCESS_TOKEN, DEFINITION, Place, SECRET_KEY, SESSION_TOKEN};

#[test]
fn each_format_is_what_its_reader_takes() {
    let place = Place::new();
    let server = place.serve();
    let process: Value = serde_json::from_str(&place.get(&["get", "keys"])).expect("JSON");
    assert_eq!(process["Version"], 1);
    assert_eq!(process["AccessKeyId"], "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(process["SecretAccessKey"], SECRET_KEY);
    assert_eq!(process["SessionToken"], SESSION_TOKEN);
    assert!(process["Expiration"].is_string());

    let env = place.get(&["get", "keys", "--format", "env"]);
    assert_eq!(in_shell(&env, "$AWS_SECRET_ACCESS_KEY"), SECRET_KEY);
    assert_eq!(in_shell(&env, "$AWS_SESSION_TOKEN"), SESSION_TOKEN);

    let endpoint = place.get(&["get", "keys", "--format", "endpoint"]);
    let url = format!("http://127.0.0.1:{}/v1/sessions/keys", server.port);
    assert_eq!(
        in_shell(&endpoint, "$AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        url
    );
    let file = in_shell(&endpoint, "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    assert_eq!(
        std::fs::read_to_string(file).expect("a token"),
        place.token("keys")
    );
    assert!(!endpoint.contains(SECRET_KEY));

    let kvs = place.get(&["get", "keys", "--format", "kvs"]);
    let words: Vec<&str> = kvs.split_whitespace().collect();
    assert_eq!(words.len(), 5, "{kvs}");
    assert_eq!(
        (words[0], words[3], words[4]),
        ("CREDENTIALS", SECRET_KEY, SESSION_TOKEN)
    );

    let token = place.get(&["get", "bearer", "--format", "token"]);
    assert_eq!(token, format!("{ACCESS_TOKEN}\n"));
    let said = place.complaint(&["get", "bearer", "--format", "env"]);
    assert!(said.contains("--format token"), "{said}");
    let said = place.complaint(&["get", "keys", "--format", "token"]);
    assert!(said.contains("gives AWS credentials"), "{said}");
}

/// What a shell makes of a text after `lines` were evaluated.
fn in_shell(lines: &str, text: &str) -> String {
    let script = format!("{lines}\nprintf %s \"{text}\"");
    let output = Command::new("sh").args(["-euc", &script]).output();
    String::from_utf8(output.expect("a shell").stdout).expect("UTF-8")
}

#[test]
fn without_a_server_one_is_told_how_to_start_it() {
    let place = Place::new();
    let said = place.complaint(&["get", "keys"]);
    assert!(said.contains("no server of credentials runs"), "{said}");
    assert!(
        said.contains("pipeline-runner credentials serve FILE.yaml"),
        "{said}"
    );
    assert!(
        place
            .complaint(&["status"])
            .contains("credentials serve FILE.yaml")
    );
    let _server = place.serve();
    let said = place.complaint(&["get", "kesy"]);
    assert!(
        said.contains("no server offers `kesy`, but bearer, keys"),
        "{said}"
    );
}

#[test]
fn a_session_that_two_servers_offer_wants_the_definition_named() {
    let place = Place::new();
    let _one = place.serve();
    std::fs::write(place.path().join("other.yaml"), DEFINITION).expect("written");
    let other = place.command(&["serve", "other.yaml"]).spawn();
    let mut other = other.expect("it is a program");
    let said = loop {
        let output = place.run(&["get", "keys"]);
        if !output.status.success() {
            break String::from_utf8_lossy(&output.stderr).into_owned();
        }
    };
    assert!(said.contains("several servers offer `keys`"), "{said}");
    place.get(&["get", "keys", "--definition", "other.yaml"]);
    other.kill().expect("it runs");
    other.wait().expect("it is our child");
    place.get(&["get", "keys"]);
}

#[test]
fn the_status_of_all_sessions_is_shown_without_a_secret() {
    let place = Place::new();
    let server = place.serve();
    let shown = place.get(&["status"]);
    assert!(
        shown.contains(&format!("(process {})", server.pid())),
        "{shown}"
    );
    let until = "bearer: ready, good until 2040-01-01T00:00:00Z";
    assert!(
        shown.contains("keys: ready") && shown.contains(until),
        "{shown}"
    );
    let json = place.get(&["status", "--json"]);
    let parsed: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(parsed[0]["sessions"][0]["name"], "bearer");
    for secret in [
        SECRET_KEY,
        SESSION_TOKEN,
        ACCESS_TOKEN,
        &place.token("keys"),
    ] {
        assert!(!shown.contains(secret) && !json.contains(secret));
    }
}
