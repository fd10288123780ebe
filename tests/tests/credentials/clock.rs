// SPDX-License-Identifier: MPL-2.0
//! A machine whose clock is ten minutes off, as an STS sees it that refuses such signatures.

use std::time::{Duration, SystemTime};

use gstawscreds::session::{Role, Session, Settings, Status};
use tests::web::{Answer, Request, Server};

use crate::{given_keys, wait_for};

const OFF_SECONDS: u64 = 600;

/// AWS's time on a machine that is `OFF_SECONDS` behind.
fn aws_now() -> SystemTime {
    SystemTime::now() + Duration::from_secs(OFF_SECONDS)
}

fn stamp(time: SystemTime, format: &str) -> String {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let time = jiff::Timestamp::from_second(seconds as i64).expect("before 9999");
    time.strftime(format).to_string()
}

/// Signatures are good for five minutes.
fn is_signed_in_time(request: &Request) -> bool {
    let signed = request.header("x-amz-date").unwrap_or_default();
    let good = [-240_i64, 240].map(|seconds| {
        let moved = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            aws_now() - moved
        } else {
            aws_now() + moved
        };
        stamp(time, "%Y%m%dT%H%M%SZ")
    });
    (good[0].as_str()..=good[1].as_str()).contains(&signed)
}

fn sts(accepts: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Server {
    Server::plain(move |request| {
        let answer = if !accepts(request) {
            let body = "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>\
                <Message>Signature expired</Message></Error></ErrorResponse>";
            Answer::xml(403, body)
        } else if request.body.contains("Action=AssumeRole&") {
            let end = stamp(aws_now() + Duration::from_secs(3600), "%Y-%m-%dT%H:%M:%SZ");
            Answer::xml(
                200,
                format!(
                    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIALATE\
                     </AccessKeyId><SecretAccessKey>late-secret</SecretAccessKey><SessionToken>\
                     late-token</SessionToken><Expiration>{end}</Expiration></Credentials>\
                     </AssumeRoleResult></AssumeRoleResponse>"
                ),
            )
        } else {
            Answer::xml(
                200,
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:\
                 assumed-role/camera/x</Arn><UserId>id</UserId><Account>123456789012</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>",
            )
        };
        answer.with("Date", stamp(aws_now(), "%a, %d %b %Y %H:%M:%S GMT"))
    })
}

fn session(sts: &Server) -> Session {
    Session::open(Settings {
        roles: vec![Role::new("arn:aws:iam::123456789012:role/camera")],
        endpoint_url: Some(sts.url()),
        ..Settings::new(given_keys())
    })
    .expect("settings that can work")
}

#[test]
fn a_clock_that_is_ten_minutes_slow_is_said_to_be_and_credentials_come_nevertheless() {
    let sts = sts(is_signed_in_time);
    let session = session(&sts);
    let view = wait_for(&session, "credentials", |view| view.lease.is_some());
    let offset = view.clock_offset.expect("it is noticed");
    assert!(offset.seconds.abs_diff(OFF_SECONDS as i64) <= 5, "{offset}");
    assert!(offset.to_string().contains("behind AWS's"), "{offset}");
    // An hour by both clocks, though the answer says an hour and ten minutes by ours.
    let end = view.lease.unwrap().expires_at.unwrap();
    let left = end.duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(3610), "{left:?}");
}

#[test]
fn where_aws_refuses_for_the_clock_the_clock_is_named() {
    let sts = sts(|_| false);
    let session = session(&sts);
    let view = wait_for(&session, "the refusal", |view| view.error.is_some());
    assert_eq!((view.status, view.lease), (Status::Starting, None));
    let error = view.error.unwrap().to_string();
    assert!(
        error.contains("s behind AWS's") && error.contains("(NTP)"),
        "{error}"
    );
    assert!(!error.contains("secret access key that belongs"), "{error}");
}
