// SPDX-License-Identifier: MPL-2.0
//! Where credentials come from: one file per kind of source.
//!
//! A source is asked anew at each renewal and keeps nothing in between: profiles, token files and
//! certificates that somebody changed are seen without a restart.

pub(super) mod explain;
mod from_aws;
mod iot;
mod json;
mod oauth2;
mod process;
mod role;
pub(super) mod sdk;
mod web_identity;

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::Error;
use super::secret::Secret;
use super::settings::{Settings, Source};
use super::skew::Skew;
use super::view::{AccessToken, Credentials, Identity, LeaseSecret};

/// When what was fetched ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never, or nobody says when.
    Unknown,
    /// When AWS's clock shows this.
    AwsTime(SystemTime),
    /// When this machine's clock shows this.
    OurTime(SystemTime),
}

/// What a source gave.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The credentials.
    pub secret: LeaseSecret,
    /// When they end.
    pub expiry: Expiry,
}

/// AWS keys on their way from one step to the next.
#[derive(Debug)]
pub struct Keys {
    credentials: Credentials,
    expiry: Expiry,
}

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What a session asks; tests have one of their own.
pub trait Fetch: Send + Sync + 'static {
    /// Asks for credentials.
    fn fetch(&self) -> Answer<'_, Fetched>;
    /// Asks whose these are.
    fn identify<'a>(&'a self, credentials: &'a Credentials) -> Answer<'a, Identity>;
}

/// Nobody is waited for longer than this.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// The sources of [`Settings`].
pub struct Origin {
    settings: Settings,
    skew: Skew,
}

impl Origin {
    /// What `settings` name; what AWS's clock shows is told to `skew`.
    pub fn new(settings: Settings, skew: Skew) -> Arc<Self> {
        Arc::new(Origin { settings, skew })
    }

    async fn fetch(&self) -> Result<Fetched, Error> {
        let settings = &self.settings;
        match &settings.source {
            Source::OAuth2(oauth2) => oauth2::fetch(oauth2, &self.skew).await,
            Source::Token { .. } => given(&settings.source)
                .ok_or_else(|| Error::temporary("the given token is not there")),
            _ => {
                let mut keys = self.keys().await?;
                for role in &settings.roles {
                    keys = role::assume(settings, &self.skew, keys.credentials, role).await?;
                }
                Ok(Fetched {
                    secret: LeaseSecret::Aws(keys.credentials),
                    expiry: keys.expiry,
                })
            }
        }
    }

    /// The keys of the source, before any role is assumed with them.
    async fn keys(&self) -> Result<Keys, Error> {
        let (settings, skew) = (&self.settings, &self.skew);
        match &settings.source {
            Source::WebIdentity { token_file, role } => {
                web_identity::fetch(settings, skew, token_file, role).await
            }
            Source::Process { command } => process::fetch(command).await,
            Source::Iot(iot) => iot::fetch(iot, skew).await,
            Source::Static {
                access_key_id,
                secret_access_key,
                session_token,
            } => Ok(Keys {
                credentials: Credentials {
                    access_key_id: access_key_id.clone(),
                    secret_access_key: secret_access_key.clone(),
                    session_token: session_token.clone(),
                },
                expiry: Expiry::Unknown,
            }),
            source => from_aws::fetch(settings, skew.clock(), source).await,
        }
    }
}

impl Fetch for Origin {
    fn fetch(&self) -> Answer<'_, Fetched> {
        Box::pin(async {
            tokio::time::timeout(LONGEST_ANSWER, Origin::fetch(self))
                .await
                .unwrap_or_else(|_| {
                    let what = self.settings.source.describe();
                    Err(Error::timed_out(&what, LONGEST_ANSWER))
                })
        })
    }

    fn identify<'a>(&'a self, credentials: &'a Credentials) -> Answer<'a, Identity> {
        Box::pin(super::identity::ask(
            &self.settings,
            &self.skew,
            credentials,
        ))
    }
}

/// What needs no asking: given keys and tokens.
pub fn given(source: &Source) -> Option<Fetched> {
    match source {
        Source::Static {
            access_key_id,
            secret_access_key,
            session_token,
        } => Some(Fetched {
            secret: LeaseSecret::Aws(Credentials {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
                session_token: session_token.clone(),
            }),
            expiry: Expiry::Unknown,
        }),
        Source::Token {
            access_token,
            expires_at,
        } => Some(Fetched {
            secret: LeaseSecret::Token(AccessToken(access_token.clone())),
            expiry: expires_at.map_or(Expiry::Unknown, Expiry::OurTime),
        }),
        _ => None,
    }
}

/// A secret from a file, without the white space around it. `what` names it in errors.
async fn read_secret(path: &Path, what: &str) -> Result<Secret, Error> {
    let text = tokio::fs::read_to_string(path).await.map_err(|error| {
        Error::user(
            format!("{what} {} cannot be read: {error}", path.display()),
            "put it there, readable by this process",
        )
    })?;
    let secret = Secret::from(text.trim());
    drop(Secret::from(text));
    Ok(secret)
}
