// SPDX-License-Identifier: MPL-2.0
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::session::clock::{Clock, SystemClock};

const ARN: &str = "arn:aws:iam::123456789012:role/camera";

/// What is made of a refusal on a machine whose clock is `off` behind.
fn said(code: &str, message: &str, status: u16, off: Duration) -> Error {
    let skew = Skew::new(Arc::new(SystemClock));
    let date = httpdate::fmt_http_date(SystemClock.now() + off);
    skew.learn(SystemClock.now(), Some(&date));
    let refusal = Refusal {
        code,
        message,
        status,
    };
    refusal.explain(&Step::AssumeRole(ARN), &skew)
}

fn on_time(code: &str, status: u16) -> Error {
    said(code, "", status, Duration::ZERO)
}

#[test]
fn what_time_heals_is_temporary() {
    for (code, status) in [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("RequestLimitExceeded", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
        ("", 502),
        ("", 429),
        ("IDPCommunicationError", 400),
    ] {
        let error = on_time(code, status);
        assert_eq!(error.kind, ErrorKind::Temporary, "{error}");
    }
}

#[test]
fn what_somebody_has_to_change_comes_with_what_to_do() {
    for (code, wanted) in [
        ("AccessDenied", "its trust policy names the caller"),
        ("InvalidClientTokenId", "an access key that exists"),
        ("SignatureDoesNotMatch", "belongs to the access key id"),
        ("ExpiredToken", "have not expired"),
        ("RegionDisabledException", "choose another"),
        ("MalformedPolicyDocument", "correct what it names"),
    ] {
        let error = on_time(code, 403);
        assert_eq!(error.kind, ErrorKind::User, "{error}");
        assert!(error.remedy.contains(wanted), "{error}");
        assert!(
            error.message.contains(code) && error.message.contains(ARN),
            "{error}"
        );
    }
    let long = "The requested DurationSeconds exceeds the 1 hour session limit";
    let error = said("ValidationError", long, 400, Duration::ZERO);
    assert!(
        error.remedy.contains("ask for a shorter duration"),
        "{error}"
    );
}

#[test]
fn a_refusal_that_a_wrong_clock_explains_names_the_clock_and_others_do_not() {
    let ten_minutes = Duration::from_secs(600);
    for code in ["SignatureDoesNotMatch", "ExpiredToken", "RequestExpired"] {
        let error = said(code, "", 403, ten_minutes);
        assert_eq!(error.kind, ErrorKind::Clock, "{error}");
        assert!(error.to_string().contains("NTP"), "{error}");
    }
    let error = said("AccessDenied", "", 403, ten_minutes);
    assert_eq!(error.kind, ErrorKind::User, "{error}");
}

#[test]
fn a_certificate_that_is_not_valid_yet_points_to_the_clock() {
    let error = unreachable("invalid peer certificate: NotValidYet", &Step::WhoAmI);
    assert_eq!(error.kind, ErrorKind::Clock);
    assert_eq!(
        unreachable("connection refused", &Step::WhoAmI).kind,
        ErrorKind::Temporary
    );
}
