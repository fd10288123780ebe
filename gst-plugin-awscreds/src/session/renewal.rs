// SPDX-License-Identifier: MPL-2.0
//! The background task of a session: asks, waits, asks again, until nobody holds the session.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::course::Course;
use super::error::{Error, ErrorKind};
use super::runtime::Voice;
use super::schedule;
use super::skew::Skew;
use super::source::{Answer, Fetch, Fetched};
use super::view::{Identity, LeaseSecret, Status, View};

/// The longest it sleeps without a look at the clock, which may have been set meanwhile.
const LOOK: Duration = Duration::from_secs(15);
/// A clock that went this far from where it should be was set.
const JUMP: Duration = Duration::from_secs(5);

/// What a session's task has.
pub struct Renewal {
    /// What is asked.
    pub fetch: Arc<dyn Fetch>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What is learnt of AWS's clock.
    pub skew: Skew,
    /// Where it stands.
    pub course: Course,
    /// Told of everything.
    pub view: watch::Sender<View>,
    /// Changes when somebody wants a renewal now.
    pub asked: watch::Receiver<()>,
    /// Where messages go.
    pub voice: Voice,
    /// For messages: whose credentials.
    pub name: String,
    /// When the source was asked last, on the steady clock.
    pub last_attempt: Option<Duration>,
}

/// Why the task woke up.
enum Wake {
    /// It is time to ask the source.
    Due,
    /// Something ended, or the clock may have been set.
    Look,
    /// The answer to who this is.
    Identity(Result<Identity, Error>),
}

impl Renewal {
    /// Never comes back; it ends when it is dropped.
    pub async fn run(mut self) {
        if self.course.lease().is_none() {
            self.renew().await;
        }
        let mut who = WhoAmI::default();
        loop {
            let slept_from = (self.clock.now(), self.clock.steady());
            match self.wait(&mut who).await {
                Wake::Due => self.renew().await,
                Wake::Look if self.clock_was_set(slept_from) => {
                    self.skew.forget();
                    self.renew().await;
                }
                Wake::Look => {}
                Wake::Identity(answer) => self.identified(answer, &mut who),
            }
            let (now, jitter) = (self.clock.now(), fastrand::f64());
            self.course.clock_offset(self.skew.offset(), now, jitter);
            self.course.expire(now);
            self.publish();
        }
    }

    /// One question to the source.
    async fn renew(&mut self) {
        if let Some(last) = self.last_attempt {
            let passed = self.clock.steady().saturating_sub(last);
            let pause = schedule::SHORTEST_PAUSE.saturating_sub(passed);
            self.clock.sleep(pause).await;
        }
        self.last_attempt = Some(self.clock.steady());
        // Whoever asked until now is answered by this one.
        self.asked.mark_unchanged();
        let answer = self.ask().await;
        let (now, jitter) = (self.clock.now(), fastrand::f64());
        self.course.clock_offset(self.skew.offset(), now, jitter);
        match answer {
            Ok(fetched) => self.course.fetched(fetched, now, jitter),
            Err(error) => self.course.failed(error, now, jitter),
        }
        self.publish();
    }

    /// In a task of its own: a library that panics is one failure, not the end of all renewals. It
    /// ends with this one.
    async fn ask(&self) -> Result<Fetched, Error> {
        let fetch = self.fetch.clone();
        let mut asking = JoinSet::new();
        asking.spawn(async move { fetch.fetch().await });
        match asking.join_next().await {
            Some(Ok(answer)) => answer,
            _ => Err(Error::temporary(
                "a fault of this program broke the question off",
            )),
        }
    }

