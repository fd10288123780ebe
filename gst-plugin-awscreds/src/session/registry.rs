// SPDX-License-Identifier: MPL-2.0
//! One session for equal settings in a process: twenty elements with one role make one call of STS
//! per renewal.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::handle::{Session, Shared};
use super::settings::Settings;

type Running = HashMap<Settings, Weak<Shared>>;

/// The running session of `settings`, or what `start` makes.
pub fn join(settings: &Settings, start: impl FnOnce() -> Session) -> Session {
    let mut running = running();
    if let Some(session) = running.get(settings).and_then(Session::upgrade) {
        return session;
    }
    let session = start();
    running.insert(settings.clone(), session.downgrade());
    session
}

/// Called when a session has gone: its settings hold secrets, and are not kept.
pub fn forget_gone() {
    running().retain(|_, session| session.strong_count() > 0);
}

fn running() -> MutexGuard<'static, Running> {
    static RUNNING: OnceLock<Mutex<Running>> = OnceLock::new();
    let running = RUNNING.get_or_init(Mutex::default);
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
