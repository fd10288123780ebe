// SPDX-License-Identifier: MPL-2.0
//! What a session is of. Equal settings are one session in a process.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::secret::Secret;

/// What a session is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Where credentials come from.
    pub source: Source,
    /// Roles assumed with them, each with the one before (role chaining).
    pub roles: Vec<Role>,
    /// The region whose STS is asked; else the environment's or the profile's, else `us-east-1`.
    pub region: Option<String>,
    /// Asked in place of AWS's STS. Where it is `None`, `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL`
    /// and the profile's `endpoint_url` count. Roles *inside* a profile know only of these three.
    pub endpoint_url: Option<String>,
    /// How long before the expiry to renew; else a third of the lifetime, from 2 to 20 minutes.
    pub refresh_before_expiry: Option<Duration>,
}

impl Settings {
    /// Nothing but the source.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Settings {
            source,
            roles: Vec::new(),
            region: None,
            endpoint_url: None,
            refresh_before_expiry: None,
        }
    }
}

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The environment, the default profile, web identity, the container's endpoint, the instance:
    /// the first that has some, as in every SDK.
    Chain,
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    Profile {
        /// Its name.
        name: String,
    },
    /// A file with an OpenID Connect token, exchanged for a role (EKS, CI systems).
    WebIdentity {
        /// Read anew at each renewal.
        token_file: PathBuf,
        /// The role that trusts the token's issuer; its external id is not used.
        role: Role,
    },
    /// What a command prints (`credential_process` of AWS profiles).
    Process {
        /// For `sh -c`.
        command: String,
    },
    /// The instance's metadata service (IMDSv2).
    Imds,
    /// The container's endpoint (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`).
    Container,
    /// AWS IoT's credential provider, for devices with an X.509 certificate.
    Iot(IotSettings),
    /// Given keys, used as they are.
    Static {
        /// Names the key.
        access_key_id: String,
        /// Signs.
        secret_access_key: Secret,
        /// Of temporary keys.
        session_token: Option<Secret>,
    },
    /// A token by the client credentials grant (RFC 6749, section 4.4).
    OAuth2(OAuth2Settings),
    /// A given bearer token, used as it is and never renewed.
    Token {
        /// The token.
        access_token: Secret,
        /// When it ends, if known.
        expires_at: Option<SystemTime>,
    },
}

impl Source {
    /// For messages: what it is, and which one, without anything secret.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Source::Chain => "the default chain".into(),
            Source::Profile { name } => format!("profile {name:?}"),
            Source::WebIdentity { token_file, .. } => {
                format!("the web identity token {}", token_file.display())
            }
            Source::Process { .. } => "the credential process".into(),
            Source::Imds => "the instance's metadata service".into(),
            Source::Container => "the container's credentials endpoint".into(),
            Source::Iot(iot) => format!("role alias {:?} of AWS IoT", iot.role_alias),
            Source::Static { .. } => "the given keys".into(),
            Source::OAuth2(oauth2) => format!("the OAuth2 server {}", oauth2.token_url),
            Source::Token { .. } => "the given token".into(),
        }
    }

    /// Whether it gives bearer tokens in place of AWS keys.
    #[must_use]
    pub fn gives_tokens(&self) -> bool {
        matches!(self, Source::OAuth2(_) | Source::Token { .. })
    }
}

/// Commands and keys may hold secrets, so that `Debug` is what messages say.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// `arn:aws:iam::123456789012:role/name`.
    pub arn: String,
    /// Shown in AWS's logs; else `awscreds-` and this machine's name.
    pub session_name: Option<String>,
    /// What the role's trust policy asks third parties for.
    pub external_id: Option<String>,
    /// How long the credentials live: 15 min to 12 h, as far as the role allows; else 1 h.
    pub duration: Option<Duration>,
}

impl Role {
    /// The role alone.
    #[must_use]
    pub fn new(arn: impl Into<String>) -> Self {
        Role {
            arn: arn.into(),
            session_name: None,
            external_id: None,
            duration: None,
        }
    }
}

/// AWS IoT's credential provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IotSettings {
    /// Host name, as `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` says; a
    /// port may follow.
    pub endpoint: String,
    /// The role alias.
    pub role_alias: String,
    /// The device's certificate (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Who signed the endpoint's certificate (PEM); else whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// The thing's name, for policies that use it.
    pub thing_name: Option<String>,
}

/// An OAuth2 client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OAuth2Settings {
    /// The server's token endpoint.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// What proves it.
    pub client_secret: ClientSecret,
    /// What for; several are separated by spaces.
    pub scope: Option<String>,
}

/// An OAuth2 client's secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientSecret {
    /// The secret itself.
    Given(Secret),
    /// A file that holds it, read anew at each renewal; white space around it does not count.
    File(PathBuf),
}
