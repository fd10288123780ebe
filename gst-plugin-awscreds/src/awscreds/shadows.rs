// SPDX-License-Identifier: MPL-2.0
//! What would make kvssink pass over the credentials that it is given.
//!
//! kvssink takes the first of: `iot-certificate`, `access-key`, the variables `AWS_ACCESS_KEY_ID`
//! and `AWS_SECRET_ACCESS_KEY` (both set, even if empty), the file. It says nothing of it: the
//! stream runs with other credentials than it was given, until these expire.

use std::ffi::OsString;

use super::settings::Delivery;

/// A target's properties that come before what is delivered.
#[derive(Debug, Default)]
pub struct Properties {
    /// Its name.
    pub name: String,
    /// Whether `iot-certificate` is set.
    pub iot_certificate: bool,
    /// Whether `access-key` is set.
    pub access_key: bool,
    /// `aws-region`, where it is set.
    pub region: Option<String>,
}

/// Something that stands before what is delivered.
#[derive(Debug, PartialEq, Eq)]
pub enum Shadow {
    /// kvssink cannot start, or never sees what is delivered though it was told to.
    Fatal(String),
    /// kvssink runs with something else.
    Warning(String),
}

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// All that stands before what is delivered to this target.
pub fn find(
    delivery: Delivery,
    target: &Properties,
    env: impl Fn(&str) -> Option<OsString>,
) -> Vec<Shadow> {
    let name = &target.name;
    let mut shadows = Vec::new();
    if target.iot_certificate {
        shadows.push(Shadow::Fatal(format!(
            "{name} has iot-certificate set and would never use other credentials; take it away there, and give it to awscreds if it is wanted"
        )));
    }
    if target.access_key && delivery != Delivery::Properties {
        shadows.push(Shadow::Fatal(format!(
            "{name} has access-key set and would never use other credentials; take access-key, secret-key and session-token away there"
        )));
    }
    if delivery == Delivery::File {
        shadows.extend(variables(name, &env));
    }
    let region = env("AWS_DEFAULT_REGION");
    if let (Some(set), Some(asked)) = (region, &target.region)
        && set.to_string_lossy() != asked.as_str()
    {
        shadows.push(Shadow::Warning(format!(
            "the variable AWS_DEFAULT_REGION ({}) makes {name} ignore aws-region={asked}; unset it, or set both to the same",
            set.to_string_lossy()
        )));
    }
    shadows
}

fn variables(name: &str, env: impl Fn(&str) -> Option<OsString>) -> Option<Shadow> {
    let values: Vec<OsString> = KEYS.iter().filter_map(|key| env(key)).collect();
    if values.len() < KEYS.len() {
        return None;
    }
    if values.iter().any(|value| value.is_empty()) {
        return Some(Shadow::Fatal(format!(
            "the variables {} are set, one of them to nothing: {name} would take them, ignore its credentials file and fail; unset both (env -u {} -u {} COMMAND)",
            KEYS.join(" and "),
            KEYS[0],
            KEYS[1]
        )));
    }
    let token = env("AWS_SESSION_TOKEN").is_some();
    let end = if token {
        ", which stop working when their AWS_SESSION_TOKEN expires,"
    } else {
        ""
    };
    Some(Shadow::Warning(format!(
        "the variables {} are set: {name} takes those keys{end} and ignores its credentials file; start without them (env -u {} -u {} -u AWS_SESSION_TOKEN COMMAND) and give awscreds its keys by a profile",
        KEYS.join(" and "),
        KEYS[0],
        KEYS[1]
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(delivery: Delivery, target: &Properties, env: &[(&str, &str)]) -> Vec<Shadow> {
        find(delivery, target, |name| {
            let value = env.iter().find(|(key, _)| *key == name)?.1;
            Some(value.into())
        })
    }

    fn target() -> Properties {
        Properties {
            name: "kvs".into(),
            ..Properties::default()
        }
    }

    #[test]
    fn nothing_set_is_no_shadow() {
        assert_eq!(found(Delivery::File, &target(), &[]), []);
        assert_eq!(
            found(Delivery::File, &target(), &[("AWS_ACCESS_KEY_ID", "AKIA")]),
            []
        );
    }

    #[test]
    fn both_key_variables_are_named_and_their_token_too() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        let shadows = found(Delivery::File, &target(), &keys);
        let [Shadow::Warning(text)] = &shadows[..] else {
            panic!("{shadows:?}")
        };
        assert!(
            text.contains("AWS_ACCESS_KEY_ID") && text.contains("AWS_SECRET_ACCESS_KEY"),
            "{text}"
        );
        assert!(!text.contains("hush"), "{text}");
        assert!(!text.contains("expires"), "{text}");
        let with_token = [keys[0], keys[1], ("AWS_SESSION_TOKEN", "hush")];
        let shadows = found(Delivery::File, &target(), &with_token);
        assert!(matches!(&shadows[..], [Shadow::Warning(text)] if text.contains("expires")));
        assert_eq!(found(Delivery::Properties, &target(), &with_token), []);
    }

    #[test]
    fn empty_key_variables_are_fatal_to_kvssink_and_so_to_us() {
        let keys = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
        let shadows = found(Delivery::File, &target(), &keys);
        assert!(
            matches!(&shadows[..], [Shadow::Fatal(text)] if text.contains("AWS_SECRET_ACCESS_KEY"))
        );
    }

    #[test]
    fn the_targets_own_credentials_come_first() {
        let certificate = Properties {
            iot_certificate: true,
            ..target()
        };
        let keys = Properties {
            access_key: true,
            ..target()
        };
        assert!(matches!(
            &found(Delivery::File, &certificate, &[])[..],
            [Shadow::Fatal(_)]
        ));
        assert!(matches!(
            &found(Delivery::Environment, &keys, &[])[..],
            [Shadow::Fatal(_)]
        ));
        assert_eq!(found(Delivery::Properties, &keys, &[]), []);
    }

    #[test]
    fn a_region_that_is_asked_for_and_overruled_is_said() {
        let target = Properties {
            region: Some("eu-west-1".into()),
            ..target()
        };
        let shadows = found(
            Delivery::File,
            &target,
            &[("AWS_DEFAULT_REGION", "us-east-1")],
        );
        assert!(
            matches!(&shadows[..], [Shadow::Warning(text)] if text.contains("AWS_DEFAULT_REGION"))
        );
        assert_eq!(
            found(
                Delivery::File,
                &target,
                &[("AWS_DEFAULT_REGION", "eu-west-1")]
            ),
            []
        );
    }
}
