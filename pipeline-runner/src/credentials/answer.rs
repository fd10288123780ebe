// SPDX-License-Identifier: MPL-2.0
//! A session as clients are told of it: in the words of the container credentials endpoint, of
//! `credential_process`, of OAuth2.

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use gstawscreds::session::{Status, View};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::caller::Refusal;

/// SDKs want an end. They ask again some minutes before this one, and are told another.
const ENDLESS: Duration = Duration::from_secs(3600);

/// AWS credentials, as the endpoint of ECS tells them.
///
/// # Errors
/// 503 while there are none.
pub fn aws(view: &View, role_arn: Option<&str>) -> Result<Value, Refusal> {
    let (Some(lease), Some(credentials)) = (valid(view), view.credentials()) else {
        return Err(not_ready(view));
    };
    let end = lease.expires_at;
    let end = end.unwrap_or_else(|| SystemTime::now() + ENDLESS);
    let token = credentials.session_token.as_ref();
    let mut answer = json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.expose(),
        // SDKs insist on the field; keys that do not expire have none.
        "Token": token.map_or("", |token| token.expose()),
        "Expiration": rfc3339(end),
    });
    let account = view
        .identity
        .as_ref()
        .map(|identity| identity.account.as_str());
    for (name, value) in [("AccountId", account), ("RoleArn", role_arn)] {
        if let Some(value) = value {
            answer[name] = value.into();
        }
    }
    Ok(answer)
}

/// An access token.
///
/// # Errors
/// 503 while there is none.
pub fn token(view: &View) -> Result<Value, Refusal> {
    let (Some(lease), Some(token)) = (valid(view), view.token()) else {
        return Err(not_ready(view));
    };
    Ok(json!({
        "access_token": token.0.expose(),
        "token_type": "Bearer",
        "expires_at": lease.expires_at.map(rfc3339),
    }))
}

/// How it stands with a session; no secret.
pub fn status(view: &View) -> Value {
    let lease = view.lease.as_deref();
    json!({
        "status": view.status.to_string(),
        "expires_at": lease.and_then(|lease| lease.expires_at).map(rfc3339),
        "next_renewal": view.next_renewal.map(rfc3339),
        "renewals": view.renewals,
        "identity": view.identity.as_ref().map(|identity| identity.arn.as_str()),
        "account": view.identity.as_ref().map(|identity| identity.account.as_str()),
        "error": view.error.as_ref().map(ToString::to_string),
        "clock": view.clock_offset.map(|offset| offset.to_string()),
    })
}

/// The lease, if it has not expired.
fn valid(view: &View) -> Option<&gstawscreds::session::Lease> {
    let lease = view.lease.as_deref()?;
    (view.status != Status::Expired).then_some(lease)
}

fn not_ready(view: &View) -> Refusal {
    let why = view.error.as_ref().map(ToString::to_string);
    let why = why.unwrap_or_else(|| "the first credentials are on their way".to_owned());
    let code = match view.status {
        Status::Expired => "Expired",
        Status::Failed => "Failed",
        _ => "NotReady",
    };
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, why)
}

/// As AWS writes it: whole seconds, UTC.
fn rfc3339(time: SystemTime) -> String {
    let seconds = Timestamp::try_from(time).map_or(i64::MAX, Timestamp::as_second);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
