// SPDX-License-Identifier: MPL-2.0
use super::*;
use crate::session::view::{AccessToken, Credentials};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 500_000 * HOUR
}

fn keys(name: &str, expiry: Expiry) -> Fetched {
    Fetched {
        secret: LeaseSecret::Aws(Credentials {
            access_key_id: name.into(),
            secret_access_key: "secret".into(),
            session_token: None,
        }),
        expiry,
    }
}

/// What ends an hour after the start.
fn hour(name: &str) -> Fetched {
    keys(name, Expiry::AwsTime(start() + HOUR))
}

fn in_use(course: &Course) -> Option<&str> {
    match &course.lease()?.secret {
        LeaseSecret::Aws(credentials) => Some(&credentials.access_key_id),
        LeaseSecret::Token(_) => None,
    }
}

fn down() -> Error {
    Error::temporary("STS is down")
}

fn denied() -> Error {
    Error::user("access denied", "allow it")
}

#[test]
fn credentials_are_renewed_after_two_thirds_of_an_hour() {
    let mut course = Course::new(None, false);
    assert_eq!(course.view(start()).status, Status::Starting);
    course.fetched(hour("first"), start(), 0.0);
    let view = course.view(start());
    assert_eq!((view.status, view.renewals), (Status::Ready, 1));
    assert_eq!(view.next_renewal, Some(start() + 40 * MINUTE));
}

#[test]
fn what_is_in_use_stays_in_use_until_it_truly_ends_while_renewals_fail() {
    let mut course = Course::new(None, false);
    course.fetched(hour("first"), start(), 0.0);
    let mut now = start() + 40 * MINUTE;
    while now < start() + HOUR {
        course.failed(down(), now, 1.0);
        let view = course.view(now);
        assert_eq!(
            (view.status, in_use(&course)),
            (Status::Retrying, Some("first"))
        );
        let next = view.next_renewal.unwrap();
        assert!(next > now && next <= now + Duration::from_secs(30));
        now = next;
    }
    course.expire(now);
    let view = course.view(now);
    assert_eq!((view.status, view.lease), (Status::Expired, None));
    assert!(
        view.next_renewal.is_some(),
        "a failure is never the last attempt"
    );
    course.fetched(keys("second", Expiry::AwsTime(now + HOUR)), now, 0.0);
    let view = course.view(now);
    assert_eq!(
        (view.status, view.error, view.renewals),
        (Status::Ready, None, 2)
    );
}

#[test]
fn what_somebody_has_to_put_right_is_said_at_once_and_retried_slowly() {
    let mut course = Course::new(None, false);
    course.failed(denied(), start(), 0.0);
    let view = course.view(start());
    assert_eq!(view.status, Status::Failed);
    assert_eq!(view.error.as_deref(), Some(&denied()));
    assert!(view.next_renewal.unwrap() >= start() + MINUTE / 2);
    // It is not forgotten when the network goes as well, and it heals by itself.
    course.failed(down(), start() + MINUTE, 0.0);
    assert_eq!(course.view(start() + MINUTE).status, Status::Starting);
    course.fetched(hour("first"), start() + MINUTE, 0.0);
    assert_eq!(course.view(start() + MINUTE).status, Status::Ready);
}

#[test]
fn a_refused_renewal_leaves_the_old_credentials_in_use() {
    let mut course = Course::new(None, false);
    course.fetched(hour("first"), start(), 0.0);
    course.failed(denied(), start() + 40 * MINUTE, 0.0);
    let view = course.view(start() + 40 * MINUTE);
    assert_eq!(
        (view.status, in_use(&course)),
        (Status::Failed, Some("first"))
    );
}

#[test]
fn a_source_that_gives_the_same_again_is_asked_again_later_and_nothing_is_new() {
    let mut course = Course::new(None, false);
    course.fetched(hour("first"), start(), 0.0);
    let lease = course.lease().cloned();
    let mut now = start() + 40 * MINUTE;
    let mut questions = 0;
    while now < start() + 55 * MINUTE {
        course.fetched(hour("first"), now, 0.0);
        let view = course.view(now);
        assert_eq!((view.renewals, view.status), (1, Status::Ready));
        assert!(view.next_renewal.unwrap() > now);
        now = view.next_renewal.unwrap();
        questions += 1;
    }
    assert_eq!(course.lease().cloned(), lease);
    assert!(questions < 20, "{questions} questions in 15 minutes");
}

