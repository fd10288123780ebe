// SPDX-License-Identifier: MPL-2.0
//! A role for an OpenID Connect token in a file (EKS, CI systems).

use std::path::Path;

use super::explain::{self, Step};
use super::role::{duration_seconds, keys, session_name};
use super::{Keys, sdk};
use crate::session::error::Error;
use crate::session::secret::Secret;
use crate::session::settings::{Role, Settings};
use crate::session::skew::Skew;

/// `AssumeRoleWithWebIdentity`, which is not signed: the token is what proves it.
pub async fn fetch(
    settings: &Settings,
    skew: &Skew,
    token_file: &Path,
    role: &Role,
) -> Result<Keys, Error> {
    let token = read(token_file).await?;
    let client = aws_sdk_sts::Client::new(&sdk::sts_config(settings, skew).await);
    let answer = client
        .assume_role_with_web_identity()
        .role_arn(&role.arn)
        .role_session_name(session_name(role))
        .web_identity_token(token.expose())
        .set_duration_seconds(duration_seconds(role))
        .send()
        .await
        .map_err(|error| explain::sts(&error, &Step::WebIdentity(&role.arn), skew))?;
    keys(answer.credentials)
}

async fn read(path: &Path) -> Result<Secret, Error> {
    let token = super::read_secret(path, "the web identity token").await?;
    if token.is_empty() {
        let message = format!("the web identity token {} is empty", path.display());
        return Err(Error::user(message, "have it written by its issuer"));
    }
    Ok(token)
}
