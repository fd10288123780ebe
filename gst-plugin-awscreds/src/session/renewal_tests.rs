// SPDX-License-Identifier: MPL-2.0
//! What a session promises over hours, played in moments: tokio's time is paused and jumps to the
//! next thing that is due.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::*;
use crate::session::clock::Waiting;
use crate::session::handle::Session;
use crate::session::settings::{Settings, Source};
use crate::session::source::Expiry;
use crate::session::view::{ClockOffset, Credentials};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A wall clock that somebody may set.
#[derive(Debug)]
struct TestClock {
    start: Instant,
    set_seconds: AtomicI64,
}

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(TestClock {
            start: Instant::now(),
            set_seconds: AtomicI64::new(0),
        })
    }

    /// Time since the test began.
    fn passed(&self) -> Duration {
        self.start.elapsed()
    }
}

fn epoch() -> SystemTime {
    SystemTime::UNIX_EPOCH + 500_000 * HOUR
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        let set = ClockOffset {
            seconds: self.set_seconds.load(SeqCst),
        };
        set.aws_time(epoch() + self.passed())
    }

    fn sleep(&self, duration: Duration) -> Waiting {
        Box::pin(tokio::time::sleep(duration))
    }

    fn steady(&self) -> Duration {
        self.passed()
    }
}

type Script = Box<dyn Fn(Duration) -> Result<Duration, Error> + Send + Sync>;

/// Says, for the time that has passed, how long what it gives lives, or why it gives nothing.
struct Fake {
    script: Script,
    clock: Arc<TestClock>,
    skew: Skew,
    /// What AWS's clock shows more than the time that has passed.
    aws_ahead: Duration,
    questions: AtomicUsize,
    identity: Mutex<Result<Identity, Error>>,
}

impl Fetch for Fake {
    fn fetch(&self) -> Answer<'_, Fetched> {
        Box::pin(async {
            let number = self.questions.fetch_add(1, SeqCst) + 1;
            let aws_time = epoch() + self.clock.passed() + self.aws_ahead;
            let date = httpdate::fmt_http_date(aws_time);
            self.skew.learn(self.clock.now(), Some(&date));
            let lifetime = (self.script)(self.clock.passed())?;
            Ok(Fetched {
                secret: LeaseSecret::Aws(Credentials {
                    access_key_id: format!("number {number}"),
                    secret_access_key: "secret".into(),
                    session_token: None,
                }),
                expiry: Expiry::AwsTime(aws_time + lifetime),
            })
        })
    }

    fn identify<'a>(&'a self, _: &'a Credentials) -> Answer<'a, Identity> {
        Box::pin(async { self.identity.lock().unwrap().clone() })
    }
}

fn somebody() -> Identity {
    Identity {
        account: "123456789012".into(),
        arn: "arn:aws:sts::123456789012:assumed-role/uploader/camera".into(),
        user_id: "AROA:camera".into(),
    }
}

/// A session over a fake source, and everything it showed with the time at which it did.
struct Play {
    session: Session,
    fake: Arc<Fake>,
    clock: Arc<TestClock>,
    shown: Arc<Mutex<Vec<(Duration, View)>>>,
}

impl Play {
    fn of(script: impl Fn(Duration) -> Result<Duration, Error> + Send + Sync + 'static) -> Self {
        Self::with(script, |_| {})
    }

    fn with(
        script: impl Fn(Duration) -> Result<Duration, Error> + Send + Sync + 'static,
        change: impl FnOnce(&mut Fake),
    ) -> Self {
        let clock = TestClock::new();
        let skew = Skew::new(clock.clone());
        let mut fake = Fake {
            script: Box::new(script),
            clock: clock.clone(),
            skew: skew.clone(),
            aws_ahead: Duration::ZERO,
            questions: AtomicUsize::new(0),
            identity: Mutex::new(Ok(somebody())),
        };
        change(&mut fake);
        let fake = Arc::new(fake);
        let settings = Settings::new(Source::Chain);
        let handle = Handle::current();
        let session = Session::start(&settings, fake.clone(), clock.clone(), skew, &handle);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (list, watched, mut watch) = (shown.clone(), clock.clone(), session.watch());
        tokio::spawn(async move {
            while watch.changed().await.is_ok() {
                let view = watch.borrow_and_update().clone();
                list.lock().unwrap().push((watched.passed(), view));
            }
        });
        Play {
            session,
            fake,
            clock,
            shown,
        }
    }