    /// Until there is something to do.
    async fn wait(&mut self, who: &mut WhoAmI) -> Wake {
        let now = self.clock.now();
        let mut wake = Wake::Look;
        let mut until = now + LOOK;
        if let Some(due) = self.course.next()
            && due <= until
        {
            (wake, until) = (Wake::Due, due);
        }
        // When a lease ends there is something to say, even while nothing is due.
        if let Some(end) = self.course.expires_at()
            && end > now
            && end < until
        {
            (wake, until) = (Wake::Look, end);
        }
        self.ask_who_i_am(who, now);
        let pause = until.duration_since(now).unwrap_or_default();
        tokio::select! {
            biased;
            Ok(()) = self.asked.changed() => Wake::Due,
            answer = who.answer() => Wake::Identity(answer),
            () = self.clock.sleep(pause) => wake,
        }
    }

    /// Asks, if that is not known and not being asked already.
    fn ask_who_i_am(&self, who: &mut WhoAmI, now: SystemTime) {
        if who.asking.is_some() || who.not_before.is_some_and(|at| at > now) {
            return;
        }
        if let Some(lease) = self.course.lease().filter(|_| self.course.is_anonymous()) {
            let (fetch, lease) = (self.fetch.clone(), lease.clone());
            who.asking = Some(Box::pin(async move {
                match &lease.secret {
                    LeaseSecret::Aws(credentials) => fetch.identify(credentials).await,
                    LeaseSecret::Token(_) => Err(Error::temporary("a token says nothing of that")),
                }
            }));
        }
    }

    fn identified(&mut self, answer: Result<Identity, Error>, who: &mut WhoAmI) {
        who.asking = None;
        match answer {
            Ok(identity) => self.course.identified(identity),
            Err(error) => {
                let wait = schedule::retry_slowly(who.failures, fastrand::f64());
                who.failures = who.failures.saturating_add(1);
                who.not_before = Some(self.clock.now() + wait);
                // A network without STS does no harm to keys that need none.
                if error.kind != ErrorKind::Temporary {
                    self.course.refused(error);
                }
            }
        }
    }

    fn clock_was_set(&self, (then, steady_then): (SystemTime, Duration)) -> bool {
        let passed = self.clock.steady().saturating_sub(steady_then);
        let wanted = then + passed;
        let now = self.clock.now();
        let off = now
            .duration_since(wanted)
            .unwrap_or_else(|early| early.duration());
        off > JUMP
    }

    /// Tells everybody, if there is something new.
    fn publish(&self) {
        let view = self.course.view(self.clock.now());
        let before = self.view.borrow().clone();
        if before == view {
            return;
        }
        self.voice.speak(|| say(&self.name, &before, &view));
        self.view.send_replace(view);
    }
}

/// How the question who this is stands. It goes on over many looks at the clock.
#[derive(Default)]
struct WhoAmI {
    asking: Option<Answer<'static, Identity>>,
    failures: u32,
    not_before: Option<SystemTime>,
}

impl WhoAmI {
    /// The answer; never comes back while nothing is asked.
    async fn answer(&mut self) -> Result<Identity, Error> {
        match &mut self.asking {
            Some(asking) => asking.await,
            None => std::future::pending().await,
        }
    }
}

/// The session's own messages: one for each thing that changed.
fn say(name: &str, before: &View, now: &View) {
    if let Some(offset) = now.clock_offset
        && before.clock_offset.is_none()
    {
        tracing::warn!("credentials of {name}: {offset}; set it from the network (NTP)");
    }
    if let Some(error) = &now.error
        && before.error.as_ref() != Some(error)
    {
        tracing::warn!("credentials of {name}: {error}");
    }
    if now.status == Status::Expired && before.status != Status::Expired {
        tracing::warn!("credentials of {name} have expired");
    }
    if now.error.is_none() && before.error.is_some() {
        tracing::info!("credentials of {name} are good again");
    }
    if now.renewals > before.renewals {
        tracing::debug!(renewals = now.renewals, "credentials of {name} are new");
    }
    if let Some(identity) = &now.identity
        && before.identity.as_ref() != Some(identity)
    {
        tracing::info!("credentials of {name} are those of {}", identity.arn);
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
