// SPDX-License-Identifier: MPL-2.0
//! AWS IoT's credential provider, played by a server that lets in only certificates it knows.

use gstawscreds::session::{IotSettings, Settings, Source, Status, View};
use tests::pki::Pki;
use tests::web::{Answer, Request, Server};

use crate::settled;

const GRANTED: &str = r#"{"credentials":{"accessKeyId":"ASIADEVICE","secretAccessKey":"device-secret",
    "sessionToken":"device-token","expiration":"2999-01-01T00:00:00Z"}}"#;

fn provider(pki: &Pki, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::tls(pki.mutual_tls(), answer)
}

fn iot(server: &Server, pki: &Pki) -> IotSettings {
    IotSettings {
        endpoint: format!("localhost:{}", server.port()),
        role_alias: "camera".into(),
        certificate: pki.certificate("device"),
        key: pki.key("device"),
        ca: Some(pki.authority()),
        thing_name: Some("front-door".into()),
    }
}

fn of(iot: IotSettings) -> View {
    settled(Settings {
        // Nobody listens there: whose the keys are stays unknown, and does no harm.
        endpoint_url: Some("http://127.0.0.1:1".into()),
        ..Settings::new(Source::Iot(iot))
    })
}

fn failure(view: View) -> String {
    assert_eq!((view.status, view.lease), (Status::Failed, None));
    view.error.expect("a reason").to_string()
}

#[test]
fn a_device_gets_credentials_for_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let server = provider(&pki, |_| Answer::json(200, GRANTED));
    let view = of(iot(&server, &pki));
    assert_eq!(view.status, Status::Ready);
    let credentials = view.credentials().unwrap();
    assert_eq!(credentials.access_key_id, "ASIADEVICE");
    assert_eq!(credentials.secret_access_key.expose(), "device-secret");
    assert_eq!(
        credentials.session_token.as_ref().unwrap().expose(),
        "device-token"
    );
    assert!(view.lease.as_ref().unwrap().expires_at.is_some());
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/role-aliases/camera/credentials")
    );
    assert_eq!(asked.header("x-amzn-iot-thingname"), Some("front-door"));
}

#[test]
fn a_certificate_that_the_server_does_not_know_is_somebodys_to_register() {
    let (folder, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (pki, stranger) = (Pki::new(folder.path()), Pki::new(others.path()));
    let server = provider(&pki, |_| Answer::json(200, GRANTED));
    let error = failure(of(IotSettings {
        certificate: stranger.certificate("device"),
        key: stranger.key("device"),
        ..iot(&server, &pki)
    }));
    assert!(error.contains("must be active at AWS IoT"), "{error}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_server_that_somebody_else_signed_gets_nothing() {
    let (folder, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (pki, stranger) = (Pki::new(folder.path()), Pki::new(others.path()));
    let server = provider(&pki, |_| Answer::json(200, GRANTED));
    let error = failure(of(IotSettings {
        ca: Some(stranger.authority()),
        ..iot(&server, &pki)
    }));
    assert!(error.contains("give as ca who signed"), "{error}");
}

#[test]
fn a_refusal_says_what_the_policy_needs() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let server = provider(&pki, |_| {
        Answer::json(403, r#"{"message":"Access Denied"}"#)
    });
    let error = failure(of(iot(&server, &pki)));
    assert!(error.contains("HTTP 403 Access Denied"), "{error}");
    assert!(
        error.contains("iot:AssumeRoleWithCertificate on camera"),
        "{error}"
    );
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let server = provider(&pki, |_| Answer::json(200, GRANTED));
    let error = failure(of(IotSettings {
        certificate: folder.path().join("missing.pem"),
        ..iot(&server, &pki)
    }));
    assert!(
        error.contains("missing.pem cannot be used as certificate"),
        "{error}"
    );
    let error = failure(of(IotSettings {
        key: pki.certificate("device"),
        ..iot(&server, &pki)
    }));
    assert!(
        error.contains("device.pem cannot be used as key"),
        "{error}"
    );
    let error = failure(of(IotSettings {
        key: pki.key("server"),
        ..iot(&server, &pki)
    }));
    assert!(
        error.contains("device.pem cannot be used as certificate"),
        "{error}"
    );
}
