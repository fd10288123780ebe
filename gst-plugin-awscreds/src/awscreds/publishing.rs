// SPDX-License-Identifier: MPL-2.0
//! What is to be done now with what a session shows: deliver, write the file again, say something.
//!
//! kvssink keeps credentials until the expiry that the file declares, and looks into the file for
//! new ones only in the last 38 s. So the file declares an expiry a minute after the next renewal,
//! and has new content before these 38 s begin: the renewed credentials, or, where the renewal
//! failed, the same ones with a later expiry, which is never after the true one.
//!
//! Time comes as an argument, so that tests play hours in no time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::session::{Error, ErrorKind, Lease, LeaseSecret, Status, View, kvs_file};

use super::delivery::{DeliveryError, Route};

/// A file is written again so long before kvssink may look into it.
const AHEAD: Duration = Duration::from_secs(12);
/// How often the file is looked after: it may have been removed.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// How long after a failed delivery it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The same failure with other words is told again after this.
const TELL_AGAIN: Duration = Duration::from_secs(30);
/// Credentials end in so many seconds and nothing newer is there: told at each of these.
const ALARMS_S: [u64; 5] = [600, 300, 120, 60, 30];

/// Something for the element to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// New credentials were delivered.
    Refreshed {
        /// The expiry that kvssink reads, where one was declared.
        declared: Option<SystemTime>,
    },
    /// A renewal or a delivery failed.
    Failed {
        /// `user`, `temporary`, `clock` or `delivery`.
        kind: &'static str,
        /// What happened.
        reason: String,
        /// What to do; may be empty.
        remedy: String,
    },
    /// What is in use ends soon.
    Expiring {
        /// When.
        expiry: SystemTime,
        /// Whether the target is to be restarted.
        restart: bool,
    },
}

/// The side of the target.
pub struct Publishing {
    route: Route,
    published: Option<Published>,
    /// When a failed delivery is tried again.
    try_again_at: Option<SystemTime>,
    /// What failure was told last, and when.
    told: Option<(Status, String, SystemTime)>,
    /// What failed delivery was told last.
    told_delivery: Option<String>,
    /// Whether a wrong clock was told.
    told_clock: bool,
    /// The lowest of the alarms that was given for what is in use.
    alarm_s: Option<u64>,
}

/// What the target has.
struct Published {
    lease: Arc<Lease>,
    declared: Option<SystemTime>,
    /// Inode and change of the file that we wrote.
    file: Option<(u64, i64, i64)>,
}

impl Publishing {
    /// Nothing was delivered yet.
    pub fn new(route: Route) -> Self {
        Self {
            route,
            published: None,
            try_again_at: None,
            told: None,
            told_delivery: None,
            told_clock: false,
            alarm_s: None,
        }
    }

    /// How they get to the target.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The first delivery, in the start of the element.
    ///
    /// # Errors
    /// As [`Route::deliver`].
    pub fn first(&mut self, view: &View, now: SystemTime) -> Result<Vec<Notice>, DeliveryError> {
        let mut notices = Vec::new();
        if let Some(lease) = &view.lease {
            self.deliver(lease, view.next_renewal, now)?;
            notices.push(self.refreshed());
        }
        self.tell_failure(view, now, &mut notices);
        Ok(notices)
    }

    /// Does what there is to do at `now`; says what is to be told, and when to come back.
    pub fn step(&mut self, view: &View, now: SystemTime) -> (Vec<Notice>, Duration) {
        let mut notices = Vec::new();
        if self.try_again_at.is_none_or(|at| at <= now) {
            let done = self.bring_up_to_date(view, now, &mut notices);
            self.try_again_at = done.err().map(|error| {
                self.tell_delivery(&error, &mut notices);
                now + TRY_AGAIN
            });
        }
        self.tell_failure(view, now, &mut notices);
        self.tell_expiring(view, now, &mut notices);
        let pause = self.pause(now);
        (notices, pause)
    }

    fn bring_up_to_date(
        &mut self,
        view: &View,
        now: SystemTime,
        notices: &mut Vec<Notice>,
    ) -> Result<(), DeliveryError> {
        if let Some(lease) = &view.lease
            && self
                .published
                .as_ref()
                .is_none_or(|published| published.lease != *lease)
        {
            let before = self
                .published
                .as_ref()
                .and_then(|published| published.lease.expires_at);
            if let Err(error) = self.deliver(lease, view.next_renewal, now) {
                // What the target has is still to be kept going.
                self.keep(view, now)?;
                return Err(error);
            }
            notices.push(self.refreshed());
            if let (
                Route::Properties {
                    restarted: true, ..
                },
                Some(expiry),
            ) = (&self.route, before)
            {
                notices.push(Notice::Expiring {
                    expiry,
                    restart: true,
                });
            }
            return Ok(());
        }
        if self.keep(view, now)? && self.told_delivery.is_some() {
            notices.push(self.refreshed());
        }
        Ok(())
    }

