// SPDX-License-Identifier: MPL-2.0
//! Tokens by the client credentials grant.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gstawscreds::session::{
    ClientSecret, ErrorKind, OAuth2Settings, Session, Settings, Source, Status,
};
use tests::web::{Answer, Request, Server};

use crate::{settled, wait_for};

fn client(server: &Server) -> OAuth2Settings {
    OAuth2Settings {
        token_url: format!("{}/token", server.url()),
        client_id: "camera".into(),
        client_secret: ClientSecret::Given("client-secret".into()),
        scope: Some("read write".into()),
    }
}

fn settings(server: &Server) -> Settings {
    Settings::new(Source::OAuth2(client(server)))
}

fn token(number: usize) -> Answer {
    let body =
        format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#);
    Answer::json(200, body)
}

fn knows_by_header(request: &Request) -> bool {
    let wanted = format!("Basic {}", BASE64_STANDARD.encode("camera:client-secret"));
    request.header("authorization") == Some(wanted.as_str())
}

#[test]
fn a_token_comes_with_its_end_and_is_renewed_by_the_same_session() {
    let count = AtomicUsize::new(0);
    let server = Server::plain(move |request| {
        assert!(knows_by_header(request));
        token(count.fetch_add(1, Ordering::SeqCst) + 1)
    });
    let session = Session::open(settings(&server)).unwrap();
    let view = wait_for(&session, "a token", |view| view.renewals == 1);
    assert_eq!(view.token().unwrap().0.expose(), "token-1");
    let end = view.lease.as_ref().unwrap().expires_at.unwrap();
    assert!(end > SystemTime::now() && end <= SystemTime::now() + Duration::from_secs(3600));
    assert!(view.next_renewal.unwrap() < end);
    assert_eq!(view.identity, None);
    session.renew_now();
    let view = wait_for(&session, "a renewal", |view| view.renewals == 2);
    assert_eq!(view.token().unwrap().0.expose(), "token-2");
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (2, "/token"));
    assert!(
        asked[0].body.contains("grant_type=client_credentials"),
        "{}",
        asked[0].body
    );
    assert!(
        asked[0].body.contains("scope=read+write"),
        "{}",
        asked[0].body
    );
}

#[test]
fn a_server_that_wants_the_secret_in_the_body_gets_it_there() {
    let server = Server::plain(|request| {
        if request.body.contains("client_secret=client-secret") {
            token(1)
        } else {
            Answer::json(401, r#"{"error":"invalid_client"}"#)
        }
    });
    let view = settled(settings(&server));
    assert_eq!((view.status, server.asked().len()), (Status::Ready, 2));
}

#[test]
fn the_secret_may_be_in_a_file_and_is_read_anew() {
    let server = Server::plain(|request| {
        if knows_by_header(request) {
            token(1)
        } else {
            Answer::json(401, r#"{"error":"invalid_client"}"#)
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "wrong-secret\n").unwrap();
    let session = Session::open(Settings::new(Source::OAuth2(OAuth2Settings {
        client_secret: ClientSecret::File(file.clone()),
        ..client(&server)
    })));
    let session = session.unwrap();
    let view = wait_for(&session, "the refusal", |view| view.error.is_some());
    assert_eq!(view.status, Status::Failed);
    let error = view.error.unwrap().to_string();
    assert!(
        error.contains("invalid_client") && error.contains("check client_id"),
        "{error}"
    );
    fs::write(&file, "client-secret\n").unwrap();
    session.renew_now();
    wait_for(&session, "a token", |view| view.token().is_some());
}

#[test]
fn an_error_without_a_message_is_an_error_too() {
    for (answer, kind, wanted) in [
        (
            Answer::json(400, ""),
            ErrorKind::User,
            "HTTP 400 without a reason",
        ),
        (
            Answer::json(400, "{}"),
            ErrorKind::User,
            "HTTP 400 without a reason",
        ),
        (
            Answer::json(200, "{}"),
            ErrorKind::User,
            "answered without a token",
        ),
        (
            Answer::json(200, ""),
            ErrorKind::User,
            "answered without a token",
        ),
        (
            Answer::json(200, r#"{"error":"invalid_scope"}"#),
            ErrorKind::User,
            "invalid_scope",
        ),
        (
            Answer::json(503, ""),
            ErrorKind::Temporary,
            "HTTP 503 without a reason",
        ),
        (
            Answer::json(429, "slow down"),
            ErrorKind::Temporary,
            "HTTP 429",
        ),
    ] {
        let server = Server::plain(move |_| answer.clone());
        let session = Session::open(settings(&server)).unwrap();
        let view = wait_for(&session, "an error", |view| view.error.is_some());
        let error = view.error.unwrap();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.message.contains(wanted),
            "{error} should say {wanted}"
        );
        assert_eq!(view.lease, None);
    }
}

#[test]
fn no_message_quotes_what_may_be_a_token() {
    // A token of a type that must not be used, and one in a field of the wrong kind.
    for body in [
        r#"{"access_token":"hush-hush","token_type":"mac","expires_in":3600}"#,
        r#"{"access_token":["hush-hush"],"token_type":"bearer"}"#,
    ] {
        let server = Server::plain(move |_| Answer::json(200, body));
        let view = settled(settings(&server));
        assert_eq!((view.status, view.lease), (Status::Failed, None));
        let error = view.error.unwrap().to_string();
        assert!(
            !error.contains("hush-hush") && !error.contains("client-secret"),
            "{error}"
        );
    }
}

#[test]
fn a_given_token_is_used_as_it_is_and_said_to_be_over() {
    let given = |expires_at| {
        settled(Settings::new(Source::Token {
            access_token: "given-token".into(),
            expires_at,
        }))
    };
    let hour = Duration::from_secs(3600);
    let view = given(Some(SystemTime::now() + hour));
    assert_eq!((view.status, view.next_renewal), (Status::Ready, None));
    let view = given(Some(SystemTime::now() - hour));
    assert_eq!((view.status, view.next_renewal), (Status::Expired, None));
    assert_eq!(view.token().unwrap().0.expose(), "given-token");
    assert!(view.error.unwrap().to_string().contains("give a new one"));
    assert_eq!(given(None).status, Status::Ready);
}
