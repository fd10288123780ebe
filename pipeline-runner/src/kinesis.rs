// SPDX-License-Identifier: MPL-2.0
//! Makes sure that a stream of Kinesis Video Streams is there as it is wanted, before anything is
//! sent to it.
//!
//! `kvssink` can make streams, too, but not with a key, and what it makes keeps nothing longer
//! than its own default; and where it may not, its error does not say so. So the runner asks by
//! itself: is it there, is it active, does it keep things long enough.

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_kinesisvideo::Client;
use aws_sdk_kinesisvideo::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesisvideo::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesisvideo::types::{
    Status as StreamStatus, StreamInfo, UpdateDataRetentionOperation,
};
use gstawscreds::session::{self, Session, Settings, Source};

use crate::config::Kvs;
use crate::worker::protocol::{Class, Failure};

/// How long a session may take to have credentials.
const CREDENTIALS_LIMIT: Duration = Duration::from_secs(20);
/// How long a new or a changed stream may take to be active.
const ACTIVE_LIMIT: Duration = Duration::from_secs(60);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(500);
/// What a new stream keeps, where nothing else is asked for: as `kvssink` has it.
const DEFAULT_RETENTION_HOURS: u32 = 2;

/// Why a stream is not as it is wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, and none is to be made.
    #[error("there is no stream `{stream}` in {region}; `create: true` makes it")]
    NoStream {
        /// Its name.
        stream: String,
        /// Where.
        region: String,
    },
    /// These credentials may not.
    #[error("AWS refuses {action}: {message}; allow the role {action}")]
    Refused {
        /// As in a policy.
        action: &'static str,
        /// AWS's words.
        message: String,
    },
    /// Anything that may pass.
    #[error("{action}: {message}")]
    Passing {
        /// As in a policy.
        action: &'static str,
        /// What was said.
        message: String,
    },
    /// There are no credentials.
    #[error("no credentials for AWS: {0}")]
    NoCredentials(String),
}

impl Error {
    /// For the supervisor.
    pub fn failure(&self) -> Failure {
        let class = match self {
            Self::NoStream { .. } | Self::Refused { .. } => Class::Refused,
            Self::Passing { .. } | Self::NoCredentials(_) => Class::Passing,
        };
        Failure {
            class,
            message: self.to_string(),
        }
    }
}

/// What had to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// The stream is new.
    Made,
    /// It keeps what is sent to it longer than before.
    KeepsLonger,
}

/// Makes sure that the stream is there, with the credentials of this process's environment.
/// Waits for the network.
///
/// # Errors
/// Why it is not.
pub fn ensure(kvs: &Kvs, region: &str) -> Result<Done, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Error::NoCredentials(why.to_string()))?;
    // The same settings as those of `awscreds` in this process, and so the same session.
    let session = Session::open(Settings::new(Source::Chain))
        .map_err(|why| Error::NoCredentials(why.to_string()))?;
    let view = session.wait_ready(CREDENTIALS_LIMIT);
    let Some(keys) = view.credentials() else {
        let why = view.error.map(|error| error.to_string());
        let why = why.unwrap_or_else(|| format!("none came within {CREDENTIALS_LIMIT:?}"));
        return Err(Error::NoCredentials(why));
    };
    let credentials = Credentials::new(
        &keys.access_key_id,
        keys.secret_access_key.expose(),
        keys.session_token
            .as_ref()
            .map(|token| token.expose().to_owned()),
        None,
        "session",
    );
    let mut config = config(region, credentials);
    if let Some(url) = endpoint_url(|name| std::env::var(name).ok()) {
        config = config.endpoint_url(url);
    }
    let client = Client::from_conf(config.build());
    // What the SDK would log at TRACE holds secrets.
    session::quietly(|| runtime.block_on(ensure_with(&client, kvs, region)))
}

/// What a client of the service needs to know, but where the service is.
fn config(region: &str, credentials: Credentials) -> aws_sdk_kinesisvideo::config::Builder {
    aws_sdk_kinesisvideo::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .http_client(session::sdk_http_client())
}

/// Where the service is, if not where AWS has it: as for every SDK, and as for `kvssink`.
fn endpoint_url(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    [
        "AWS_ENDPOINT_URL_KINESIS_VIDEO",
        "AWS_ENDPOINT_URL",
        "CONTROL_PLANE_URI",
    ]
    .into_iter()
    .filter_map(variable)
    .find(|url| !url.is_empty())
}