    /// Writes what is in the file again, where it is time or the file is gone; whether it was.
    fn keep(&mut self, view: &View, now: SystemTime) -> Result<bool, DeliveryError> {
        let (Some(published), Some(path)) = (&self.published, self.route.path()) else {
            return Ok(false);
        };
        let lease = published.lease.clone();
        if lease.expires_at.is_some_and(|end| end <= now) {
            return Ok(false);
        }
        let gone = stamp(path) != published.file;
        let near = published.declared.is_some_and(|declared| {
            let later = self.declared(&lease, view.next_renewal, now);
            declared <= now + kvs_file::REREAD_WINDOW + AHEAD
                && later
                    .is_some_and(|later| later > declared && later >= now + kvs_file::SHORTEST_LIFE)
        });
        if gone || near {
            self.deliver(&lease, view.next_renewal, now)?;
        }
        Ok(gone || near)
    }

    /// What would be declared now.
    fn declared(
        &self,
        lease: &Lease,
        next_renewal: Option<SystemTime>,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let LeaseSecret::Aws(credentials) = &lease.secret else {
            return None;
        };
        kvs_file::declared_expiry(credentials, lease.expires_at, next_renewal, now)
    }

    fn deliver(
        &mut self,
        lease: &Arc<Lease>,
        next_renewal: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<(), DeliveryError> {
        let LeaseSecret::Aws(credentials) = &lease.secret else {
            return Err(DeliveryError::Refused(
                "a bearer token is nothing that kvssink takes".into(),
            ));
        };
        let declared = self.route.deliver(lease, credentials, next_renewal, now)?;
        if self
            .published
            .as_ref()
            .is_none_or(|published| published.lease != *lease)
        {
            self.alarm_s = None;
        }
        self.published = Some(Published {
            lease: lease.clone(),
            declared,
            file: self.route.path().and_then(stamp),
        });
        Ok(())
    }

    fn refreshed(&mut self) -> Notice {
        self.told_delivery = None;
        Notice::Refreshed {
            declared: self
                .published
                .as_ref()
                .and_then(|published| published.declared),
        }
    }

    fn tell_delivery(&mut self, error: &DeliveryError, notices: &mut Vec<Notice>) {
        let (reason, what) = (error.to_string(), error.what());
        if self.told_delivery.as_ref() != Some(&what) {
            self.told_delivery = Some(what);
            notices.push(Notice::Failed {
                kind: "delivery",
                reason,
                remedy: String::new(),
            });
        }
    }

    /// A failure is told when it begins and when it becomes another.
    fn tell_failure(&mut self, view: &View, now: SystemTime, notices: &mut Vec<Notice>) {
        match &view.clock_offset {
            Some(offset) if !self.told_clock => {
                self.told_clock = true;
                notices.push(Notice::Failed {
                    kind: "clock",
                    reason: offset.to_string(),
                    remedy: "set it (NTP): AWS refuses requests that are more than 5 minutes off"
                        .into(),
                });
            }
            Some(_) => {}
            None => self.told_clock = false,
        }
        let Some(error) = &view.error else {
            self.told = None;
            return;
        };
        let same = self.told.as_ref().is_some_and(|(status, message, at)| {
            let again = now
                .duration_since(*at)
                .is_ok_and(|since| since > TELL_AGAIN);
            *status == view.status && (*message == error.message || !again)
        });
        if !same {
            self.told = Some((view.status, error.message.clone(), now));
            notices.push(failed(error));
        }
    }

    /// Where what is in use is the newest there is and ends soon.
    fn tell_expiring(&mut self, view: &View, now: SystemTime, notices: &mut Vec<Notice>) {
        let renewed_in_time = view.status == Status::Ready && view.next_renewal.is_some();
        let Some(expiry) = self
            .published
            .as_ref()
            .and_then(|published| published.lease.expires_at)
        else {
            return;
        };
        let Ok(left) = expiry.duration_since(now) else {
            return;
        };
        let due = ALARMS_S
            .into_iter()
            .rev()
            .find(|alarm| left.as_secs() <= *alarm);
        let Some(alarm) =
            due.filter(|alarm| !renewed_in_time && self.alarm_s.is_none_or(|given| *alarm < given))
        else {
            return;
        };
        self.alarm_s = Some(alarm);
        notices.push(Notice::Expiring {
            expiry,
            restart: false,
        });
    }

    fn pause(&self, now: SystemTime) -> Duration {
        let again = self.try_again_at.and_then(|at| at.duration_since(now).ok());
        again.map_or(LOOK_AFTER, |again| again.min(LOOK_AFTER))
    }

    /// When what the target has truly ends.
    pub fn expiry(&self) -> Option<SystemTime> {
        self.published.as_ref()?.lease.expires_at
    }
}

fn failed(error: &Error) -> Notice {
    let kind = match error.kind {
        ErrorKind::User => "user",
        ErrorKind::Temporary => "temporary",
        ErrorKind::Clock => "clock",
    };
    Notice::Failed {
        kind,
        reason: error.message.clone(),
        remedy: error.remedy.clone(),
    }
}

/// Tells a file that we wrote from another at its place.
fn stamp(path: &Path) -> Option<(u64, i64, i64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
#[path = "publishing_tests.rs"]
mod tests;
