// SPDX-License-Identifier: MPL-2.0
//! What a session shows of itself: the credentials in use and how it stands with them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::Error;
use super::secret::Secret;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There were no credentials yet; the first are being asked for, perhaps not for the first time.
    Starting,
    /// What is in use is good.
    Ready,
    /// A renewal failed and is tried again; what is in use is still good.
    Retrying,
    /// What was in use has expired, or is a given token whose time is over.
    Expired,
    /// Somebody has to change something. What is in use, if anything, is good until it expires.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Starting => "starting",
            Status::Ready => "ready",
            Status::Retrying => "retrying",
            Status::Expired => "expired",
            Status::Failed => "failed",
        })
    }
}

/// A session at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How it stands.
    pub status: Status,
    /// What is valid now.
    pub lease: Option<Arc<Lease>>,
    /// Whose credentials they are; known a little later than they.
    pub identity: Option<Identity>,
    /// How many times new credentials came, the first included.
    pub renewals: u64,
    /// When the source is asked again; `None` where it never is.
    pub next_renewal: Option<SystemTime>,
    /// The last failure, while what it was about is not over.
    pub error: Option<Arc<Error>>,
    /// How far this machine's clock is from AWS's, where that is far enough to matter.
    pub clock_offset: Option<ClockOffset>,
}

impl View {
    /// A session that has just been opened.
    #[must_use]
    pub fn starting() -> Self {
        View {
            status: Status::Starting,
            lease: None,
            identity: None,
            renewals: 0,
            next_renewal: None,
            error: None,
            clock_offset: None,
        }
    }

    /// The AWS credentials in use.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        match &self.lease.as_deref()?.secret {
            LeaseSecret::Aws(credentials) => Some(credentials),
            LeaseSecret::Token(_) => None,
        }
    }

    /// The OAuth2 or given token in use.
    #[must_use]
    pub fn token(&self) -> Option<&AccessToken> {
        match &self.lease.as_deref()?.secret {
            LeaseSecret::Token(token) => Some(token),
            LeaseSecret::Aws(_) => None,
        }
    }
}

/// Credentials for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The credentials.
    pub secret: LeaseSecret,
    /// When they came, by this machine's clock.
    pub obtained_at: SystemTime,
    /// When they end, **by this machine's clock**: where that is wrong against AWS's, the
    /// difference is accounted for. `None` where they do not end, or nobody knows when.
    pub expires_at: Option<SystemTime>,
}

/// What a lease is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseSecret {
    /// Keys that sign requests to AWS.
    Aws(Credentials),
    /// A bearer token.
    Token(AccessToken),
}

/// Keys that sign requests to AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the key; AWS does not count it as secret, but nothing here shows it.
    pub access_key_id: String,
    /// Signs.
    pub secret_access_key: Secret,
    /// Goes along with temporary keys.
    pub session_token: Option<Secret>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// A bearer token (RFC 6750).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken(pub Secret);

/// Whose credentials they are, as `GetCallerIdentity` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's twelve digits.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
    /// AWS's own id of it.
    pub user_id: String,
}

/// How far this machine's clock is from AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// AWS's clock minus this machine's; negative where this machine's is ahead.
    pub seconds: i64,
}

impl ClockOffset {
    /// What AWS's clock shows when this machine's shows `ours`.
    #[must_use]
    pub fn aws_time(self, ours: SystemTime) -> SystemTime {
        shift(ours, self.seconds)
    }

    /// What this machine's clock shows when AWS's shows `aws`.
    #[must_use]
    pub fn our_time(self, aws: SystemTime) -> SystemTime {
        shift(aws, self.seconds.saturating_neg())
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, side) = (
            Duration::from_secs(self.seconds.unsigned_abs()),
            if self.seconds < 0 {
                "ahead of"
            } else {
                "behind"
            },
        );
        write!(
            f,
            "this machine's clock is {} s {side} AWS's",
            amount.as_secs()
        )
    }
}

/// `time` moved by `seconds`; unmoved where that cannot be represented.
fn shift(time: SystemTime, seconds: i64) -> SystemTime {
    let amount = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 {
        time.checked_sub(amount)
    } else {
        time.checked_add(amount)
    };
    moved.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_shows_no_secret_in_its_debug_text() {
        let credentials = Credentials {
            access_key_id: "AKIASHOWN".into(),
            secret_access_key: "hush".into(),
            session_token: Some("hush".into()),
        };
        let lease = |secret| {
            Some(Arc::new(Lease {
                secret,
                obtained_at: SystemTime::UNIX_EPOCH,
                expires_at: None,
            }))
        };
        for secret in [
            LeaseSecret::Aws(credentials),
            LeaseSecret::Token(AccessToken("hush".into())),
        ] {
            let view = View {
                lease: lease(secret),
                ..View::starting()
            };
            let text = format!("{view:?} {view:#?}");
            assert!(!text.contains("hush") && !text.contains("AKIA"), "{text}");
        }
    }

    #[test]
    fn the_offset_is_what_aws_shows_minus_what_we_show() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        let late = ClockOffset { seconds: 600 };
        assert_eq!(late.aws_time(noon), noon + Duration::from_secs(600));
        assert_eq!(late.our_time(late.aws_time(noon)), noon);
        assert_eq!(
            late.to_string(),
            "this machine's clock is 600 s behind AWS's"
        );
        let early = ClockOffset { seconds: -5 };
        assert_eq!(
            early.to_string(),
            "this machine's clock is 5 s ahead of AWS's"
        );
    }
}