#[test]
fn credentials_that_come_expired_are_a_failure_and_are_not_used() {
    let mut course = Course::new(None, false);
    course.fetched(keys("old", Expiry::AwsTime(start() - MINUTE)), start(), 0.0);
    let view = course.view(start());
    assert_eq!((view.lease, view.renewals), (None, 0));
    assert!(view.error.unwrap().message.contains("have expired"));
}

#[test]
fn on_a_clock_that_is_slow_credentials_end_earlier_than_they_look() {
    let mut course = Course::new(None, false);
    let ten_minutes_slow = Some(ClockOffset { seconds: 600 });
    course.clock_offset(ten_minutes_slow, start(), 0.0);
    course.fetched(hour("first"), start(), 0.0);
    assert_eq!(course.expires_at(), Some(start() + 50 * MINUTE));
    assert_eq!(course.view(start()).clock_offset, ten_minutes_slow);
    // Learnt late, it counts as well.
    let mut late = Course::new(None, false);
    late.fetched(hour("first"), start(), 0.0);
    late.clock_offset(ten_minutes_slow, start(), 0.0);
    assert_eq!(late.expires_at(), course.expires_at());
    assert_eq!(
        late.view(start()).next_renewal.unwrap(),
        start() + 30 * MINUTE
    );
}

#[test]
fn on_a_clock_that_is_fast_fresh_credentials_are_used_though_they_look_expired() {
    let mut course = Course::new(None, false);
    let two_hours_fast = Some(ClockOffset { seconds: -7200 });
    let now = start() + 2 * HOUR;
    course.clock_offset(two_hours_fast, now, 0.0);
    course.fetched(hour("first"), now, 0.0);
    assert_eq!(course.view(now).status, Status::Ready);
    assert_eq!(course.expires_at(), Some(now + HOUR));
}

#[test]
fn the_other_clock_says_nothing_about_what_is_counted_by_ours() {
    let mut course = Course::new(None, false);
    course.clock_offset(Some(ClockOffset { seconds: 600 }), start(), 0.0);
    course.fetched(keys("token", Expiry::OurTime(start() + HOUR)), start(), 0.0);
    assert_eq!(course.expires_at(), Some(start() + HOUR));
}

#[test]
fn what_says_nothing_of_its_end_is_looked_at_again() {
    let mut course = Course::new(None, false);
    course.fetched(keys("profile", Expiry::Unknown), start(), 0.0);
    assert_eq!(course.next(), Some(start() + RECHECK));
    assert_eq!(course.expires_at(), None);
}

#[test]
fn a_given_token_is_never_asked_for_and_stays_when_its_time_is_over_with_a_warning() {
    let mut course = Course::new(None, true);
    let token = Fetched {
        secret: LeaseSecret::Token(AccessToken("hush".into())),
        expiry: Expiry::OurTime(start() + HOUR),
    };
    course.fetched(token, start(), 0.0);
    assert_eq!(
        (course.view(start()).status, course.next()),
        (Status::Ready, None)
    );
    let late = start() + HOUR;
    course.expire(late);
    let view = course.view(late);
    assert_eq!(view.status, Status::Expired);
    assert!(view.token().is_some() && view.next_renewal.is_none());
    assert!(
        view.error
            .unwrap()
            .to_string()
            .contains("the given token has expired; give a new")
    );
}

#[test]
fn keys_that_aws_refuses_are_said_to_be_and_a_later_yes_takes_it_back() {
    let mut course = Course::new(None, true);
    course.fetched(keys("given", Expiry::Unknown), start(), 0.0);
    course.refused(Error::user("no such key", "give another"));
    let view = course.view(start());
    assert_eq!((view.status, view.lease.is_some()), (Status::Failed, true));
    course.identified(Identity {
        account: "123456789012".into(),
        arn: "arn".into(),
        user_id: "id".into(),
    });
    assert_eq!(course.view(start()).status, Status::Ready);
}

#[test]
fn the_margin_somebody_asked_for_counts() {
    let mut course = Course::new(Some(5 * MINUTE), false);
    course.fetched(hour("first"), start(), 0.0);
    assert_eq!(course.next(), Some(start() + 55 * MINUTE));
}
