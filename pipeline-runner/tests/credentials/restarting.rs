// SPDX-License-Identifier: MPL-2.0
//! What a server leaves behind, and what its successor makes of it.

use rustix::process::Signal;

use crate::server::{Place, SECRET_KEY};

#[test]
fn a_server_that_is_killed_comes_back_at_the_same_address_with_the_same_token() {
    let place = Place::new();
    let mut killed = place.serve();
    let token = place.token("keys");
    killed.end(Signal::KILL);
    let said = place.complaint(&["get", "keys"]);
    assert!(said.contains("(one was killed)"), "{said}");

    let server = place.serve();
    let dead = format!(
        "process {} is dead, its endpoint is taken over",
        killed.pid()
    );
    server.await_line(&dead);
    assert_eq!(server.port, killed.port);
    assert_eq!(place.token("keys"), token);
    let authorization = format!("Authorization: {token}");
    let answer = server.get("/v1/sessions/keys", &[&authorization]);
    assert_eq!(answer.body["SecretAccessKey"], SECRET_KEY);
}

#[test]
fn where_the_address_was_taken_meanwhile_it_is_said() {
    let place = Place::new();
    let mut killed = place.serve();
    killed.end(Signal::KILL);
    let taken = std::net::TcpListener::bind(("127.0.0.1", killed.port)).expect("it is free");
    let server = place.serve();
    assert_ne!(server.port, killed.port);
    server.await_line(&format!("clients look for 127.0.0.1:{}", killed.port));
    drop(taken);
}

#[test]
fn a_server_that_is_asked_to_end_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let place = Place::new();
        let mut server = place.serve();
        assert!(server.end(signal).success());
        let base = place.path().join("pipeline-runner/credentials");
        assert_eq!(std::fs::read_dir(base).expect("a folder").count(), 0);
    }
}

#[test]
fn the_second_server_of_a_definition_is_told_of_the_first() {
    let place = Place::new();
    let server = place.serve();
    let second = place.run(&["serve", "creds.yaml"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains(&format!("served already, by process {}", server.pid())),
        "{said}"
    );
    place.get(&["get", "keys"]);
}
