// SPDX-License-Identifier: MPL-2.0
//! What the user sets, and the session that it asks for.

use std::path::PathBuf;
use std::time::Duration;

use gst::glib;

use crate::session::{self, IotSettings, Role, Source};

/// How long a start waits for the first credentials: as long as kvssink waits for an answer.
pub const DEFAULT_START_TIMEOUT_S: u32 = 10;

/// How credentials get to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstAwsCredsDelivery")]
#[repr(i32)]
pub enum Delivery {
    /// The file of `credential-path`, which kvssink reads again before it expires.
    #[default]
    #[enum_value(
        name = "A file that the target reads again before it expires",
        nick = "file"
    )]
    File,
    /// The properties `access-key`, `secret-key` and `session-token`, which are read once.
    #[enum_value(
        name = "The target's properties, which it reads once",
        nick = "properties"
    )]
    Properties,
    /// This process's `AWS_*` variables, which are read once.
    #[enum_value(
        name = "This process's AWS_* variables, for keys that do not expire",
        nick = "environment"
    )]
    Environment,
}

impl Delivery {
    /// As in `gst-launch-1.0`.
    pub fn nick(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Properties => "properties",
            Self::Environment => "environment",
        }
    }
}

/// How it stands with the credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstAwsCredsStatus")]
#[repr(i32)]
pub enum Status {
    /// The element is in NULL.
    #[default]
    #[enum_value(name = "Not started", nick = "stopped")]
    Stopped,
    /// The first credentials are asked for.
    #[enum_value(name = "The first credentials are asked for", nick = "starting")]
    Starting,
    /// What is in use is good.
    #[enum_value(name = "What is in use is good", nick = "ready")]
    Ready,
    /// A renewal failed and is tried again; what is in use is still good.
    #[enum_value(
        name = "A renewal failed and is tried again; what is in use is still good",
        nick = "retrying"
    )]
    Retrying,
    /// What was in use has expired.
    #[enum_value(name = "What was in use has expired", nick = "expired")]
    Expired,
    /// Somebody has to change something.
    #[enum_value(name = "Somebody has to change something", nick = "failed")]
    Failed,
}

impl From<session::Status> for Status {
    fn from(status: session::Status) -> Self {
        match status {
            session::Status::Starting => Self::Starting,
            session::Status::Ready => Self::Ready,
            session::Status::Retrying => Self::Retrying,
            session::Status::Expired => Self::Expired,
            session::Status::Failed => Self::Failed,
        }
    }
}

/// The properties.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file for kvssink.
    pub credential_path: Option<PathBuf>,
    /// How credentials get to the target.
    pub delivery: Delivery,
    /// Name of the kvssink, where it is not the one downstream.
    pub target: Option<String>,
    /// Whether the pipeline's owner restarts the target when asked to.
    pub target_is_restarted: bool,
    /// The role to assume; several with commas, each assumed with the one before.
    pub role_arn: Option<String>,
    /// Its session name.
    pub role_session_name: Option<String>,
    /// Its external id (of the last role).
    pub external_id: Option<String>,
    /// Lifetime asked for, in seconds; 0 is AWS's default.
    pub duration_s: u32,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    /// The region whose STS is asked.
    pub region: Option<String>,
    /// How long before the expiry to renew, in seconds; 0 is by the lifetime.
    pub refresh_before_expiry_s: u32,
    /// Asked in place of AWS's STS.
    pub endpoint_url: Option<String>,
    /// A device's certificate, with the fields of kvssink's property of this name.
    pub iot_certificate: Option<gst::Structure>,
    /// How long a start waits for the first credentials, in seconds.
    pub start_timeout_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credential_path: None,
            delivery: Delivery::default(),
            target: None,
            target_is_restarted: false,
            role_arn: None,
            role_session_name: None,
            external_id: None,
            duration_s: 0,
            profile: None,
            region: None,
            refresh_before_expiry_s: 0,
            endpoint_url: None,
            iot_certificate: None,
            start_timeout_s: DEFAULT_START_TIMEOUT_S,
        }
    }
}

impl Settings {
    /// What the session is of.
    ///
    /// # Errors
    /// Names the property that is wrong, and what would be right.
    pub fn session(&self) -> Result<session::Settings, String> {
        let mut settings = session::Settings::new(self.source()?);
        settings.roles = self.roles()?;
        settings.region.clone_from(&self.region);
        settings.endpoint_url.clone_from(&self.endpoint_url);
        settings.refresh_before_expiry = seconds(self.refresh_before_expiry_s);
        Ok(settings)
    }

    fn source(&self) -> Result<Source, String> {
        match (&self.iot_certificate, &self.profile) {
            (Some(_), Some(_)) => Err(
                "properties `iot-certificate` and `profile` are both set; set the one that credentials come from".into(),
            ),
            (Some(fields), None) => Ok(Source::Iot(iot(fields)?)),
            (None, Some(name)) => Ok(Source::Profile { name: name.clone() }),
            (None, None) => Ok(Source::Chain),
        }
    }

    fn roles(&self) -> Result<Vec<Role>, String> {
        let Some(arns) = self
            .role_arn
            .as_deref()
            .map(str::trim)
            .filter(|arns| !arns.is_empty())
        else {
            let of_a_role = [
                ("role-session-name", self.role_session_name.is_some()),
                ("external-id", self.external_id.is_some()),
                ("duration", self.duration_s != 0),
            ];
            return match of_a_role.iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(format!(
                    "property `{name}` is for a role, and `role-arn` is not set"
                )),
                None => Ok(Vec::new()),
            };
        };
        let mut roles: Vec<Role> = arns
            .split(',')
            .map(|arn| Role {
                session_name: self.role_session_name.clone(),
                ..Role::new(arn.trim())
            })
            .collect();
        if let Some(last) = roles.last_mut() {
            last.external_id.clone_from(&self.external_id);
            last.duration = seconds(self.duration_s);
        }
        Ok(roles)
    }

    /// How long a start waits.
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_timeout_s.into())
    }
}

fn seconds(value: u32) -> Option<Duration> {
    (value != 0).then(|| Duration::from_secs(value.into()))
}

/// The fields are named as in kvssink's property `iot-certificate`.
fn iot(fields: &gst::Structure) -> Result<IotSettings, String> {
    const KNOWN: [&str; 6] = [
        "endpoint",
        "cert-path",
        "key-path",
        "ca-path",
        "role-aliases",
        "iot-thing-name",
    ];
    if let Some(unknown) = fields.fields().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!(
            "property `iot-certificate` has a field `{unknown}`; its fields are {}",
            KNOWN.join(", ")
        ));
    }
    let optional = |name: &str| fields.get::<String>(name).ok();
    let required = |name: &str| {
        optional(name).ok_or_else(|| {
            format!("property `iot-certificate` has no text field `{name}`; it needs endpoint, cert-path, key-path and role-aliases")
        })
    };
    Ok(IotSettings {
        endpoint: required("endpoint")?,
        role_alias: required("role-aliases")?,
        certificate: required("cert-path")?.into(),
        key: required("key-path")?.into(),
        ca: optional("ca-path").map(Into::into),
        thing_name: optional("iot-thing-name"),
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
