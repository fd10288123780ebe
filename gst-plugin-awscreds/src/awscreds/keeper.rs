// SPDX-License-Identifier: MPL-2.0
//! The thread that keeps a target supplied while the element is started.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::session::{Session, Subscription, View};

use super::imp::{AwsCreds, lock};
use super::publishing::Publishing;

/// Runs until it is dropped.
pub struct Keeper {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
    /// The file for targets, where it is one.
    path: Option<PathBuf>,
    /// Keeps the session running, and us told.
    _session: (Session, Subscription),
}

#[derive(Default)]
struct Inbox {
    state: Mutex<Letters>,
    came: Condvar,
}

#[derive(Default)]
struct Letters {
    changed: bool,
    stop: bool,
}

impl Keeper {
    /// Takes over from the start.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        element: &super::AwsCreds,
        session: Session,
        mut publishing: Publishing,
    ) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let path = publishing.route().path().map(Path::to_owned);
        let to = inbox.clone();
        let subscription = session.on_change(move |_| {
            lock(&to.state).changed = true;
            to.came.notify_one();
        });
        let (from, element, viewed) = (inbox.clone(), element.downgrade(), session.clone());
        let thread = thread::Builder::new()
            .name("awscreds-keeper".into())
            .spawn(move || {
                let mut pause = Duration::ZERO;
                while from.wait(pause) {
                    // The element stops this thread before it goes; without it there is no more to do.
                    let Some(element) = element.upgrade() else {
                        return;
                    };
                    pause = element.imp().keep(&mut publishing, &viewed.view());
                }
            })?;
        Ok(Self {
            inbox,
            thread: Some(thread),
            path,
            _session: (session, subscription),
        })
    }

    /// The file for targets, where it is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl Inbox {
    /// Until something changed or the pause is over; whether to go on.
    fn wait(&self, pause: Duration) -> bool {
        let idle = |letters: &mut Letters| !letters.stop && !letters.changed;
        let waited = self.came.wait_timeout_while(lock(&self.state), pause, idle);
        let mut letters = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        letters.changed = false;
        !letters.stop
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        lock(&self.inbox.state).stop = true;
        self.inbox.came.notify_one();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Someone who hears our message may stop the pipeline from this very thread.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl AwsCreds {
    /// What is to be done now; for how long there is nothing to do then.
    fn keep(&self, publishing: &mut Publishing, view: &View) -> Duration {
        let now = SystemTime::now();
        let (notices, pause) = publishing.step(view, now);
        self.show(view, publishing);
        self.tell(&notices, publishing, view, now);
        pause
    }
}
