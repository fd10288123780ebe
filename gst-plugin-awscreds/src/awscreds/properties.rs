// SPDX-License-Identifier: MPL-2.0
//! The properties as GObject sees them: names, texts, limits, and the way to [`Settings`].

use std::path::PathBuf;

use gst::glib;
use gst::prelude::*;

use super::settings::{self, Delivery, Settings, Status};

/// All of them.
pub fn all() -> Vec<glib::ParamSpec> {
    let text = |name: &str, nick: &str, blurb: &str| {
        glib::ParamSpecString::builder(name)
            .nick(nick)
            .blurb(blurb)
            .mutable_ready()
            .build()
    };
    let seconds = |name: &str, nick: &str, blurb: &str, most: u32, default: u32| {
        glib::ParamSpecUInt::builder(name)
            .nick(nick)
            .blurb(blurb)
            .maximum(most)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        text("credential-path", "Credential path", "File for kvssink; where it is not set, the target's own, else one in a private folder that goes with the element"),
        glib::ParamSpecEnum::builder_with_default("delivery", Delivery::default())
            .nick("Delivery")
            .blurb("How credentials get to the target")
            .mutable_ready()
            .build(),
        text("target", "Target", "Name of the kvssink in this pipeline that gets the credentials; else it is the one downstream"),
        glib::ParamSpecBoolean::builder("target-is-restarted")
            .nick("Target is restarted")
            .blurb("With delivery=properties: the pipeline's owner takes the target to NULL and back when `awscreds-expiring` asks for it, so that credentials may expire")
            .default_value(false)
            .mutable_ready()
            .build(),
        text("role-arn", "Role ARN", "Role to assume; several, separated by commas, each with the one before"),
        text("role-session-name", "Role session name", "Shown in AWS's logs; else `awscreds-` and this machine's name"),
        text("external-id", "External id", "What the trust policy of the (last) role asks third parties for"),
        seconds("duration", "Duration", "How long credentials of the role live, in seconds (900 to 43200, as far as the role allows); 0 is AWS's default, an hour", 43_200, 0),
        text("profile", "Profile", "Profile of the AWS configuration; else the default chain: environment, default profile, web identity, container, instance"),
        text("region", "Region", "Region whose STS is asked; else as configured for the AWS SDKs"),
        seconds("refresh-before-expiry", "Refresh before expiry", "How long before the expiry credentials are renewed, in seconds; 0 is a third of the lifetime, from 2 to 20 minutes", 43_200, 0),
        text("endpoint-url", "Endpoint URL", "Asked in place of AWS's STS; AWS_ENDPOINT_URL works, too"),
        glib::ParamSpecBoxed::builder::<gst::Structure>("iot-certificate")
            .nick("IoT certificate")
            .blurb("Credentials of a device by its certificate, as kvssink's property of this name: endpoint, cert-path, key-path, ca-path, role-aliases, iot-thing-name")
            .mutable_ready()
            .build(),
        seconds("start-timeout", "Start timeout", "How long the change to READY waits for the first credentials, in seconds", 3600, settings::DEFAULT_START_TIMEOUT_S),
        glib::ParamSpecString::builder("expiry")
            .nick("Expiry")
            .blurb("When the credentials in use truly expire (RFC 3339), by this machine's clock")
            .read_only()
            .build(),
        glib::ParamSpecEnum::builder_with_default("status", Status::default())
            .nick("Status")
            .blurb("How it stands with the credentials")
            .read_only()
            .build(),
    ]
}

impl Settings {
    /// Sets the property of this name.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        // An empty text is what `name=` of a shell script with an unset variable gives.
        let text = || {
            let text: Option<String> = value.get().expect("type checked upstream");
            text.filter(|text| !text.is_empty())
        };
        let number = || -> u32 { value.get().expect("type checked upstream") };
        match name {
            "credential-path" => self.credential_path = text().map(PathBuf::from),
            "delivery" => self.delivery = value.get().expect("type checked upstream"),
            "target" => self.target = text(),
            "target-is-restarted" => {
                self.target_is_restarted = value.get().expect("type checked upstream");
            }
            "role-arn" => self.role_arn = text(),
            "role-session-name" => self.role_session_name = text(),
            "external-id" => self.external_id = text(),
            "duration" => self.duration_s = number(),
            "profile" => self.profile = text(),
            "region" => self.region = text(),
            "refresh-before-expiry" => self.refresh_before_expiry_s = number(),
            "endpoint-url" => self.endpoint_url = text(),
            "iot-certificate" => {
                self.iot_certificate = value.get().expect("type checked upstream");
            }
            "start-timeout" => self.start_timeout_s = number(),
            _ => unimplemented!(),
        }
    }

    /// The value of the property of this name.
    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "credential-path" => self
                .credential_path
                .as_ref()
                .and_then(|path| path.to_str())
                .to_value(),
            "delivery" => self.delivery.to_value(),
            "target" => self.target.to_value(),
            "target-is-restarted" => self.target_is_restarted.to_value(),
            "role-arn" => self.role_arn.to_value(),
            "role-session-name" => self.role_session_name.to_value(),
            "external-id" => self.external_id.to_value(),
            "duration" => self.duration_s.to_value(),
            "profile" => self.profile.to_value(),
            "region" => self.region.to_value(),
            "refresh-before-expiry" => self.refresh_before_expiry_s.to_value(),
            "endpoint-url" => self.endpoint_url.to_value(),
            "iot-certificate" => self.iot_certificate.to_value(),
            "start-timeout" => self.start_timeout_s.to_value(),
            _ => unimplemented!(),
        }
    }
}
