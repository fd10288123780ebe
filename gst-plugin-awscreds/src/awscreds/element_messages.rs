// SPDX-License-Identifier: MPL-2.0
//! What the element says on the bus: one place for the names others rely on. No secret is here to
//! be said.

use std::time::SystemTime;

use gst::prelude::*;

use crate::session::View;

use super::publishing::{Notice, Publishing};
use super::settings::{Delivery, Settings};

/// The element message of a notice.
pub fn message(
    src: &impl IsA<gst::Object>,
    notice: &Notice,
    settings: &Settings,
    publishing: &Publishing,
    view: &View,
    now: SystemTime,
) -> gst::Message {
    let structure = match notice {
        Notice::Refreshed { declared } => refreshed(*declared, settings.delivery, publishing, view),
        Notice::Failed {
            kind,
            reason,
            remedy,
        } => gst::Structure::builder("awscreds-failed")
            .field("reason", reason)
            .field("remedy", remedy)
            .field("kind", kind)
            .field("status", view.status.to_string())
            .field_if_some("expiry", publishing.expiry().map(time))
            .field_if_some(
                "seconds-left",
                publishing.expiry().map(|at| seconds_left(at, now)),
            )
            .build(),
        Notice::Expiring { expiry, restart } => gst::Structure::builder("awscreds-expiring")
            .field("expiry", time(*expiry))
            .field("seconds-left", seconds_left(*expiry, now))
            .field("restart", restart)
            .field("target", settings.target.as_deref().unwrap_or_default())
            .build(),
    };
    gst::message::Element::builder(structure).src(src).build()
}

fn refreshed(
    declared: Option<SystemTime>,
    delivery: Delivery,
    publishing: &Publishing,
    view: &View,
) -> gst::Structure {
    let path = publishing.route().path();
    let identity = view.identity.as_ref();
    gst::Structure::builder("awscreds-refreshed")
        .field("delivery", delivery.nick())
        .field_if_some("path", path.map(|path| path.to_string_lossy().into_owned()))
        .field_if_some("expiry", publishing.expiry().map(time))
        .field_if_some("declared-expiry", declared.map(time))
        .field("renewals", view.renewals)
        .field_if_some("identity", identity.map(|identity| &identity.arn))
        .field_if_some("account", identity.map(|identity| &identity.account))
        .build()
}

/// What gst-launch-1.0 shows as a warning; `None` for what went well.
pub fn warning(notice: &Notice, now: SystemTime) -> Option<String> {
    match notice {
        Notice::Refreshed { .. } => None,
        Notice::Failed { reason, remedy, .. } if remedy.is_empty() => Some(reason.clone()),
        Notice::Failed { reason, remedy, .. } => Some(format!("{reason}; {remedy}")),
        Notice::Expiring {
            expiry,
            restart: false,
        } => Some(format!(
            "the credentials expire in {} s, at {}, and there are no newer ones",
            seconds_left(*expiry, now),
            time(*expiry)
        )),
        Notice::Expiring {
            expiry,
            restart: true,
        } => Some(format!(
            "restart the target: it was given new credentials, and those it started with expire at {}",
            time(*expiry)
        )),
    }
}

/// RFC 3339, in whole seconds.
pub fn time(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => String::new(),
    }
}

fn seconds_left(expiry: SystemTime, now: SystemTime) -> u64 {
    expiry.duration_since(now).unwrap_or_default().as_secs()
}
