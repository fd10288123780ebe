// SPDX-License-Identifier: MPL-2.0
//! AWS IoT's credential provider: a device proves itself with its X.509 certificate (mutual TLS)
//! and gets a role's credentials. See "Authorizing direct calls to AWS services using AWS IoT Core
//! credential provider" in the AWS IoT developer guide. No SDK has this.

use std::path::Path;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use super::{Expiry, Keys, json};
use crate::session::error::Error;
use crate::session::http::{self, Single};
use crate::session::secret::Secret;
use crate::session::settings::IotSettings;
use crate::session::skew::Skew;
use crate::session::view::Credentials;

const THING_NAME: &str = "x-amzn-iot-thingname";

#[derive(Deserialize)]
struct Granted {
    credentials: Inner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    expiration: String,
}

/// One `GET` of the role alias. Certificate and key are read anew, so that renewed ones are used.
pub async fn fetch(iot: &IotSettings, skew: &Skew) -> Result<Keys, Error> {
    let client = Single::new(tls(iot)?, Some(skew.clone()));
    let mut request = Request::get(format!(
        "https://{}/role-aliases/{}/credentials",
        iot.endpoint, iot.role_alias
    ));
    if let Some(name) = &iot.thing_name {
        request = request.header(THING_NAME, name);
    }
    let request = request.body(Full::default()).map_err(|error| {
        Error::user(
            format!("AWS IoT cannot be asked: {error}"),
            "check endpoint and role_alias",
        )
    })?;
    let what = format!("AWS IoT's credential provider {}", iot.endpoint);
    let answer = client
        .send(&what, request)
        .await
        .map_err(|error| of_tls(error, iot))?;
    if !answer.status().is_success() {
        return Err(refused(iot, answer.status().as_u16(), answer.body()));
    }
    granted(answer.body())
        .map_err(|problem| Error::temporary(format!("the answer of {what} {problem}")))
}

fn granted(body: &Bytes) -> Result<Keys, String> {
    let inner = json::parse::<Granted>(body)?.credentials;
    Ok(Keys {
        expiry: Expiry::AwsTime(json::time(&inner.expiration)?),
        credentials: Credentials {
            access_key_id: inner.access_key_id,
            secret_access_key: inner.secret_access_key,
            session_token: Some(inner.session_token),
        },
    })
}

fn refused(iot: &IotSettings, status: u16, body: &Bytes) -> Error {
    #[derive(Deserialize, Default)]
    struct Said {
        #[serde(default, alias = "Message")]
        message: String,
    }
    let said: Said = json::parse(body).unwrap_or_default();
    let alias = &iot.role_alias;
    let message = format!(
        "AWS IoT refused credentials for the role alias {alias}: HTTP {status} {}",
        said.message
    );
    match status {
        408 | 429 | 500.. => Error::temporary(message),
        404 => Error::user(
            message,
            "check the role alias's name, and the endpoint's region and account",
        ),
        _ => Error::user(
            message,
            format!(
                "the certificate must be active and attached to a policy that allows \
                 iot:AssumeRoleWithCertificate on {alias}, and the role must trust \
                 credentials.iot.amazonaws.com; a policy that uses the thing's name needs thing_name"
            ),
        ),
    }
}

/// TLS fails for reasons that time does not heal.
fn of_tls(error: Error, iot: &IotSettings) -> Error {
    if error.message.contains("fatal alert") {
        return Error::user(
            error.message,
            format!(
                "the certificate {} must be active at AWS IoT and belong to the key",
                iot.certificate.display()
            ),
        );
    }
    if error.message.contains("invalid peer certificate") {
        let remedy = "give as ca who signed the endpoint's certificate (Amazon Root CA 1), and check \
                      this machine's clock";
        return Error::user(error.message, remedy);
    }
    error
}

fn tls(iot: &IotSettings) -> Result<ClientConfig, Error> {
    let builder = match &iot.ca {
        None => http::trusting_this_machine()?,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "ca")? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, "ca", &error))?;
            }
            http::trusting(roots)?
        }
    };
    let key = PrivateKeyDer::from_pem_file(&iot.key)
        .map_err(|error| unusable(&iot.key, "key", &error))?;
    builder
        .with_client_auth_cert(certificates(&iot.certificate, "certificate")?, key)
        .map_err(|error| unusable(&iot.certificate, "certificate", &error))
}

fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| unusable(path, setting, &error))?
        .collect();
    let found = found.map_err(|error| unusable(path, setting, &error))?;
    if found.is_empty() {
        return Err(unusable(path, setting, &"there is no certificate in it"));
    }
    Ok(found)
}

fn unusable(path: &Path, setting: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::user(
        format!("{} cannot be used as {setting}: {problem}", path.display()),
        "give a PEM file that this process can read",
    )
}
