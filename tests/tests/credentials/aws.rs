// SPDX-License-Identifier: MPL-2.0
//! Everything that asks STS, against moto.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use gstawscreds::session::{Role, Session, Settings, Source, Status};
use tests::moto::Moto;
use tests::web::{Answer, Server};

use crate::{given_keys, settled, wait_for};

const CAMERA: &str = "arn:aws:iam::123456789012:role/camera";
const UPLOADER: &str = "arn:aws:iam::123456789012:role/uploader";

fn assuming(moto: &Moto, roles: &[Role]) -> Settings {
    Settings {
        roles: roles.to_vec(),
        endpoint_url: Some(moto.url()),
        ..Settings::new(given_keys())
    }
}

/// `show_session`, with nothing of AWS's in its environment but what is given.
fn show(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_show_session"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    let defaults = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    command.envs(defaults).envs(environment.iter().copied());
    command.args(arguments).output().expect("it was built")
}

/// What it said after `word`.
fn said<'a>(output: &'a Output, word: &str) -> &'a str {
    let text = std::str::from_utf8(&output.stdout).expect("text");
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|(first, _)| *first == word);
    found
        .unwrap_or_else(|| panic!("it did not say {word:?}:\n{text}"))
        .1
}

fn with_config(folder: &Path, text: &str) -> String {
    let path = folder.join("config");
    fs::write(&path, text).expect("a folder to write to");
    path.to_string_lossy().into_owned()
}

#[test]
fn an_assumed_role_has_credentials_that_end_and_an_identity() {
    let moto = Moto::start();
    let role = Role {
        session_name: Some("front-door".into()),
        external_id: Some("third/party".into()),
        duration: Some(Duration::from_secs(900)),
        ..Role::new(CAMERA)
    };
    let session = Session::open(assuming(&moto, &[role])).unwrap();
    let view = wait_for(&session, "the identity", |view| view.identity.is_some());
    assert_eq!((view.status, view.renewals), (Status::Ready, 1));
    let identity = view.identity.as_ref().unwrap();
    assert_eq!(
        identity.arn,
        "arn:aws:sts::123456789012:assumed-role/camera/front-door"
    );
    assert_eq!(identity.account, "123456789012");
    assert!(view.credentials().unwrap().session_token.is_some());
    let end = view.lease.as_ref().unwrap().expires_at.unwrap();
    let left = end.duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(901), "{left:?}");
    let calls = moto.calls("AssumeRole");
    assert_eq!(calls.len(), 1);
    for part in [
        "RoleSessionName=front-door",
        "ExternalId=third%2Fparty",
        "DurationSeconds=900",
    ] {
        assert!(calls[0].contains(part), "{part} is not in {}", calls[0]);
    }
}

#[test]
fn each_role_is_assumed_with_the_one_before() {
    let moto = Moto::start();
    let session =
        Session::open(assuming(&moto, &[Role::new(CAMERA), Role::new(UPLOADER)])).unwrap();
    let view = wait_for(&session, "the identity", |view| view.identity.is_some());
    let arn = view.identity.unwrap().arn;
    assert!(arn.contains("assumed-role/uploader/awscreds-"), "{arn}");
    let calls = moto.calls("AssumeRole");
    assert_eq!(calls.len(), 2);
    assert!(calls[0].contains("role%2Fcamera") && calls[1].contains("role%2Fuploader"));
}

#[test]
fn renewals_bring_new_credentials_with_one_call_each() {
    let moto = Moto::start();
    let session = Session::open(assuming(&moto, &[Role::new(CAMERA)])).unwrap();
    let mut known = Vec::new();
    for renewal in 1..=3 {
        let view = wait_for(&session, "a renewal", |view| view.renewals == renewal);
        known.push(view.credentials().unwrap().access_key_id.clone());
        session.renew_now();
    }
    known.dedup();
    assert_eq!(known.len(), 3, "{known:?}");
    wait_for(&session, "the last renewal", |view| view.renewals == 4);
    assert_eq!(moto.calls("AssumeRole").len(), 4);
    assert_eq!(moto.calls("GetCallerIdentity").len(), 1);
}

#[test]
fn short_lived_credentials_are_renewed_by_themselves_and_there_are_always_some() {
    let moto = Moto::start();
    let role = Role {
        // AWS gives 15 minutes at least; moto gives what it is asked for.
        duration: Some(Duration::from_secs(20)),
        ..Role::new(CAMERA)
    };
    let session = Session::open(assuming(&moto, &[role])).unwrap();
    wait_for(&session, "credentials", |view| view.lease.is_some());
    let last = wait_for(&session, "five renewals", |view| {
        let lease = view.lease.as_ref().expect("there are always some");
        assert!(lease.expires_at.is_some_and(|end| end > SystemTime::now()));
        view.renewals >= 6
    });
    assert_eq!(last.status, Status::Ready);
    assert_eq!(moto.calls("AssumeRole").len() as u64, last.renewals);
}

