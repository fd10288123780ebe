// SPDX-License-Identifier: MPL-2.0
//! The SDKs' configuration: our HTTP client, our clock, the region and the endpoint.

use std::time::{Duration, SystemTime};

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as SdkCredentials;
use aws_smithy_async::time::TimeSource;

use crate::session::http;
use crate::session::settings::{Settings, Source};
use crate::session::skew::Skew;
use crate::session::view::Credentials;

/// STS answers in a tenth of this; three attempts fit into a session's patience.
const ATTEMPT: Duration = Duration::from_secs(12);
const CONNECT: Duration = Duration::from_secs(4);
/// STS's own default; sessions made there are good everywhere that is not switched on by hand.
const NO_REGION: &str = "us-east-1";

/// What tells an SDK the time. It corrects a clock that is wrong by itself, from AWS's answers.
#[derive(Debug)]
struct Time(Skew);

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .build()
}

/// For the providers of `aws-config`.
pub async fn provider_config(settings: &Settings, skew: &Skew) -> ProviderConfig {
    ProviderConfig::default()
        .with_http_client(http::for_sdks(skew))
        .with_time_source(Time(skew.clone()))
        .with_timeout_config(timeouts())
        .with_region(Some(region(settings).await))
}

/// For a client of STS that has no credentials yet.
pub async fn sts_config(settings: &Settings, skew: &Skew) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::for_sdks(skew))
        .time_source(Time(skew.clone()))
        .timeout_config(timeouts())
        .region(region(settings).await)
        .no_credentials();
    if let Some(name) = profile(settings) {
        loader = loader.profile_name(name);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// A client of STS that signs with `credentials`.
pub async fn sts_client(
    settings: &Settings,
    skew: &Skew,
    credentials: &Credentials,
) -> aws_sdk_sts::Client {
    let config = sts_config(settings, skew).await;
    let config = aws_sdk_sts::config::Builder::from(&config)
        .credentials_provider(to_sdk(credentials))
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

/// The instance is not asked for its region: elsewhere that takes seconds to fail.
async fn region(settings: &Settings) -> Region {
    if let Some(region) = &settings.region {
        return Region::new(region.clone());
    }
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(name) = profile(settings) {
        of_profile = of_profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(of_profile.build())
        .or_else(Region::from_static(NO_REGION))
        .region()
        .await
        .unwrap_or(Region::from_static(NO_REGION))
}

fn profile(settings: &Settings) -> Option<&str> {
    match &settings.source {
        Source::Profile { name } => Some(name),
        _ => None,
    }
}

fn to_sdk(credentials: &Credentials) -> SdkCredentials {
    SdkCredentials::new(
        &credentials.access_key_id,
        credentials.secret_access_key.expose(),
        credentials
            .session_token
            .as_ref()
            .map(|token| token.expose().to_string()),
        None,
        "awscreds",
    )
}
