// SPDX-License-Identifier: MPL-2.0
//! What AWS and its SDK say, turned into whose turn it is and what to do.
//!
//! Error codes are those of the STS API reference ("Common Errors" and each operation's own).

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::session::error::{Error, ErrorKind};
use crate::session::http::causes;
use crate::session::settings::Source;
use crate::session::skew::Skew;

/// What was being asked of STS.
#[derive(Debug)]
pub enum Step<'a> {
    /// `AssumeRole` for this ARN.
    AssumeRole(&'a str),
    /// `AssumeRoleWithWebIdentity` for this ARN.
    WebIdentity(&'a str),
    /// `GetCallerIdentity`.
    WhoAmI,
    /// Something that a provider of the SDK asked for.
    Inside(&'a Source),
}

impl Step<'_> {
    fn describe(&self) -> String {
        match self {
            Step::AssumeRole(arn) => format!("assuming the role {arn}"),
            Step::WebIdentity(arn) => {
                format!("assuming the role {arn} with a web identity token")
            }
            Step::WhoAmI => "asking whose credentials these are".into(),
            Step::Inside(source) => format!("getting credentials from {}", source.describe()),
        }
    }
}

/// What a call of STS failed with.
pub fn sts<E>(error: &SdkError<E, HttpResponse>, step: &Step, skew: &Skew) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let refusal = Refusal {
                code: service.err().code().unwrap_or_default(),
                message: service.err().message().unwrap_or_default(),
                status: service.raw().status().as_u16(),
            };
            refusal.explain(step, skew)
        }
        SdkError::ConstructionFailure(_) => Error::user(
            format!("{} is not possible: {}", step.describe(), causes(error)),
            "check region and endpoint",
        ),
        _ => unreachable(&causes(error), step),
    }
}

/// What one of the SDK's own providers failed with.
pub fn provider(error: &CredentialsError, source: &Source, skew: &Skew) -> Error {
    let step = Step::Inside(source);
    if let Some(inner) = find::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        return sts(inner, &step, skew);
    }
    if let Some(inner) = find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error) {
        return sts(inner, &step, skew);
    }
    let text = causes(error);
    // How aws-config says that it was built without something.
    if text.contains("cargo feature") {
        return Error::user(
            format!(
                "{} logs in by IAM Identity Center (SSO), which is not spoken here",
                source.describe()
            ),
            "let the AWS CLI do it: a profile with credential_process = aws configure \
             export-credentials --profile NAME --format process",
        );
    }
    match error {
        // Off the network at the start of a machine, the instance's service is not there yet.
        CredentialsError::CredentialsNotLoaded(_) if matches!(source, Source::Imds) => {
            unreachable(&text, &step)
        }
        CredentialsError::CredentialsNotLoaded(_) => Error::user(
            format!("{} has no AWS credentials ({text})", source.describe()),
            no_credentials(source),
        ),
        CredentialsError::InvalidConfiguration(_) => Error::user(
            format!("{} cannot be used: {text}", source.describe()),
            "correct what it names",
        ),
        // A served session that was started anew has a new token, and its file is read each time.
        _ if matches!(source, Source::Container) && text.contains("401") => Error::new(
            ErrorKind::Temporary,
            format!("{} refused us: {text}", source.describe()),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE must name the endpoint's own token file",
        ),
        _ => unreachable(&text, &step),
    }
}

fn no_credentials(source: &Source) -> &'static str {
    match source {
        Source::Profile { .. } => {
            "add it to ~/.aws/config or ~/.aws/credentials, or correct the name"
        }
        Source::Container => {
            "set AWS_CONTAINER_CREDENTIALS_FULL_URI, or run where the container has a role"
        }
        _ => {
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the \
             container or the instance has a role"
        }
    }
}

