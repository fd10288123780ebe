// SPDX-License-Identifier: MPL-2.0
use super::*;

const ARN: &str = "arn:aws:iam::123456789012:role/uploader";

fn with_roles(roles: &[Role]) -> Settings {
    Settings {
        roles: roles.to_vec(),
        ..Settings::new(Source::Chain)
    }
}

fn complaint(settings: &Settings) -> String {
    check(settings).unwrap_err().to_string()
}

fn iot() -> IotSettings {
    IotSettings {
        endpoint: "c2.credentials.iot.eu-west-1.amazonaws.com".into(),
        role_alias: "camera".into(),
        certificate: "c.pem".into(),
        key: "k.pem".into(),
        ca: None,
        thing_name: Some("front:door".into()),
    }
}

#[test]
fn what_can_work_is_accepted() {
    let path = Role::new("arn:aws-cn:iam::123456789012:role/deep/path/name");
    for settings in [
        with_roles(&[]),
        with_roles(&[Role::new(ARN), path]),
        Settings::new(Source::Iot(iot())),
        Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:5000".into()),
            refresh_before_expiry: Some(Duration::from_secs(300)),
            ..Settings::new(Source::Imds)
        },
    ] {
        assert_eq!(check(&settings), Ok(()));
    }
}

#[test]
fn what_is_no_role_is_said_not_to_be() {
    for wrong in [
        "",
        "uploader",
        "arn:aws:iam::123456789012:user/somebody",
        "arn:aws:iam::12345:role/uploader",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/with space",
        "arn:aws:sts::123456789012:assumed-role/a/b",
    ] {
        let said = complaint(&with_roles(&[Role::new(wrong)]));
        assert!(
            said.starts_with("role_arn: ") && said.contains("role/name"),
            "{said}"
        );
    }
}

#[test]
fn a_roles_details_keep_to_the_limits_of_sts() {
    let role = |change: fn(&mut Role)| {
        let mut role = Role::new(ARN);
        change(&mut role);
        complaint(&with_roles(&[role]))
    };
    let said = role(|r| r.session_name = Some("x".into()));
    assert!(said.starts_with("role_session_name: "), "{said}");
    let said = role(|r| r.external_id = Some("a b".into()));
    assert!(
        said.starts_with("external_id: ") && !said.contains("a b"),
        "{said}"
    );
    let said = role(|r| r.duration = Some(Duration::from_secs(60)));
    assert!(said.starts_with("duration: 60 s"), "{said}");
    let said = role(|r| r.duration = Some(HOUR * 13));
    assert!(said.starts_with("duration: 46800 s"), "{said}");
}

#[test]
fn chained_roles_live_for_an_hour_at_most() {
    let long = Role {
        duration: Some(HOUR * 2),
        ..Role::new(ARN)
    };
    assert_eq!(check(&with_roles(&[long.clone(), Role::new(ARN)])), Ok(()));
    let said = complaint(&with_roles(&[Role::new(ARN), long]));
    assert!(
        said.starts_with("duration: ") && said.contains("1 h"),
        "{said}"
    );
}

#[test]
fn a_bearer_token_assumes_no_role() {
    let settings = Settings {
        roles: vec![Role::new(ARN)],
        ..Settings::new(Source::Token {
            access_token: "hush".into(),
            expires_at: None,
        })
    };
    let said = complaint(&settings);
    assert!(
        said.contains("bearer token") && !said.contains("hush"),
        "{said}"
    );
}

#[test]
fn urls_hold_no_password_and_none_is_repeated() {
    for url in [
        "https://me:hunter2@host/",
        "me:hunter2@host",
        "https://hunter2@host/",
    ] {
        let said = complaint(&Settings {
            endpoint_url: Some(url.into()),
            ..Settings::new(Source::Chain)
        });
        assert!(
            said.contains("must not hold") && !said.contains("hunter2"),
            "{said}"
        );
    }
    let said = complaint(&Settings {
        endpoint_url: Some("host".into()),
        ..Settings::new(Source::Chain)
    });
    assert!(said.contains("https://host.example"), "{said}");
}

#[test]
fn what_aws_iot_needs_is_checked() {
    let said = |change: fn(&mut IotSettings)| {
        let mut iot = iot();
        change(&mut iot);
        complaint(&Settings::new(Source::Iot(iot)))
    };
    for endpoint in [
        |i: &mut IotSettings| i.endpoint = "https://host".into(),
        |i: &mut IotSettings| {
            i.endpoint = "host/path".into();
        },
    ] {
        assert!(said(endpoint).contains("describe-endpoint"));
    }
    assert!(said(|i| i.role_alias = "a/b".into()).starts_with("role_alias: "));
    assert!(said(|i| i.thing_name = Some("a\r\nb".into())).starts_with("thing_name: "));
}

#[test]
fn debug_text_of_settings_shows_no_secret() {
    let text = format!(
        "{:?} {:?}",
        Settings::new(Source::Process {
            command: "get --password hunter2".into()
        }),
        Settings::new(Source::Static {
            access_key_id: "AKIAEXAMPLE".into(),
            secret_access_key: "hunter2".into(),
            session_token: None,
        })
    );
    assert!(
        !text.contains("hunter2") && !text.contains("AKIA"),
        "{text}"
    );
}
