// SPDX-License-Identifier: MPL-2.0
//! The thread on which all sessions of a process live.
//!
//! **What the libraries say there is heard by nobody.** At TRACE the SDKs, hyper and the command
//! runner print requests, answers and command lines, which hold secrets; which of their many
//! messages do, changes with their versions. So every thread of this runtime has a subscriber that
//! drops all, and what *we* have to say goes to the subscriber of whoever opened the session
//! ([`Voice`]).

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

/// Started at the first use; lives as long as the process.
///
/// # Errors
/// The system gives no thread.
pub fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("awscreds")
            .enable_all()
            .on_thread_start(silence)
            .build()
            .map_err(|error| format!("cannot start a thread for credentials: {error}"))
    });
    runtime.as_ref().map_err(Clone::clone)
}

/// Keeps what runs on this thread from being logged, until the thread ends.
fn silence() {
    let guard = tracing::subscriber::set_default(NoSubscriber::new());
    // The guard would undo it; the thread is the runtime's own and wants nothing else.
    std::mem::forget(guard);
}

/// Where a session's own messages go.
#[derive(Clone, Debug)]
pub struct Voice(Dispatch);

impl Voice {
    /// To the subscriber of the calling thread.
    pub fn here() -> Self {
        Voice(tracing::dispatcher::get_default(Dispatch::clone))
    }

    /// Runs `f` with its messages heard.
    pub fn speak<R>(&self, f: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.0, f)
    }
}

/// Runs `f`, and on this thread nothing of it is logged: for other calls of AWS's SDKs, whose
/// messages at TRACE hold secrets. What `f` starts on other threads is not covered.
pub fn quietly<R>(f: impl FnOnce() -> R) -> R {
    tracing::subscriber::with_default(NoSubscriber::new(), f)
}
