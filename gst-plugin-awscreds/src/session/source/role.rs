// SPDX-License-Identifier: MPL-2.0
//! Assuming a role with credentials that are there.

use aws_sdk_sts::types::Credentials as StsCredentials;

use super::explain::{self, Step};
use super::{Answer, Expiry, Keys, sdk};
use crate::session::error::Error;
use crate::session::settings::{Role, Settings};
use crate::session::skew::Skew;
use crate::session::view::Credentials;

/// `AssumeRole`, signed with `base`.
pub fn assume<'a>(
    settings: &'a Settings,
    skew: &'a Skew,
    base: Credentials,
    role: &'a Role,
) -> Answer<'a, Keys> {
    Box::pin(async move {
        let client = sdk::sts_client(settings, skew, &base).await;
        let answer = client
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(session_name(role))
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(duration_seconds(role))
            .send()
            .await
            .map_err(|error| explain::sts(&error, &Step::AssumeRole(&role.arn), skew))?;
        keys(answer.credentials)
    })
}

/// What STS gave, made ours.
pub fn keys(given: Option<StsCredentials>) -> Result<Keys, Error> {
    let given = given.ok_or_else(|| Error::temporary("STS answered without credentials"))?;
    let expires_at = given
        .expiration
        .try_into()
        .map_err(|_| Error::temporary("STS answered with an expiry that is no time"))?;
    Ok(Keys {
        credentials: Credentials {
            access_key_id: given.access_key_id,
            secret_access_key: given.secret_access_key.into(),
            session_token: Some(given.session_token.into()),
        },
        expiry: Expiry::AwsTime(expires_at),
    })
}

pub fn duration_seconds(role: &Role) -> Option<i32> {
    role.duration
        .and_then(|duration| duration.as_secs().try_into().ok())
}

/// Told apart in AWS's logs by machine, and the same at each renewal, so that the identity is.
pub fn session_name(role: &Role) -> String {
    const LONGEST: usize = 64;
    if let Some(name) = &role.session_name {
        return name.clone();
    }
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let host = host.chars().map(|c| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    });
    "awscreds-".chars().chain(host).take(LONGEST).collect()
}
