// SPDX-License-Identifier: MPL-2.0
//! Finds settings that cannot work before anything is asked of the network.
//!
//! The limits are those of the STS API reference (AssumeRole) and of IAM's ARNs.

use std::time::Duration;

use url::Url;

use super::error::SettingsError;
use super::settings::{ClientSecret, IotSettings, OAuth2Settings, Role, Settings, Source};

const HOUR: Duration = Duration::from_secs(3600);

/// # Errors
/// The first setting that cannot work.
pub fn check(settings: &Settings) -> Result<(), SettingsError> {
    check_source(settings)?;
    check_roles(settings)?;
    if let Some(region) = &settings.region
        && (region.is_empty()
            || !region
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    {
        let problem = format!("{region:?} is no region; one looks like eu-west-1");
        return Err(SettingsError::new("region", problem));
    }
    if let Some(url) = &settings.endpoint_url {
        check_url("endpoint_url", url)?;
    }
    if settings.refresh_before_expiry == Some(Duration::ZERO) {
        let problem = "must be longer than nothing; leave it out for the default";
        return Err(SettingsError::new("refresh_before_expiry", problem));
    }
    Ok(())
}

/// AWS's own STS refuses less; another endpoint may not.
fn shortest(settings: &Settings) -> Duration {
    match settings.endpoint_url {
        None => HOUR / 4,
        Some(_) => Duration::from_secs(1),
    }
}

fn check_source(settings: &Settings) -> Result<(), SettingsError> {
    match &settings.source {
        Source::Chain | Source::Imds | Source::Container => Ok(()),
        Source::Profile { name } => filled("profile", name),
        Source::Process { command } => filled("credential_process", command),
        Source::WebIdentity { role, .. } => check_role(role, HOUR * 12, shortest(settings)),
        Source::Iot(iot) => check_iot(iot),
        Source::Static {
            access_key_id,
            secret_access_key,
            session_token,
        } => {
            filled("access_key_id", access_key_id)?;
            filled("secret_access_key", secret_access_key.expose())?;
            match session_token {
                Some(token) => filled("session_token", token.expose()),
                None => Ok(()),
            }
        }
        Source::OAuth2(oauth2) => check_oauth2(oauth2),
        Source::Token { access_token, .. } => filled("access_token", access_token.expose()),
    }
}

fn check_roles(settings: &Settings) -> Result<(), SettingsError> {
    if settings.source.gives_tokens() && !settings.roles.is_empty() {
        let problem = format!(
            "{} gives a bearer token, and roles are assumed with AWS keys",
            settings.source.describe()
        );
        return Err(SettingsError::new("role_arn", problem));
    }
    let shortest = shortest(settings);
    let chained_before = matches!(settings.source, Source::WebIdentity { .. } | Source::Iot(_));
    for (index, role) in settings.roles.iter().enumerate() {
        let chained = chained_before || index > 0;
        check_role(role, if chained { HOUR } else { HOUR * 12 }, shortest)?;
    }
    Ok(())
}

fn check_role(role: &Role, longest: Duration, shortest: Duration) -> Result<(), SettingsError> {
    if !is_role_arn(&role.arn) {
        let problem = format!(
            "{:?} is no role; one looks like arn:aws:iam::123456789012:role/name",
            role.arn
        );
        return Err(SettingsError::new("role_arn", problem));
    }
    if let Some(name) = &role.session_name
        && !(matches!(name.len(), 2..=64) && name.bytes().all(|b| in_name(b, b"+=,.@-_")))
    {
        let problem = format!("{name:?} should be 2 to 64 letters, digits and +=,.@-_");
        return Err(SettingsError::new("role_session_name", problem));
    }
    if let Some(id) = &role.external_id
        && !(matches!(id.len(), 2..=1224) && id.bytes().all(|b| in_name(b, b"+=,.@:/-_")))
    {
        let problem = "should be 2 to 1224 letters, digits and +=,.@:/-_";
        return Err(SettingsError::new("external_id", problem));
    }
    match role.duration {
        Some(duration) if duration < shortest || duration > HOUR * 12 => Err(SettingsError::new(
            "duration",
            format!(
                "{} s is not from 15 min (900 s) to 12 h (43200 s)",
                duration.as_secs()
            ),
        )),
        Some(duration) if duration > longest => Err(SettingsError::new(
            "duration",
            "a role that is assumed with another role's credentials lives for 1 h (3600 s) at most",
        )),
        _ => Ok(()),
    }
}

/// `arn:partition:iam::account:role/path/name`.
fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    !partition.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty())
        && arn.bytes().all(|b| b.is_ascii_graphic())
}

fn check_iot(iot: &IotSettings) -> Result<(), SettingsError> {
    let parsed = Url::parse(&format!("https://{}", iot.endpoint));
    let bare = parsed
        .is_ok_and(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty());
    if !bare || iot.endpoint.ends_with('/') {
        let problem = format!(
            "{:?} is no host name; `aws iot describe-endpoint --endpoint-type \
             iot:CredentialProvider` says the right one",
            iot.endpoint
        );
        return Err(SettingsError::new("endpoint", problem));
    }
    let alias = &iot.role_alias;
    if !(matches!(alias.len(), 1..=128) && alias.bytes().all(|b| in_name(b, b"=,@-_"))) {
        let problem = format!("{alias:?} should be 1 to 128 letters, digits and =,@-_");
        return Err(SettingsError::new("role_alias", problem));
    }
    match &iot.thing_name {
        Some(name)
            if !(matches!(name.len(), 1..=128) && name.bytes().all(|b| in_name(b, b":-_"))) =>
        {
            let problem = format!("{name:?} should be 1 to 128 letters, digits and :-_");
            Err(SettingsError::new("thing_name", problem))
        }
        _ => Ok(()),
    }
}

fn check_oauth2(oauth2: &OAuth2Settings) -> Result<(), SettingsError> {
    check_url("token_url", &oauth2.token_url)?;
    filled("client_id", &oauth2.client_id)?;
    match &oauth2.client_secret {
        ClientSecret::Given(secret) => filled("client_secret", secret.expose()),
        ClientSecret::File(_) => Ok(()),
    }
}

/// URLs are shown in messages, so that none may hold a password.
fn check_url(setting: &'static str, text: &str) -> Result<(), SettingsError> {
    if text.contains('@') {
        let problem = "must not hold a user name or a password; they would be shown in messages";
        return Err(SettingsError::new(setting, problem));
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err(SettingsError::new(
            setting,
            format!("{text:?} is no URL; one looks like https://host.example/path"),
        )),
    }
}

fn filled(setting: &'static str, text: &str) -> Result<(), SettingsError> {
    if text.trim().is_empty() {
        return Err(SettingsError::new(setting, "is empty"));
    }
    Ok(())
}

fn in_name(byte: u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || others.contains(&byte)
}

#[cfg(test)]
#[path = "settings_check_tests.rs"]
mod tests;