/// The nearest cause of this type.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// Nobody answered, or not understandably.
fn unreachable(text: &str, step: &Step) -> Error {
    let message = format!("{} failed: {text}", step.describe());
    // What rustls says of a certificate's dates.
    if [
        "certificate: Expired",
        "certificate expired",
        "NotValidYet",
        "not valid yet",
    ]
    .iter()
    .any(|sign| text.contains(sign))
    {
        return Error::new(ErrorKind::Clock, message, CLOCK);
    }
    Error::temporary(message)
}

const CLOCK: &str = "check this machine's clock: it should be set from the network (NTP)";

/// What STS said.
struct Refusal<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
}

/// Signatures are good for five minutes; less than this is no reason to refuse one.
const TOO_FAR_SECONDS: u64 = 240;

impl Refusal<'_> {
    fn explain(&self, step: &Step, skew: &Skew) -> Error {
        let said = if self.message.is_empty() {
            format!("{} (HTTP {})", self.code, self.status)
        } else {
            format!("{}: {}", self.code, self.message)
        };
        let message = format!("{} was refused: {said}", step.describe());
        if self.is_about_time() {
            let offset = skew
                .offset()
                .filter(|offset| offset.seconds.unsigned_abs() > TOO_FAR_SECONDS);
            if let Some(offset) = offset {
                return Error::new(ErrorKind::Clock, format!("{message} ({offset})"), CLOCK);
            }
        }
        match self.remedy(step) {
            Some(remedy) => Error::user(message, remedy),
            None => Error::temporary(message),
        }
    }

    /// Codes that a wrong clock causes.
    fn is_about_time(&self) -> bool {
        matches!(
            self.code,
            "SignatureDoesNotMatch"
                | "InvalidSignatureException"
                | "RequestExpired"
                | "RequestTimeTooSkewed"
                | "AuthFailure"
                | "ExpiredToken"
                | "ExpiredTokenException"
        )
    }

    /// What somebody has to do, if it does not go away by itself.
    fn remedy(&self, step: &Step) -> Option<String> {
        let arn = match step {
            Step::AssumeRole(arn) | Step::WebIdentity(arn) => arn,
            Step::WhoAmI | Step::Inside(_) => &"the role",
        };
        Some(match self.code {
            "AccessDenied" | "AccessDeniedException" | "NoSuchEntity" => match step {
                // A network's policy may forbid the question; the keys may be good for all else.
                Step::WhoAmI => return None,
                Step::WebIdentity(_) => {
                    format!("check that {arn} exists and trusts the token's issuer, audience and subject")
                }
                _ => format!(
                    "check that {arn} exists, that its trust policy names the caller, and that the \
                     caller may call sts:AssumeRole on it"
                ),
            },
            "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
                "give an access key that exists and is active".into()
            }
            "SignatureDoesNotMatch" | "IncompleteSignature" | "InvalidSignatureException" => {
                "give the secret access key that belongs to the access key id".into()
            }
            "ExpiredToken" | "ExpiredTokenException" => match step {
                Step::WebIdentity(_) => "have the token file written anew by its issuer".into(),
                _ => "give credentials that have not expired".into(),
            },
            "InvalidIdentityToken" | "IDPRejectedClaim" => {
                "check the token file, and the identity provider that the role trusts".into()
            }
            "IDPCommunicationError" => return None,
            "RegionDisabledException" => "switch STS on for that region, or choose another".into(),
            "ValidationError" if self.message.contains("DurationSeconds") => {
                "ask for a shorter duration, or raise the role's longest session; with a role's own \
                 credentials it is 1 h"
                    .into()
            }
            _ if !self.heals() => "correct what it names".into(),
            _ => return None,
        })
    }

    /// Overload and faults of the service.
    fn heals(&self) -> bool {
        self.status == 429
            || self.status >= 500
            || self.status == 408
            || self.code.contains("Throttl")
            || matches!(
                self.code,
                "RequestLimitExceeded" | "ServiceUnavailable" | "InternalFailure"
            )
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