#[test]
fn while_sts_is_away_the_old_credentials_stay_and_it_is_found_again() {
    let moto = Moto::start();
    let port = moto.port();
    let session = Session::open(assuming(&moto, &[Role::new(CAMERA)])).unwrap();
    let first = wait_for(&session, "credentials", |view| view.lease.is_some());
    drop(moto);
    session.renew_now();
    let view = wait_for(&session, "a failure", |view| view.error.is_some());
    assert_eq!((view.status, &view.lease), (Status::Retrying, &first.lease));
    let error = view.error.unwrap().to_string();
    assert!(error.contains(CAMERA), "{error}");
    let _moto = Moto::start_at(port);
    let view = wait_for(&session, "new credentials", |view| view.renewals == 2);
    assert_eq!((view.status, view.error), (Status::Ready, None));
    assert_ne!(view.lease, first.lease);
}

#[test]
fn a_web_identity_token_is_exchanged_and_read_anew_each_time() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    fs::write(&token_file, "first-token\n").unwrap();
    let settings = Settings {
        endpoint_url: Some(moto.url()),
        ..Settings::new(Source::WebIdentity {
            token_file: token_file.clone(),
            role: Role::new(CAMERA),
        })
    };
    let session = Session::open(settings).unwrap();
    wait_for(&session, "credentials", |view| view.renewals == 1);
    fs::write(&token_file, "second-token\n").unwrap();
    session.renew_now();
    wait_for(&session, "a renewal", |view| view.renewals == 2);
    let calls = moto.calls("AssumeRoleWithWebIdentity");
    assert!(
        calls[0].contains("WebIdentityToken=first-token"),
        "{}",
        calls[0]
    );
    assert!(
        calls[1].contains("WebIdentityToken=second-token"),
        "{}",
        calls[1]
    );
}

#[test]
fn a_web_identity_token_that_is_not_there_is_named() {
    let settings = Settings::new(Source::WebIdentity {
        token_file: "/nonexistent/token".into(),
        role: Role::new(CAMERA),
    });
    let view = settled(settings);
    assert_eq!(view.status, Status::Failed);
    let error = view.error.unwrap().to_string();
    assert!(
        error.contains("/nonexistent/token cannot be read"),
        "{error}"
    );
}

#[test]
fn a_refusal_says_what_sts_said_and_what_to_do() {
    let sts = Server::plain(|_| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>User: somebody is not authorized to perform: sts:AssumeRole</Message></Error>\
            </ErrorResponse>";
        Answer::xml(403, body)
    });
    let view = settled(Settings {
        roles: vec![Role::new(CAMERA)],
        endpoint_url: Some(sts.url()),
        ..Settings::new(given_keys())
    });
    assert_eq!((view.status, view.lease), (Status::Failed, None));
    let error = view.error.unwrap().to_string();
    for part in [
        CAMERA,
        "not authorized",
        "trust policy",
        "sts:AssumeRole on it",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn keys_that_aws_does_not_know_are_said_to_be_wrong_and_stay_in_use() {
    let sts = Server::plain(|_| {
        let body = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security \
            token included in the request is invalid.</Message></Error></ErrorResponse>";
        Answer::xml(403, body)
    });
    let session = Session::open(Settings {
        endpoint_url: Some(sts.url()),
        ..Settings::new(given_keys())
    });
    let view = wait_for(&session.unwrap(), "the refusal", |view| {
        view.error.is_some()
    });
    assert_eq!((view.status, view.lease.is_some()), (Status::Failed, true));
    let error = view.error.unwrap().to_string();
    assert!(error.contains("give an access key that exists"), "{error}");
}

#[test]
fn a_profile_may_assume_a_role_with_another() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    let config = with_config(
        folder.path(),
        &format!(
            "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret\n\
             [profile camera]\nsource_profile = base\nrole_arn = {CAMERA}\nregion = eu-west-1\n"
        ),
    );
    let output = show(
        &[
            ("AWS_CONFIG_FILE", &config),
            ("AWS_ENDPOINT_URL", &moto.url()),
        ],
        &["profile", "camera"],
    );
    assert_eq!(said(&output, "status"), "ready");
    assert!(said(&output, "arn").contains("assumed-role/camera/"));
    assert_eq!(moto.calls("AssumeRole").len(), 1);
}

#[test]
fn a_profile_that_is_not_there_is_somebodys_to_add() {
    let output = show(&[], &["profile", "camera"]);
    assert_eq!(said(&output, "status"), "failed");
    let error = said(&output, "error");
    assert!(
        error.contains("profile \"camera\"") && error.contains("~/.aws/config"),
        "{error}"
    );
}

