// SPDX-License-Identifier: MPL-2.0
//! The environment of a worker: what it needs, and none of what is somebody else's secret.
//!
//! Every process of this user can read the environment of every other, and whatever a plugin
//! starts inherits it. So a worker gets no AWS credentials unless its pipeline uses some, and then
//! not the keys but the way to the session that renews them; and no variable whose value the
//! definition has put in where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Pipeline;
use crate::credentials::Service;

/// Variables that are secrets or lead to them.
const SECRETS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
/// Variables that SDKs follow before, or instead of, those that lead to a session.
const SHADOWING: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
/// Files with profiles, which would count before the session.
const PROFILES: [&str; 2] = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];

/// What differs from the supervisor's own environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Variables that are set.
    pub set: BTreeMap<String, String>,
    /// Variables that are not inherited.
    pub unset: BTreeSet<String>,
}

impl Surroundings {
    /// Those of a pipeline's worker.
    pub fn of(pipeline: &Pipeline, secret: &BTreeSet<String>, service: Option<&Service>) -> Self {
        let session = pipeline.credentials.as_deref();
        let session = session.and_then(|name| service.map(|service| service.environment(name)));
        Self::with(pipeline, secret, session)
    }

    fn with(
        pipeline: &Pipeline,
        secret: &BTreeSet<String>,
        session: Option<Vec<(&'static str, String)>>,
    ) -> Self {
        let mut set = pipeline.environment.clone();
        let mut unset = secret.clone();
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        if !pipeline.aws_environment {
            unset.extend(names(&SECRETS));
        }
        if let Some(session) = session {
            unset.extend(names(&SHADOWING));
            set.extend(
                names(&PROFILES)
                    .into_iter()
                    .map(|name| (name, "/dev/null".to_owned())),
            );
            for (name, value) in session {
                unset.remove(name);
                set.insert(name.to_owned(), value);
            }
        }
        // kvssink takes the region of the environment before its own.
        let mut regions = pipeline
            .views
            .iter()
            .filter_map(|view| view.region.as_ref());
        if let Some(region) = regions.next() {
            let alike = regions.all(|other| other == region);
            for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
                set.remove(name);
                match alike {
                    true => drop(set.insert(name.to_owned(), region.clone())),
                    false => drop(unset.insert(name.to_owned())),
                }
            }
        }
        unset.retain(|name| !set.contains_key(name));
        Self { set, unset }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn pipeline(yaml: &str) -> Pipeline {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("definition.yaml");
        std::fs::write(&file, format!("pipelines: {{ p: {{ launch: {yaml} }} }}\n")).unwrap();
        let mut definitions = config::load(&file).unwrap();
        definitions.pipelines.remove("p").unwrap()
    }

    fn unset(yaml: &str) -> BTreeSet<String> {
        let secret = BTreeSet::from(["CAMERA_PASSWORD".to_owned()]);
        Surroundings::with(&pipeline(yaml), &secret, None).unset
    }

    #[test]
    fn a_worker_without_credentials_inherits_none() {
        let unset = unset("videotestsrc ! fakesink");
        for name in SECRETS.iter().chain(&["CAMERA_PASSWORD"]) {
            assert!(unset.contains(*name), "{name}");
        }
    }

    #[test]
    fn a_text_whose_elements_look_for_aws_keeps_what_they_look_for() {
        let unset = unset("videotestsrc ! x264enc ! kvssink stream-name=a");
        assert_eq!(unset, BTreeSet::from(["CAMERA_PASSWORD".to_owned()]));
    }

    #[test]
    fn a_worker_with_a_session_is_led_to_it_and_to_nothing_else() {
        let address = ([127, 0, 0, 1], 4711).into();
        let file = Path::new("/run/tokens/up");
        let session = crate::credentials::environment(address, "up", file, Some("eu-west-1"));
        let pipeline = pipeline("videotestsrc ! awscreds ! kvssink");
        let found = Surroundings::with(&pipeline, &BTreeSet::new(), Some(session));
        let value = |name: &str| found.set.get(name).map(String::as_str);
        let url = "http://127.0.0.1:4711/v1/sessions/up";
        assert_eq!(value("AWS_CONTAINER_CREDENTIALS_FULL_URI"), Some(url));
        assert_eq!(
            value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            Some("/run/tokens/up")
        );
        assert_eq!(value("AWS_REGION"), Some("eu-west-1"));
        assert_eq!(value("AWS_CONFIG_FILE"), Some("/dev/null"));
        for name in ["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
            assert!(found.unset.contains(name), "{name}");
        }
        assert!(found.unset.iter().all(|name| !found.set.contains_key(name)));
    }
}
