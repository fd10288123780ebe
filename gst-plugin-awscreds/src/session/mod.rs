// SPDX-License-Identifier: MPL-2.0
//! A credentials session: where credentials come from, when they are renewed, who may read them.
//! No GStreamer.
//!
//! ```text
//! settings ─▶ source ─▶ course ─▶ view ─▶ whoever watches
//!   (what)    (asks)    (decides)  (shows)
//!               ▲          │
//!               └─ renewal ┘  the background task: waits, asks, tells
//! ```
//!
//! Sessions live on one thread of their own ([`Session::open`] never waits); equal settings share
//! one. What is in use stays in use until it truly ends; a failure of the network is retried with
//! backoff, what somebody has to put right is said at once and retried slowly. Secrets are held in
//! [`Secret`], and what the AWS libraries would log of them is heard by nobody.
//!
//! Core dumps: a program of ours that holds a session calls [`keep_out_of_core_dumps`]. The plugin
//! does not: what a host process dumps is its own affair, and `ulimit -c 0` or systemd's
//! `LimitCORE=0` is where that is said.

mod clock;
mod course;
mod error;
mod handle;
mod http;
mod identity;
pub mod kvs_file;
mod registry;
mod renewal;
mod runtime;
mod schedule;
mod secret;
mod settings;
mod settings_check;
mod skew;
mod source;
mod view;

pub use clock::{Clock, FastClock, SystemClock, Waiting};
pub use error::{Error, ErrorKind, SettingsError};
pub use handle::{Session, Subscription};
pub use runtime::quietly;
pub use secret::Secret;
pub use settings::{ClientSecret, IotSettings, OAuth2Settings, Role, Settings, Source};
pub use settings_check::check;
pub use source::{Answer, Expiry, Fetch, Fetched};
pub use view::{AccessToken, ClockOffset, Credentials, Identity, Lease, LeaseSecret, Status, View};

/// Keeps this process out of core dumps, and its memory and environment from other processes of
/// the same user (`PR_SET_DUMPABLE`). A dump would hold every secret of every session, the copies
/// in TLS and HTTP buffers included, which no wiping reaches. Debuggers need root from then on; a
/// child process that executes another program starts anew.
///
/// # Errors
/// The system refused.
pub fn keep_out_of_core_dumps() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// The HTTP stack of the sessions, for other AWS SDK clients of the same program.
#[must_use]
pub fn sdk_http_client() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    http::for_sdks(&skew::Skew::new(std::sync::Arc::new(SystemClock)))
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn a_process_can_be_kept_out_of_core_dumps() {
        super::keep_out_of_core_dumps().unwrap();
        let behavior = dumpable_behavior().unwrap();
        assert_eq!(behavior, DumpableBehavior::NotDumpable);
    }
}
