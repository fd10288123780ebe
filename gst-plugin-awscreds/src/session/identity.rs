// SPDX-License-Identifier: MPL-2.0
//! Who am I: `GetCallerIdentity`, which needs no permission and tells a working key from a typo.

use super::error::Error;
use super::settings::Settings;
use super::skew::Skew;
use super::source::explain::{self, Step};
use super::source::sdk;
use super::view::{Credentials, Identity};

/// Whose `credentials` are.
///
/// # Errors
/// STS did not answer, or refused the credentials.
pub async fn ask(
    settings: &Settings,
    skew: &Skew,
    credentials: &Credentials,
) -> Result<Identity, Error> {
    let client = sdk::sts_client(settings, skew, credentials).await;
    let answer = client
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| explain::sts(&error, &Step::WhoAmI, skew))?;
    Ok(Identity {
        account: answer.account.unwrap_or_default(),
        arn: answer.arn.unwrap_or_default(),
        user_id: answer.user_id.unwrap_or_default(),
    })
}
