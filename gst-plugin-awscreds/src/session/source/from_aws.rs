// SPDX-License-Identifier: MPL-2.0
//! The sources that `aws-config` knows: the default chain, profiles, the instance, the container.

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};

use super::explain;
use super::{Keys, sdk};
use crate::session::error::Error;
use crate::session::settings::{Settings, Source};
use crate::session::skew::Skew;
use crate::session::view::Credentials;

/// Keys of [`Source::Chain`], [`Source::Profile`], [`Source::Imds`] or [`Source::Container`].
///
/// The providers keep what they read of profiles and environment, so each is made anew.
pub async fn fetch(settings: &Settings, skew: &Skew, source: &Source) -> Result<Keys, Error> {
    let config = sdk::provider_config(settings, skew).await;
    let found = match source {
        Source::Profile { name } => {
            let profile = ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(name);
            ask(profile.build()).await
        }
        Source::Imds => {
            ask(ImdsCredentialsProvider::builder()
                .configure(&config)
                .build())
            .await
        }
        Source::Container => {
            ask(EcsCredentialsProvider::builder().configure(&config).build()).await
        }
        _ => {
            ask(DefaultCredentialsChain::builder()
                .configure(config)
                .build()
                .await)
            .await
        }
    };
    let found = found.map_err(|error| explain::provider(&error, source, skew))?;
    Ok(Keys {
        credentials: Credentials {
            access_key_id: found.access_key_id().to_string(),
            secret_access_key: found.secret_access_key().into(),
            session_token: found.session_token().map(Into::into),
        },
        expires_at: found.expiry(),
    })
}

async fn ask(
    provider: impl ProvideCredentials,
) -> Result<aws_credential_types::Credentials, CredentialsError> {
    provider.provide_credentials().await
}
