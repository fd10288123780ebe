// SPDX-License-Identifier: MPL-2.0
//! Where a session stands, and what each event makes of it. Pure: no clock, no network, no chance.
//!
//! Two rules carry it: **what is in use stays in use until it truly ends**, whatever fails
//! meanwhile; and **a failure is never the last attempt**.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::{Error, ErrorKind};
use super::schedule;
use super::source::{Expiry, Fetched};
use super::view::{ClockOffset, Identity, Lease, LeaseSecret, Status, View};

/// What does not say when it ends is looked at again after this: tools rewrite profiles.
const RECHECK: Duration = Duration::from_secs(15 * 60);

/// A session's course.
#[derive(Debug)]
pub struct Course {
    /// Renewed this long before the expiry, if somebody said so.
    asked_margin: Option<Duration>,
    /// Used as it is: never asked for again, and not withdrawn when its time is over.
    given: bool,
    held: Option<Held>,
    had_any: bool,
    identity: Option<Identity>,
    renewals: u64,
    /// Failures since the last success.
    failures: u32,
    error: Option<Arc<Error>>,
    next: Option<SystemTime>,
    offset: Option<ClockOffset>,
}

/// The lease in use and what its times are made of.
#[derive(Debug)]
struct Held {
    lease: Arc<Lease>,
    expiry: Expiry,
    margin: Duration,
}

impl Course {
    /// Before the first question.
    pub fn new(asked_margin: Option<Duration>, given: bool) -> Self {
        Course {
            asked_margin,
            given,
            held: None,
            had_any: false,
            identity: None,
            renewals: 0,
            failures: 0,
            error: None,
            next: None,
            offset: None,
        }
    }

    /// The source gave something at `now`.
    ///
    /// What has ended already is a failure: the source's own cache is stale, or a clock is wrong.
    pub fn fetched(&mut self, fetched: Fetched, now: SystemTime, jitter: f64) {
        let expires_at = self.our_expiry(fetched.expiry);
        if !self.given && expires_at.is_some_and(|end| end <= now) {
            return self.failed(already_over(self.offset), now, jitter);
        }
        self.failures = 0;
        self.error = None;
        if !self.is_held(&fetched.secret, fetched.expiry) {
            let left = expires_at.and_then(|end| end.duration_since(now).ok());
            let margin = left.map_or(RECHECK, schedule::margin);
            self.held = Some(Held {
                lease: Arc::new(Lease {
                    secret: fetched.secret,
                    obtained_at: now,
                    expires_at,
                }),
                expiry: fetched.expiry,
                margin: self.asked_margin.unwrap_or(margin),
            });
            self.had_any = true;
            self.renewals += 1;
        }
        self.next = self.next_renewal(now, jitter);
        self.expire(now);
    }

    /// The source gave nothing at `now`.
    pub fn failed(&mut self, error: Error, now: SystemTime, jitter: f64) {
        let wait = match error.kind {
            ErrorKind::User => schedule::retry_slowly(self.failures, jitter),
            ErrorKind::Temporary | ErrorKind::Clock => schedule::retry_soon(self.failures, jitter),
        };
        self.failures = self.failures.saturating_add(1);
        self.error = Some(Arc::new(error));
        self.next = Some(now + wait);
        self.expire(now);
    }

    /// AWS refuses the keys in use, which nothing else would have told.
    pub fn refused(&mut self, error: Error) {
        self.error = Some(Arc::new(error));
    }

    /// It is known whose they are.
    pub fn identified(&mut self, identity: Identity) {
        self.identity = Some(identity);
        if self.failures == 0 {
            self.error = None;
        }
    }

    /// Withdraws what has ended.
    pub fn expire(&mut self, now: SystemTime) {
        if self.expires_at().is_none_or(|end| end > now) {
            return;
        }
        if self.given {
            self.error.get_or_insert_with(|| Arc::new(given_is_over()));
        } else {
            self.held = None;
        }
    }

    /// The difference between the clocks is known better than before.
    pub fn clock_offset(&mut self, offset: Option<ClockOffset>, now: SystemTime, jitter: f64) {
        if self.offset == offset {
            return;
        }
        self.offset = offset;
        let Some(held) = &self.held else { return };
        let expires_at = self.our_expiry(held.expiry);
        if held.lease.expires_at == expires_at {
            return;
        }
        let lease = Lease {
            expires_at,
            ..(*held.lease).clone()
        };
        if let Some(held) = &mut self.held {
            held.lease = Arc::new(lease);
        }
        if self.failures == 0 {
            self.next = self.next_renewal(now, jitter);
        }
        self.expire(now);
    }

    /// When to ask the source again; `None` where it never is.
    pub fn next(&self) -> Option<SystemTime> {
        self.next
    }

    /// When what is in use ends, by this machine's clock.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.held.as_ref()?.lease.expires_at
    }

    /// The lease in use.
    pub fn lease(&self) -> Option<&Arc<Lease>> {
        self.held.as_ref().map(|held| &held.lease)
    }

    /// Whether it is still to be found out whose they are.
    pub fn is_anonymous(&self) -> bool {
        let aws = |lease: &Arc<Lease>| matches!(lease.secret, LeaseSecret::Aws(_));
        self.identity.is_none() && self.lease().is_some_and(aws)
    }

    /// For everybody.
    pub fn view(&self, now: SystemTime) -> View {
        View {
            status: self.status(now),
            lease: self.lease().cloned(),
            identity: self.identity.clone(),
            renewals: self.renewals,
            next_renewal: self.next,
            error: self.error.clone(),
            clock_offset: self.offset,
        }
    }

    fn status(&self, now: SystemTime) -> Status {
        let over = self.expires_at().is_some_and(|end| end <= now);
        let by_user = matches!(&self.error, Some(error) if error.kind == ErrorKind::User);
        match self.held {
            _ if over => Status::Expired,
            _ if by_user => Status::Failed,
            Some(_) if self.error.is_some() => Status::Retrying,
            Some(_) => Status::Ready,
            None if self.had_any => Status::Expired,
            None => Status::Starting,
        }
    }

    fn next_renewal(&self, now: SystemTime, jitter: f64) -> Option<SystemTime> {
        let held = self.held.as_ref().filter(|_| !self.given)?;
        let at = |end| schedule::renewal_at(now, end, held.margin, jitter);
        Some(held.lease.expires_at.map_or(now + RECHECK, at))
    }

    fn is_held(&self, secret: &LeaseSecret, expiry: Expiry) -> bool {
        let same = |held: &Held| held.lease.secret == *secret && held.expiry == expiry;
        self.held.as_ref().is_some_and(same)
    }

    fn our_expiry(&self, expiry: Expiry) -> Option<SystemTime> {
        match expiry {
            Expiry::Unknown => None,
            Expiry::OurTime(end) => Some(end),
            Expiry::AwsTime(end) => Some(self.offset.map_or(end, |offset| offset.our_time(end))),
        }
    }
}

fn already_over(offset: Option<ClockOffset>) -> Error {
    let message = "the source gave credentials that have expired";
    match offset {
        Some(offset) => Error::new(
            ErrorKind::Clock,
            format!("{message} ({offset})"),
            "set this machine's clock from the network (NTP)",
        ),
        None => Error::new(
            ErrorKind::Temporary,
            message,
            "log in again if they come from a tool that keeps them",
        ),
    }
}

fn given_is_over() -> Error {
    Error::user(
        "the given token has expired",
        "give a new one, or a source that renews it (oauth2)",
    )
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