    /// Lets time pass.
    async fn until(&self, passed: Duration) {
        tokio::time::sleep(passed.saturating_sub(self.clock.passed())).await;
    }

    fn questions(&self) -> usize {
        self.fake.questions.load(SeqCst)
    }

    fn shown(&self) -> Vec<(Duration, View)> {
        self.shown.lock().unwrap().clone()
    }

    fn was(&self, status: Status) -> bool {
        self.shown().iter().any(|(_, view)| view.status == status)
    }
}

fn down() -> Error {
    Error::temporary("STS is down")
}

#[tokio::test(start_paused = true)]
async fn a_day_of_hourly_credentials_is_without_a_gap_and_with_a_margin() {
    let play = Play::of(|_| Ok(HOUR));
    play.until(24 * HOUR).await;
    let shown = play.shown();
    for (at, view) in &shown {
        let lease = view.lease.as_ref().expect("there are credentials all day");
        let left = lease
            .expires_at
            .unwrap()
            .duration_since(epoch() + *at)
            .unwrap();
        assert!(left >= 19 * MINUTE, "{left:?} left at {at:?}");
    }
    // One question per renewal, and a renewal no more often than every 38 minutes.
    let renewals = shown.last().unwrap().1.renewals;
    assert_eq!(play.questions() as u64, renewals);
    assert!(
        (36..=38).contains(&renewals),
        "{renewals} renewals in a day"
    );
}

#[tokio::test(start_paused = true)]
async fn sts_may_be_down_for_longer_than_one_renewal() {
    let outage = 35 * MINUTE..55 * MINUTE;
    let play = Play::of(move |passed| {
        if outage.contains(&passed) {
            Err(down())
        } else {
            Ok(HOUR)
        }
    });
    play.until(54 * MINUTE).await;
    let view = play.session.view();
    assert_eq!(view.status, Status::Retrying);
    assert_eq!(view.error.as_deref(), Some(&down()));
    assert_eq!(view.credentials().unwrap().access_key_id, "number 1");
    play.until(56 * MINUTE).await;
    let view = play.session.view();
    assert_eq!(
        (view.status, view.renewals, view.error),
        (Status::Ready, 2, None)
    );
    assert!(play.shown().iter().all(|(_, view)| view.lease.is_some()));
}

#[tokio::test(start_paused = true)]
async fn old_credentials_are_used_until_they_truly_end_and_no_longer() {
    let play = Play::of(|passed| {
        if passed < MINUTE || passed > 2 * HOUR {
            Ok(HOUR)
        } else {
            Err(down())
        }
    });
    play.until(HOUR - Duration::from_secs(1)).await;
    assert!(play.session.view().lease.is_some());
    play.until(HOUR + Duration::from_secs(1)).await;
    let view = play.session.view();
    assert_eq!((view.status, view.lease), (Status::Expired, None));
    assert!(view.error.is_some());
    // It never stops trying, and comes back by itself.
    play.until(2 * HOUR + MINUTE).await;
    assert_eq!(play.session.view().status, Status::Ready);
    // With backoff: at most one question in 15 s, once it has settled.
    assert!(play.questions() < 500, "{} questions", play.questions());
}

