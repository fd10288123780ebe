// SPDX-License-Identifier: MPL-2.0
//! From NULL to READY and back: the one place where the element waits for the network, for as long
//! as `start-timeout` allows.

use std::time::{Duration, SystemTime};

use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::session::{self, Session, View};

use super::delivery::Route;
use super::imp::{AwsCreds, CAT, lock};
use super::keeper::Keeper;
use super::publishing::{Notice, Publishing};
use super::settings::{Settings, Status};
use super::shadows::{self, Shadow};
use super::{element_messages, errors};

/// Credentials that an earlier run left are good enough to start with if they last so long.
const GOOD_ENOUGH: Duration = Duration::from_secs(60);

impl AwsCreds {
    /// Gets credentials, delivers them, lets the targets start.
    ///
    /// # Errors
    /// What was wrong; `None` where a target failed and said so itself.
    pub(super) fn start(&self) -> Result<(), Option<gst::ErrorMessage>> {
        let settings = lock(&self.settings).clone();
        let wanted = settings.session().map_err(|text| errors::settings(&text))?;
        let targets = self.targets()?;
        let route = Route::new(&settings, &targets)?;
        self.check_shadows(&settings, &targets)?;
        let session = Session::open(wanted).map_err(|error| {
            errors::settings(&format!(
                "property `{}`: {}",
                error.setting.replace('_', "-"),
                error.problem
            ))
        })?;
        self.set_status(Status::Starting);
        let view = session.wait_ready(settings.start_timeout());
        let publishing = self.first(&settings, route, &view)?;
        for target in &targets {
            self.release(target).map_err(|_| None)?;
        }
        let keeper = Keeper::start(&self.obj(), session, publishing)
            .map_err(|error| errors::settings(&format!("the system gives no thread: {error}")))?;
        *lock(&self.keeper) = Some(keeper);
        self.let_go_of_others(&[]);
        Ok(())
    }

    /// The first delivery.
    fn first(
        &self,
        settings: &Settings,
        route: Route,
        view: &View,
    ) -> Result<Publishing, gst::ErrorMessage> {
        let now = SystemTime::now();
        if view.lease.is_none() {
            self.check_without_lease(settings, &route, view, now)?;
        }
        let mut publishing = Publishing::new(route);
        let notices = publishing
            .first(view, now)
            .map_err(|error| errors::delivery(&error))?;
        self.show(view, &publishing);
        self.tell(&notices, &publishing, view, now);
        Ok(publishing)
    }

    /// Without credentials there is no start, unless the file still has some of an earlier run.
    fn check_without_lease(
        &self,
        settings: &Settings,
        route: &Route,
        view: &View,
        now: SystemTime,
    ) -> Result<(), gst::ErrorMessage> {
        let kind = view.error.as_ref().map(|error| error.kind);
        let left = route.path().and_then(|path| declared_in(path, now));
        if kind != Some(session::ErrorKind::User)
            && let Some(left) = left.filter(|left| *left >= GOOD_ENOUGH)
        {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Read,
                (
                    "no new credentials within {} s ({}); those in {} are good for another {} s, and it is tried again all the while",
                    settings.start_timeout_s,
                    reason(view),
                    route.path().unwrap_or(std::path::Path::new("")).display(),
                    left.as_secs()
                )
            );
            return Ok(());
        }
        Err(match &view.error {
            Some(error) if error.kind == session::ErrorKind::User => {
                errors::session(kind, &error.to_string())
            }
            _ => errors::session(
                kind,
                &format!(
                    "no credentials within {} s: {}; start-timeout is how long a start waits for them",
                    settings.start_timeout_s,
                    reason(view)
                ),
            ),
        })
    }

    fn check_shadows(
        &self,
        settings: &Settings,
        targets: &[gst::Element],
    ) -> Result<(), gst::ErrorMessage> {
        for target in targets {
            for shadow in shadows::find(settings.delivery, &properties(target), |name| {
                std::env::var_os(name)
            }) {
                match shadow {
                    Shadow::Fatal(text) => return Err(errors::settings(&text)),
                    Shadow::Warning(text) => {
                        gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{text}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Stops delivering; the session ends with its last element. Targets that are in NULL wait for
    /// the next start.
    pub(super) fn stop(&self) {
        let keeper = lock(&self.keeper).take();
        drop(keeper);
        self.show_stopped();
        self.look();
    }

    /// Says what there is to say, on the bus and in the log.
    pub(super) fn tell(
        &self,
        notices: &[Notice],
        publishing: &Publishing,
        view: &View,
        now: SystemTime,
    ) {
        let settings = lock(&self.settings).clone();
        for notice in notices {
            let message =
                element_messages::message(&*self.obj(), notice, &settings, publishing, view, now);
            if let Some(structure) = message.structure() {
                gst::info!(CAT, imp = self, "{structure}");
            }
            let _ = self.obj().post_message(message);
            if let Some(text) = element_messages::warning(notice, now) {
                gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{text}"));
            }
        }
    }
}

fn reason(view: &View) -> String {
    view.error
        .as_ref()
        .map_or_else(|| "no answer yet".into(), ToString::to_string)
}

/// For how long the file at a path declares its credentials to be good.
fn declared_in(path: &std::path::Path, now: SystemTime) -> Option<Duration> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut words = text.split_ascii_whitespace();
    let expiry = words
        .next()
        .filter(|word| *word == "CREDENTIALS")
        .and(words.nth(1))?;
    let expiry: jiff::Timestamp = expiry.parse().ok()?;
    SystemTime::from(expiry).duration_since(now).ok()
}

/// The properties of a target that come before what it is given.
fn properties(target: &gst::Element) -> shadows::Properties {
    let set = |name: &str| {
        let default = target
            .find_property(name)?
            .default_value()
            .get::<Option<String>>()
            .ok()?;
        let value = target.property_value(name).get::<Option<String>>().ok()?;
        value.filter(|value| !value.is_empty() && Some(value) != default.as_ref())
    };
    let certificate = target.find_property("iot-certificate").and_then(|_| {
        target
            .property_value("iot-certificate")
            .get::<Option<gst::Structure>>()
            .ok()
            .flatten()
    });
    shadows::Properties {
        name: target.name().into(),
        iot_certificate: certificate.is_some(),
        access_key: set("access-key").is_some(),
        region: set("aws-region"),
    }
}
