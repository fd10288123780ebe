// SPDX-License-Identifier: MPL-2.0
//! The sources that `aws-config` knows: the default chain, profiles, the instance, the container.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};

use super::explain;
use super::{Expiry, Keys, sdk};
use crate::session::clock::Clock;
use crate::session::error::Error;
use crate::session::settings::{Settings, Source};
use crate::session::skew::Skew;
use crate::session::view::Credentials;

/// Keys of [`Source::Chain`], [`Source::Profile`], [`Source::Imds`] or [`Source::Container`].
///
/// The providers keep what they read of profiles and environment, so each is made anew. An expiry
/// is by the clock of whoever gave it, and that is the last who answered: AWS, or a session that is
/// served on this machine by this machine's clock.
pub async fn fetch(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    source: &Source,
) -> Result<Keys, Error> {
    let giver = Skew::new(clock);
    let config = sdk::provider_config(settings, &giver).await;
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
    let found = found.map_err(|error| explain::provider(&error, source, &giver))?;
    Ok(Keys {
        credentials: Credentials {
            access_key_id: found.access_key_id().to_string(),
            secret_access_key: found.secret_access_key().into(),
            // A container's endpoint has an empty one for keys that do not expire.
            session_token: found
                .session_token()
                .filter(|token| !token.is_empty())
                .map(Into::into),
        },
        expiry: match found.expiry() {
            None => Expiry::Unknown,
            Some(end) if giver.is_known() => {
                let offset = giver.offset();
                Expiry::OurTime(offset.map_or(end, |offset| offset.our_time(end)))
            }
            Some(end) => Expiry::AwsTime(end),
        },
    })
}

async fn ask(
    provider: impl ProvideCredentials,
) -> Result<aws_credential_types::Credentials, CredentialsError> {
    provider.provide_credentials().await
}
