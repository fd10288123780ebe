// SPDX-License-Identifier: MPL-2.0
//! One session for equal settings in a process: twenty elements with one role make one call of STS
//! per renewal.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

use super::handle::{Session, Shared};
use super::settings::Settings;

type Running = HashMap<Settings, Weak<Shared>>;

/// The running session of `settings`, or what `start` makes.
pub fn join(settings: &Settings, start: impl FnOnce() -> Session) -> Session {
    static RUNNING: OnceLock<Mutex<Running>> = OnceLock::new();
    let running = RUNNING.get_or_init(Mutex::default);
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(session) = running.get(settings).and_then(Session::upgrade) {
        return session;
    }
    // Settings hold secrets; those of sessions that have gone are not kept.
    running.retain(|_, session| session.strong_count() > 0);
    let session = start();
    running.insert(settings.clone(), session.downgrade());
    session
}
