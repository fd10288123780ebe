// SPDX-License-Identifier: MPL-2.0
//! What the properties ask the session for.

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/uploader";

#[test]
fn nothing_set_is_the_default_chain() {
    let session = Settings::default().session().expect("it can work");
    assert_eq!(session, session::Settings::new(Source::Chain));
}

#[test]
fn a_role_has_its_name_external_id_and_duration() {
    let settings = Settings {
        role_arn: Some(ROLE.into()),
        role_session_name: Some("front-door".into()),
        external_id: Some("42".into()),
        duration_s: 900,
        profile: Some("base".into()),
        ..Settings::default()
    };
    let session = settings.session().expect("it can work");
    assert_eq!(
        session.source,
        Source::Profile {
            name: "base".into()
        }
    );
    let wanted = Role {
        arn: ROLE.into(),
        session_name: Some("front-door".into()),
        external_id: Some("42".into()),
        duration: Some(Duration::from_secs(900)),
    };
    assert_eq!(session.roles, [wanted]);
}

#[test]
fn roles_with_commas_are_assumed_one_after_the_other_and_the_last_has_the_external_id() {
    let settings = Settings {
        role_arn: Some(format!("{ROLE}, {ROLE}2")),
        external_id: Some("42".into()),
        ..Settings::default()
    };
    let roles = settings.session().expect("it can work").roles;
    let seen: Vec<_> = roles
        .iter()
        .map(|role| (role.arn.as_str(), role.external_id.as_deref()))
        .collect();
    let second = format!("{ROLE}2");
    assert_eq!(seen, [(ROLE, None), (second.as_str(), Some("42"))]);
}

#[test]
fn what_belongs_to_a_role_is_refused_without_one() {
    let settings = Settings {
        duration_s: 900,
        ..Settings::default()
    };
    let error = settings.session().expect_err("there is no role");
    assert!(
        error.contains("`duration`") && error.contains("`role-arn`"),
        "{error}"
    );
}

#[test]
fn a_certificate_has_the_fields_that_kvssink_gives_it() {
    let _ = gst::init();
    let text = "iot-certificate,endpoint=x.credentials.iot.eu-west-1.amazonaws.com,cert-path=/c,key-path=/k,ca-path=/a,role-aliases=camera,iot-thing-name=front-door";
    let with = |text: &str| Settings {
        iot_certificate: Some(text.parse().expect("a structure")),
        ..Settings::default()
    };
    let source = with(text).session().expect("it can work").source;
    let Source::Iot(iot) = source else {
        panic!("{source:?}")
    };
    assert_eq!(iot.endpoint, "x.credentials.iot.eu-west-1.amazonaws.com");
    assert_eq!(
        (iot.role_alias.as_str(), iot.thing_name.as_deref()),
        ("camera", Some("front-door"))
    );
    assert_eq!(iot.ca, Some("/a".into()));

    let error = with("iot-certificate,endpoint=x,cert-path=/c")
        .session()
        .expect_err("no key");
    assert!(error.contains("role-aliases"), "{error}");
    let error = with("iot-certificate,certificate=/c")
        .session()
        .expect_err("no such field");
    assert!(
        error.contains("`certificate`") && error.contains("cert-path"),
        "{error}"
    );
}
