// SPDX-License-Identifier: MPL-2.0
//! The shape of `credentials:`.
//!
//! What every kind of AWS session takes is written out in each: a flattened part would lose the
//! place of what is wrong in it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::config::units::Time;

/// One of `credentials:`
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// As every AWS SDK finds them, or of a profile.
    Aws(Option<Aws>),
    WebIdentity(WebIdentity),
    Process(Process),
    Imds(Option<Host>),
    Container(Option<Host>),
    Iot(Iot),
    Static(Static),
    Oauth2(OAuth2),
    Token(Token),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    pub profile: Option<Spanned<String>>,
    pub role_arn: Option<Spanned<String>>,
    pub role_session_name: Option<Spanned<String>>,
    pub external_id: Option<Spanned<String>>,
    pub duration: Option<Spanned<Time>>,
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub role_arn: Spanned<String>,
    pub role_session_name: Option<Spanned<String>>,
    pub external_id: Option<Spanned<String>>,
    pub duration: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebIdentity {
    pub token_file: Spanned<PathBuf>,
    pub role_arn: Spanned<String>,
    pub role_session_name: Option<Spanned<String>>,
    pub duration: Option<Spanned<Time>>,
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub command: Spanned<String>,
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

/// `imds:` and `container:`, which need no settings.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iot {
    pub endpoint: Spanned<String>,
    pub role_alias: Spanned<String>,
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
    pub ca: Option<Spanned<PathBuf>>,
    pub thing_name: Option<Spanned<String>>,
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    pub access_key_id: Spanned<String>,
    pub secret_access_key: Option<Spanned<String>>,
    pub secret_access_key_file: Option<Spanned<PathBuf>>,
    pub session_token: Option<Spanned<String>>,
    pub session_token_file: Option<Spanned<PathBuf>>,
    pub roles: Option<Vec<Role>>,
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    pub token_url: Spanned<String>,
    pub client_id: Spanned<String>,
    pub client_secret: Option<Spanned<String>>,
    pub client_secret_file: Option<Spanned<PathBuf>>,
    pub scope: Option<Spanned<String>>,
    pub refresh_before_expiry: Option<Spanned<Time>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub access_token: Option<Spanned<String>>,
    pub access_token_file: Option<Spanned<PathBuf>>,
    pub expires_at: Option<Spanned<String>>,
}