#[tokio::test(start_paused = true)]
async fn a_library_that_panics_is_a_failure_like_any_other() {
    let play = Play::of(|passed| {
        assert!(passed > MINUTE, "a source that panics, on purpose");
        Ok(HOUR)
    });
    play.until(MINUTE / 2).await;
    let view = play.session.view();
    assert_eq!(
        (view.status, view.error.is_some()),
        (Status::Starting, true)
    );
    play.until(2 * MINUTE).await;
    assert_eq!(play.session.view().status, Status::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_said_at_once_and_retried_slowly() {
    let denied = Error::user("access denied", "allow it");
    let said = denied.clone();
    let play = Play::of(move |passed| {
        if passed < HOUR {
            Err(said.clone())
        } else {
            Ok(HOUR)
        }
    });
    play.until(Duration::from_secs(1)).await;
    let view = play.session.view();
    assert_eq!(
        (view.status, view.error.as_deref()),
        (Status::Failed, Some(&denied))
    );
    play.until(HOUR).await;
    assert!(
        (10..40).contains(&play.questions()),
        "{} questions",
        play.questions()
    );
    // Put right, it is found out without anybody's doing.
    play.until(HOUR + 6 * MINUTE).await;
    assert_eq!(play.session.view().status, Status::Ready);
    assert!(
        !play.was(Status::Expired),
        "there was nothing that could expire"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_ten_minutes_slow_is_noticed_and_reckoned_with() {
    let play = Play::with(|_| Ok(HOUR), |fake| fake.aws_ahead = 10 * MINUTE);
    play.until(Duration::from_secs(1)).await;
    let view = play.session.view();
    assert_eq!(view.clock_offset, Some(ClockOffset { seconds: 600 }));
    assert_eq!(view.lease.unwrap().expires_at, Some(epoch() + HOUR));
    // An hour by any clock: renewed in time on ours.
    play.until(10 * HOUR).await;
    assert!(
        play.shown()
            .iter()
            .all(|(_, view)| view.status == Status::Ready)
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_while_a_session_runs_is_noticed() {
    let play = Play::of(|_| Ok(HOUR));
    play.until(10 * MINUTE).await;
    assert_eq!(
        (play.questions(), play.session.view().clock_offset),
        (1, None)
    );
    play.clock.set_seconds.store(-3600, SeqCst);
    play.until(11 * MINUTE).await;
    let view = play.session.view();
    assert_eq!(view.clock_offset, Some(ClockOffset { seconds: 3600 }));
    assert_eq!((view.status, play.questions()), (Status::Ready, 2));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_asked_for_comes_at_once_and_a_hundred_are_one() {
    let play = Play::of(|_| Ok(HOUR));
    play.until(MINUTE).await;
    for _ in 0..100 {
        play.session.renew_now();
    }
    play.until(MINUTE + Duration::from_secs(2)).await;
    assert_eq!((play.questions(), play.session.view().renewals), (2, 2));
    // Somebody who asks without end is answered once a second.
    for second in 0..60 {
        play.session.renew_now();
        play.until(2 * MINUTE + Duration::from_millis(second * 100))
            .await;
    }
    assert!(
        play.questions() <= 2 + 7 + 1,
        "{} questions in 6 s",
        play.questions()
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_holds_asks_nothing() {
    let play = Play::of(|_| Ok(HOUR));
    play.until(MINUTE).await;
    let Play {
        session,
        fake,
        clock,
        ..
    } = play;
    let clone = session.clone();
    drop(session);
    tokio::time::sleep(HOUR).await;
    assert!(fake.questions.load(SeqCst) > 1, "the clone keeps it");
    drop(clone);
    tokio::time::sleep(MINUTE).await;
    let before = fake.questions.load(SeqCst);
    tokio::time::sleep(10 * HOUR).await;
    assert_eq!(fake.questions.load(SeqCst), before);
    assert!(clock.passed() > 11 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn it_is_found_out_whose_credentials_they_are_without_holding_anything_up() {
    let unknown = Err(Error::temporary("no way to STS"));
    let play = Play::with(|_| Ok(HOUR), |fake| fake.identity = Mutex::new(unknown));
    play.until(MINUTE).await;
    let view = play.session.view();
    assert_eq!(
        (view.status, view.identity, view.error),
        (Status::Ready, None, None)
    );
    *play.fake.identity.lock().unwrap() = Ok(somebody());
    play.until(10 * MINUTE).await;
    assert_eq!(play.session.view().identity, Some(somebody()));
    assert_eq!(play.questions(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_is_called_and_one_that_panics_takes_nobody_along() {
    let play = Play::of(|_| Ok(HOUR));
    let calls = Arc::new(AtomicUsize::new(0));
    let count = |calls: &Arc<AtomicUsize>| {
        let calls = calls.clone();
        move |view: &View| {
            assert!(view.lease.is_some());
            calls.fetch_add(1, SeqCst);
        }
    };
    let _broken = play
        .session
        .on_change(|_| panic!("a subscriber that panics, on purpose"));
    let counting = play.session.on_change(count(&calls));
    play.until(2 * HOUR).await;
    let before = calls.load(SeqCst);
    assert!(before >= 3, "{before} calls in two hours");
    drop(counting);
    play.until(4 * HOUR).await;
    assert_eq!(calls.load(SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_may_hold_up_others_but_no_renewal() {
    let play = Play::of(|_| Ok(HOUR));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let _slow = play.session.on_change(move |_| {
        let _ = held.lock().unwrap().recv();
    });
    let mut watch = play.session.watch();
    play.session.renew_now();
    // With a thread busy, paused time stands still: what comes now comes without waiting.
    while watch.borrow_and_update().renewals < 1 {
        watch.changed().await.unwrap();
    }
    drop(release);
}
