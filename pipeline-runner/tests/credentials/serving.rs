// SPDX-License-Identifier: MPL-2.0
//! What the endpoint answers, and whom it answers nothing.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::Signal;

use crate::server::{ACCESS_TOKEN, Place, SECRET_KEY, SESSION_TOKEN};

#[test]
fn a_session_answers_in_the_words_of_aws_and_of_oauth2() {
    let place = Place::new();
    let server = place.serve();
    let token = format!("Authorization: {}", place.token("keys"));
    let answer = server.get("/v1/sessions/keys", &[&token]);
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("cache-control: no-store"),
        "{}",
        answer.head
    );
    assert_eq!(answer.body["AccessKeyId"], "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(answer.body["SecretAccessKey"], SECRET_KEY);
    assert_eq!(answer.body["Token"], SESSION_TOKEN);
    let expiration = answer.body["Expiration"]
        .as_str()
        .expect("SDKs insist on it");
    assert!(
        expiration.len() == 20 && expiration.ends_with('Z'),
        "{expiration}"
    );
    let token = format!("Authorization: Bearer {}", place.token("bearer"));
    let answer = server.get("/v1/tokens/bearer", &[&token]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["access_token"], ACCESS_TOKEN);
    assert_eq!(answer.body["expires_at"], "2040-01-01T00:00:00Z");
    let answer = server.get("/v1/status/bearer", &[&token]);
    assert_eq!(
        (answer.status, answer.body["status"].as_str()),
        (200, Some("ready"))
    );
}

#[test]
fn what_is_not_there_and_not_asked_rightly_is_said() {
    let place = Place::new();
    let server = place.serve();
    let keys = format!("Authorization: {}", place.token("keys"));
    let bearer = format!("Authorization: {}", place.token("bearer"));
    let host = format!("Host: 127.0.0.1:{}", server.port);
    for (path, token, status, code) in [
        ("/v1/tokens/keys", &keys, 404, "NoAccessToken"),
        ("/v1/sessions/bearer", &bearer, 404, "NoAwsCredentials"),
        ("/v1/sessions/other", &keys, 404, "NotFound"),
        ("/", &keys, 404, "NotFound"),
        ("/v1/sessions/..%2f..%2fkeys", &keys, 404, "NotFound"),
        ("/v1/sessions/%ff", &keys, 400, ""),
    ] {
        let answer = server.get(path, &[token]);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(
            answer.body["code"].as_str().unwrap_or_default(),
            code,
            "{path}"
        );
    }
    let answer = server.request("POST", "/v1/sessions/keys", &[&host, &keys]);
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (405, Some("MethodNotAllowed"))
    );
}

#[test]
fn a_wrong_token_a_foreign_host_a_page_and_a_proxy_get_nothing() {
    let place = Place::new();
    let server = place.serve();
    let token = format!("Authorization: {}", place.token("keys"));
    let others = format!("Authorization: {}", place.token("bearer"));
    let host = format!("Host: 127.0.0.1:{}", server.port);
    let foreign = format!("Host: evil.example:{}", server.port);
    for (headers, status, code) in [
        (vec![host.as_str()], 401, "InvalidToken"),
        (vec![&host, "Authorization: wrong"], 401, "InvalidToken"),
        (vec![&host, &others], 401, "InvalidToken"),
        (vec![&foreign, &token], 403, "ForeignHost"),
        (vec!["Host: 127.0.0.1:1", &token], 403, "ForeignHost"),
        (
            vec![&host, &token, "Origin: http://evil.example"],
            403,
            "FromAPage",
        ),
        (
            vec![&host, &token, "X-Forwarded-For: 10.0.0.1"],
            403,
            "Forwarded",
        ),
    ] {
        let answer = server.request("GET", "/v1/sessions/keys", &headers);
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.body["code"], code, "{headers:?}");
        assert!(!answer.body.to_string().contains(SECRET_KEY));
    }
}

#[test]
fn another_user_gets_nothing_even_with_the_token() {
    let place = Place::new();
    let server = place.serve();
    if !rustix::process::geteuid().is_root() {
        // Who is not root cannot become another; what decides has a test of its own.
        return;
    }
    const NOBODY: u32 = 65534;
    const ASK: &str = "import sys, urllib.request, urllib.error\n\
        request = urllib.request.Request(sys.argv[1], headers={'Authorization': sys.argv[2]})\n\
        try: print(urllib.request.urlopen(request).read().decode())\n\
        except urllib.error.HTTPError as error: print(error.code, error.read().decode())";
    let url = format!("http://127.0.0.1:{}/v1/sessions/keys", server.port);
    let ask = |user: u32| {
        let output = Command::new("python3")
            .args(["-c", ASK, &url, &place.token("keys")])
            .current_dir("/")
            .uid(user)
            .output()
            .expect("python runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(ask(0).contains(SECRET_KEY));
    let said = ask(NOBODY);
    assert!(
        said.starts_with("403") && said.contains("OtherUser"),
        "{said}"
    );
    server.await_line(&format!("by user {NOBODY}"));
    // And the file with the token is not for others either.
    let token = place.server_folder().join("tokens/keys");
    let read = Command::new("cat")
        .arg(token)
        .uid(NOBODY)
        .output()
        .expect("cat runs");
    assert!(!read.status.success() && read.stdout.is_empty());
}

#[test]
fn requests_are_written_down_and_no_secret_is_even_at_trace() {
    let place = Place::new();
    let mut server = place.serve();
    let token = place.token("keys");
    let headers = [
        format!("Authorization: {token}"),
        "User-Agent: my-tool/1".to_owned(),
    ];
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    server.get("/v1/sessions/keys", &headers);
    server.get(&format!("/v1/sessions/{SECRET_KEY}"), &headers);
    place.get(&["get", "bearer"]);
    server.await_line("GET /v1/sessions/keys by user ");
    server.await_line("(my-tool/1): 200");
    server.end(Signal::TERM);
    let said = server.said();
    for secret in [SECRET_KEY, SESSION_TOKEN, ACCESS_TOKEN, &token] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let place = Place::new();
    let said = place.run(&["serve", "creds.yaml", "--listen", "0.0.0.0:0"]);
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("0.0.0.0:0 is no loopback address"), "{said}");
    assert!(said.contains("127.0.0.1:PORT"), "{said}");
}

#[test]
fn a_definition_without_sessions_has_nothing_to_serve() {
    let place = Place::with("pipelines: { a: { launch: fakesrc ! fakesink } }\n");
    let said = place.run(&["serve", "creds.yaml"]);
    assert_eq!(said.status.code(), Some(78));
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("creds.yaml has no `credentials`"), "{said}");
}