#[test]
fn the_chain_takes_the_environment_and_says_when_there_is_nothing() {
    let moto = Moto::start();
    let environment = moto.environment();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let output = show(&environment, &["chain", "role", CAMERA, "role", UPLOADER]);
    assert_eq!(said(&output, "status"), "ready");
    assert!(said(&output, "arn").contains("assumed-role/uploader/"));
    let output = show(&[], &["chain"]);
    assert_eq!(said(&output, "status"), "failed");
    assert!(
        said(&output, "error").contains("set AWS_PROFILE"),
        "{}",
        said(&output, "error")
    );
}

#[test]
fn the_containers_endpoint_is_asked_with_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "a-token").unwrap();
    let container = Server::plain(|request| {
        if request.header("authorization") != Some("a-token") {
            return Answer::json(401, "{}");
        }
        Answer::json(
            200,
            r#"{"AccessKeyId":"ASIACONTAINER","SecretAccessKey":"container-secret",
                "Token":"container-token","Expiration":"2999-01-01T00:00:00Z"}"#,
        )
    });
    let moto = Moto::start();
    let output = show(
        &[
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{}/creds", container.url()),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                &token.to_string_lossy(),
            ),
            ("AWS_ENDPOINT_URL", &moto.url()),
        ],
        &["container"],
    );
    assert_eq!(said(&output, "status"), "ready");
    assert_eq!(said(&output, "key"), "ASIACONTAINER");
    assert_eq!(container.asked()[0].path, "/creds");
}

#[test]
fn an_expiry_is_by_the_clock_of_whoever_gave_it() {
    // Ten minutes ahead of this machine, as AWS would be of one that is slow.
    let theirs = SystemTime::now() + Duration::from_secs(600);
    let end = jiff::Timestamp::try_from(theirs + Duration::from_secs(3600)).unwrap();
    let date = jiff::Timestamp::try_from(theirs).unwrap();
    let container = Server::plain(move |_| {
        let keys = format!(
            r#"{{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"{end:.0}"}}"#
        );
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Answer::json(200, keys).with("Date", date)
    });
    let moto = Moto::start();
    let output = show(
        &[
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{}/creds", container.url()),
            ),
            ("AWS_ENDPOINT_URL", &moto.url()),
        ],
        &["chain"],
    );
    let left: u64 = said(&output, "left").parse().unwrap();
    assert!(left <= 3600, "{left} s left of an hour");
}

#[test]
fn a_profile_that_logs_in_by_sso_says_how_it_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_config(
        folder.path(),
        "[profile person]\nsso_session = us\nsso_account_id = 123456789012\n\
         sso_role_name = camera\nregion = eu-west-1\n\
         [sso-session us]\nsso_region = eu-west-1\nsso_start_url = https://us.awsapps.example/start\n",
    );
    let output = show(&[("AWS_CONFIG_FILE", &config)], &["profile", "person"]);
    assert_eq!(said(&output, "status"), "failed");
    let error = said(&output, "error");
    assert!(
        error.contains("aws configure export-credentials"),
        "{error}"
    );
}

#[test]
fn the_instance_is_asked_with_a_session_token() {
    let imds = Server::plain(
        |request| match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") => {
                Answer::text("imds-token").with("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            }
            ("GET", _) if request.header("x-aws-ec2-metadata-token") != Some("imds-token") => {
                Answer::json(401, "")
            }
            ("GET", path) if path.trim_end_matches('/').ends_with("security-credentials") => {
                Answer::text("camera")
            }
            ("GET", path) if path.contains("security-credentials") => Answer::json(
                200,
                r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAINSTANCE",
                "SecretAccessKey":"instance-secret","Token":"instance-token",
                "LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2999-01-01T00:00:00Z"}"#,
            ),
            _ => Answer::json(404, ""),
        },
    );
    let moto = Moto::start();
    let output = show(
        &[
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.url()),
            ("AWS_ENDPOINT_URL", &moto.url()),
        ],
        &["imds"],
    );
    assert_eq!(
        (said(&output, "status"), said(&output, "key")),
        ("ready", "ASIAINSTANCE")
    );
}

#[test]
fn no_log_line_at_any_level_holds_a_secret() {
    let moto = Moto::start();
    let environment = moto.environment();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("LOG_SENSITIVE_BODIES", "true")])
        .collect();
    let keys = r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"process-secret"}"#;
    let command = format!("echo '{keys}'");
    let output = show(&environment, &["process", &command, "role", CAMERA]);
    assert_eq!(said(&output, "status"), "ready");
    let log = String::from_utf8_lossy(&output.stderr);
    // The log works: the session's own lines are there.
    assert!(
        log.contains("are those of arn:aws:sts::123456789012:assumed-role/camera/"),
        "{log}"
    );
    for word in ["key", "secret", "token"] {
        assert!(
            !log.contains(said(&output, word)),
            "the {word} is in the log:\n{log}"
        );
    }
    assert!(
        !log.contains("process-secret") && !log.contains("AKIAPROCESS"),
        "{log}"
    );
}