async fn ensure_with(client: &Client, kvs: &Kvs, region: &str) -> Result<Done, Error> {
    let mut done = Done::Nothing;
    let stream = match describe(client, &kvs.stream).await? {
        Some(stream) => stream,
        None if kvs.create => {
            create(client, kvs).await?;
            done = Done::Made;
            active(client, kvs, region).await?
        }
        None => {
            return Err(Error::NoStream {
                stream: kvs.stream.clone(),
                region: region.to_owned(),
            });
        }
    };
    let stream = match stream.status() {
        Some(StreamStatus::Active) => stream,
        _ => active(client, kvs, region).await?,
    };
    let keeps = u32::try_from(stream.data_retention_in_hours().unwrap_or(0)).unwrap_or(0);
    let more = kvs
        .retention_hours
        .map_or(0, |wanted| wanted.saturating_sub(keeps));
    if more > 0 {
        keep_longer(client, &stream, kvs, more).await?;
        active(client, kvs, region).await?;
        done = Done::KeepsLonger;
    }
    Ok(done)
}

/// The stream, if there is one.
async fn describe(client: &Client, name: &str) -> Result<Option<StreamInfo>, Error> {
    match client.describe_stream().stream_name(name).send().await {
        Ok(answer) => Ok(answer.stream_info),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(explain("kinesisvideo:DescribeStream", &error)),
    }
}

async fn create(client: &Client, kvs: &Kvs) -> Result<(), Error> {
    let hours = kvs.retention_hours.unwrap_or(DEFAULT_RETENTION_HOURS);
    let request = client
        .create_stream()
        .stream_name(&kvs.stream)
        .media_type("video/h264")
        .data_retention_in_hours(i32::try_from(hours).unwrap_or(i32::MAX))
        .set_kms_key_id(kvs.kms_key.clone())
        .set_tags((!kvs.tags.is_empty()).then(|| kvs.tags.clone().into_iter().collect()));
    match request.send().await {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(error) if error.code() == Some("ResourceInUseException") => Ok(()),
        Err(error) => Err(explain("kinesisvideo:CreateStream", &error)),
    }
}

async fn keep_longer(
    client: &Client,
    stream: &StreamInfo,
    kvs: &Kvs,
    more_hours: u32,
) -> Result<(), Error> {
    client
        .update_data_retention()
        .stream_name(&kvs.stream)
        .set_current_version(stream.version.clone())
        .operation(UpdateDataRetentionOperation::IncreaseDataRetention)
        .data_retention_change_in_hours(i32::try_from(more_hours).unwrap_or(i32::MAX))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain("kinesisvideo:UpdateDataRetention", &error))
}

/// Waits until the stream is active.
async fn active(client: &Client, kvs: &Kvs, region: &str) -> Result<StreamInfo, Error> {
    let wait = async {
        loop {
            match describe(client, &kvs.stream).await? {
                Some(stream) if stream.status() == Some(&StreamStatus::Active) => {
                    return Ok(stream);
                }
                Some(stream) if stream.status() == Some(&StreamStatus::Deleting) => {
                    return Err(Error::Passing {
                        action: "kinesisvideo:DescribeStream",
                        message: format!("`{}` is being deleted in {region}", kvs.stream),
                    });
                }
                // A new stream may not be known everywhere at once.
                _ => tokio::time::sleep(INTERVAL).await,
            }
        }
    };
    tokio::time::timeout(ACTIVE_LIMIT, wait)
        .await
        .unwrap_or_else(|_| {
            Err(Error::Passing {
                action: "kinesisvideo:DescribeStream",
                message: format!("`{}` is not active after {ACTIVE_LIMIT:?}", kvs.stream),
            })
        })
}

fn explain<E>(action: &'static str, error: &SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let message = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{message} ({code})"),
        (Some(code), None) => code.to_owned(),
        (None, _) => DisplayErrorContext(error).to_string(),
    };
    match error.code() {
        Some("NotAuthorizedException" | "AccessDeniedException") => {
            Error::Refused { action, message }
        }
        _ => Error::Passing { action, message },
    }
}
