// SPDX-License-Identifier: MPL-2.0
//! The session as its users hold it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::{Clock, SystemClock};
use super::course::Course;
use super::error::SettingsError;
use super::registry;
use super::renewal::Renewal;
use super::runtime::{Voice, runtime};
use super::settings::Settings;
use super::settings_check::check;
use super::skew::Skew;
use super::source::{self, Fetch, Origin};
use super::view::{Status, View};

/// A running session; clones are the same one, and it stops when the last clone goes.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// Starts a session, or joins the one of this process that has equal settings. Never waits for
    /// the network: given keys and tokens are there at once, all else comes a little later.
    ///
    /// # Errors
    /// Settings that cannot work, whatever the network says.
    pub fn open(settings: Settings) -> Result<Session, SettingsError> {
        check(&settings)?;
        let runtime = start_runtime()?;
        Ok(registry::join(&settings, || {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let skew = Skew::new(clock.clone());
            let origin = Origin::new(settings.clone(), skew.clone());
            Self::start(&settings, origin, clock, skew, runtime)
        }))
    }

    /// As [`Session::open`], with a source and a clock of the caller's; never shared.
    ///
    /// # Errors
    /// As [`Session::open`].
    #[doc(hidden)]
    pub fn open_with(
        settings: &Settings,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Session, SettingsError> {
        check(settings)?;
        let skew = Skew::new(clock.clone());
        Ok(Self::start(settings, fetch, clock, skew, start_runtime()?))
    }

    pub(super) fn start(
        settings: &Settings,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        skew: Skew,
        runtime: &Handle,
    ) -> Session {
        // Given keys that are to assume a role have to ask for it like all else.
        let given = source::given(&settings.source).filter(|_| settings.roles.is_empty());
        let mut course = Course::new(settings.refresh_before_expiry, given.is_some());
        if let Some(given) = given {
            course.fetched(given, clock.now(), 0.0);
        }
        let (sender, view) = watch::channel(course.view(clock.now()));
        let (asked, is_asked) = watch::channel(());
        let subscribers = Arc::new(Subscribers::default());
        let renewal = Renewal {
            fetch,
            clock,
            skew,
            course,
            view: sender,
            asked: is_asked,
            voice: Voice::here(),
            name: settings.source.describe(),
            last_attempt: None,
        };
        let voice = renewal.voice.clone();
        let tasks = [
            runtime.spawn(renewal.run()),
            runtime.spawn(tell(view.clone(), subscribers.clone(), voice)),
        ];
        Session {
            shared: Arc::new(Shared {
                view,
                asked,
                subscribers,
                tasks,
            }),
        }
    }

    /// How it stands. Cheap, never waits.
    #[must_use]
    pub fn view(&self) -> View {
        self.shared.view.borrow().clone()
    }

    /// Waits until there are credentials, or somebody has to act first, or `timeout` is over, and
    /// says how it stands then. Not for async code, which has [`Session::watch`].
    #[must_use]
    pub fn wait_ready(&self, timeout: Duration) -> View {
        let settled = |view: &View| view.lease.is_some() || view.status == Status::Failed;
        if !settled(&self.shared.view.borrow())
            && let Ok(runtime) = runtime()
        {
            let (done, settles) = mpsc::channel();
            let mut view = self.shared.view.clone();
            let waiting = runtime.spawn(async move {
                let _ = view.wait_for(settled).await;
                let _ = done.send(());
            });
            let _ = settles.recv_timeout(timeout);
            waiting.abort();
        }
        self.view()
    }

    /// For async code. It does not keep the session running.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<View> {
        self.shared.view.clone()
    }

    /// Calls `f` after each change, on a thread of the session's, with no lock held; changes that
    /// come faster than `f` returns are seen as one. Ends when the guard is dropped; a call that is
    /// under way then still ends.
    pub fn on_change(&self, f: impl Fn(&View) + Send + Sync + 'static) -> Subscription {
        let subscribers = &self.shared.subscribers;
        let id = subscribers.add(Arc::new(f));
        Subscription {
            subscribers: Arc::downgrade(subscribers),
            id,
        }
    }

    /// Asks the source now, whatever the schedule says: what is in use may have been refused, or
    /// what was wrong has been put right. Given keys and tokens have nobody to ask.
    pub fn renew_now(&self) {
        self.shared.asked.send_replace(());
    }

    pub(super) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    pub(super) fn upgrade(shared: &Weak<Shared>) -> Option<Session> {
        shared.upgrade().map(|shared| Session { shared })
    }
}

fn start_runtime() -> Result<&'static Handle, SettingsError> {
    runtime()
        .map(|runtime| runtime.handle())
        .map_err(|problem| SettingsError::new("credentials", problem))
}

/// Calls back until it is dropped.
#[derive(Debug)]
#[must_use = "the calls end when this is dropped"]
pub struct Subscription {
    subscribers: Weak<Subscribers>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(subscribers) = self.subscribers.upgrade() {
            subscribers.remove(self.id);
        }
    }
}

/// What the clones of a session share.
#[derive(Debug)]
pub(super) struct Shared {
    view: watch::Receiver<View>,
    asked: watch::Sender<()>,
    subscribers: Arc<Subscribers>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Shared {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        registry::forget_gone();
    }
}

type Callback = Arc<dyn Fn(&View) + Send + Sync>;

/// Who is called back.
#[derive(Default)]
struct Subscribers {
    list: Mutex<(u64, BTreeMap<u64, Callback>)>,
}

impl std::fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscribers({})", self.all().len())
    }
}

impl Subscribers {
    fn add(&self, callback: Callback) -> u64 {
        let (last, list) = &mut *self.list.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        list.insert(*last, callback);
        *last
    }

    fn remove(&self, id: u64) {
        let removed = self
            .list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .remove(&id);
        // What it holds may be the last of something that calls back here: not under the lock.
        drop(removed);
    }

    fn all(&self) -> Vec<Callback> {
        let list = &self.list.lock().unwrap_or_else(PoisonError::into_inner).1;
        list.values().cloned().collect()
    }
}

/// Calls everybody after each change. They may take their time, write files, post messages: it
/// happens on a thread for such things, and holds up no session's renewal.
async fn tell(mut view: watch::Receiver<View>, subscribers: Arc<Subscribers>, voice: Voice) {
    while view.changed().await.is_ok() {
        let view = view.borrow_and_update().clone();
        let (callbacks, voice) = (subscribers.all(), voice.clone());
        let calling = tokio::task::spawn_blocking(move || {
            voice.speak(|| {
                for callback in callbacks {
                    // One that panics says so by itself and takes nobody else along.
                    let _ = catch_unwind(AssertUnwindSafe(|| callback(&view)));
                }
            });
        });
        let _ = calling.await;
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
