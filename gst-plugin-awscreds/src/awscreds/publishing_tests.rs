// SPDX-License-Identifier: MPL-2.0
//! Hours of renewals, failures and lost files, played without waiting.

use std::path::PathBuf;

use crate::session::{ClockOffset, Credentials};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// 2026-11-20T10:31:00Z.
fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 1_795_170_660 * SECOND
}

fn lease(key: &str, lifetime: Option<Duration>, token: Option<&str>) -> Arc<Lease> {
    Arc::new(Lease {
        secret: LeaseSecret::Aws(Credentials {
            access_key_id: key.into(),
            secret_access_key: "secret".into(),
            session_token: token.map(Into::into),
        }),
        obtained_at: start(),
        expires_at: lifetime.map(|lifetime| start() + lifetime),
    })
}

/// Credentials of 15 minutes that are renewed after 10.
fn ready(key: &str) -> View {
    View {
        status: Status::Ready,
        lease: Some(lease(key, Some(900 * SECOND), Some("token"))),
        renewals: 1,
        next_renewal: Some(start() + 600 * SECOND),
        ..View::starting()
    }
}

/// A renewal failed at `now`, and the next attempt is half a minute later.
fn retrying(view: &View, now: SystemTime) -> View {
    View {
        status: Status::Retrying,
        next_renewal: Some(now + 30 * SECOND),
        error: Some(Arc::new(Error::temporary("STS does not answer"))),
        ..view.clone()
    }
}

struct Rig {
    folder: tempfile::TempDir,
    publishing: Publishing,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvs/credentials");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let publishing = Publishing::new(Route::File {
            path,
            _folder: None,
        });
        Self { folder, publishing }
    }

    fn started(view: &View) -> Self {
        let mut rig = Self::new();
        rig.publishing.first(view, start()).unwrap();
        rig
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("kvs/credentials")
    }

    /// Whose credentials are in the file, and how long after the start they are said to end.
    fn file(&self) -> (String, Option<Duration>) {
        let text = fs::read_to_string(self.path()).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        let expiry = (words.len() == 5).then(|| {
            let expiry: jiff::Timestamp = words[2].parse().unwrap();
            SystemTime::from(expiry).duration_since(start()).unwrap()
        });
        (words[1].to_owned(), expiry)
    }

    fn step(&mut self, view: &View, second: u32) -> Vec<Notice> {
        self.publishing.step(view, start() + second * SECOND).0
    }
}

fn is_failure(notice: &Notice, wanted: &str) -> bool {
    matches!(notice, Notice::Failed { kind, .. } if *kind == wanted)
}

#[test]
fn the_first_file_declares_a_minute_after_the_next_renewal() {
    let mut rig = Rig::new();
    let notices = rig.publishing.first(&ready("A"), start()).unwrap();
    assert_eq!(rig.file(), ("A".into(), Some(660 * SECOND)));
    let declared = Some(start() + 660 * SECOND);
    assert_eq!(notices, [Notice::Refreshed { declared }]);
    assert_eq!(rig.publishing.expiry(), Some(start() + 900 * SECOND));
}

#[test]
fn renewed_credentials_are_in_the_file_at_once() {
    let mut rig = Rig::started(&ready("A"));
    assert_eq!(rig.step(&ready("A"), 599), []);
    let notices = rig.step(&ready("B"), 600);
    assert!(
        matches!(notices[..], [Notice::Refreshed { .. }]),
        "{notices:?}"
    );
    assert_eq!(rig.file().0, "B");
}

/// kvssink may read from 38 s before the expiry it knows on, and wants 30 s to be left.
#[test]
fn while_renewals_fail_the_same_credentials_are_declared_longer_until_their_true_end() {
    let mut rig = Rig::started(&ready("A"));
    let mut known = rig.file().1.unwrap();
    for second in 600..862 {
        let now = second * SECOND;
        let view = retrying(&ready("A"), start() + now);
        rig.step(&view, second);
        let declared = rig.file().1.unwrap();
        assert!(
            declared <= 900 * SECOND,
            "{declared:?} is after the true end"
        );
        // The most careless kvssink: it reads as early as it may, and as late.
        if now + 38 * SECOND > known {
            assert!(
                declared > known || known == 900 * SECOND,
                "nothing new at {second} s"
            );
            assert!(
                declared >= now + 33 * SECOND || declared == 900 * SECOND,
                "too short at {second} s"
            );
            known = declared;
        }
    }
    assert_eq!(known, 900 * SECOND);
}

#[test]
fn after_the_true_end_nothing_is_written_again() {
    let mut rig = Rig::started(&ready("A"));
    let expired = View {
        status: Status::Expired,
        lease: None,
        ..retrying(&ready("A"), start() + 900 * SECOND)
    };
    fs::remove_file(rig.path()).unwrap();
    rig.step(&expired, 901);
    assert!(!rig.path().exists());
}

#[test]
fn a_failure_is_told_once_and_again_when_it_is_another() {
    let mut rig = Rig::started(&ready("A"));
    let view = retrying(&ready("A"), start() + 600 * SECOND);
    assert!(
        rig.step(&view, 600)
            .iter()
            .any(|notice| is_failure(notice, "temporary"))
    );
    let again = rig.step(&view, 601);
    assert!(
        !again.iter().any(|notice| is_failure(notice, "temporary")),
        "{again:?}"
    );
    let refused = View {
        status: Status::Failed,
        error: Some(Arc::new(Error::user("access denied", "allow it"))),
        ..view
    };
    assert!(
        rig.step(&refused, 602)
            .iter()
            .any(|notice| is_failure(notice, "user"))
    );
}

#[test]
fn the_end_is_announced_in_steps_and_only_where_nothing_newer_came() {
    let mut rig = Rig::started(&ready("A"));
    let mut alarms = Vec::new();
    for second in 0..899 {
        let view = match second {
            0..600 => ready("A"),
            _ => retrying(&ready("A"), start() + second * SECOND),
        };
        let expiring = |notice: &Notice| matches!(notice, Notice::Expiring { restart: false, .. });
        if rig.step(&view, second).iter().any(expiring) {
            alarms.push(900 - second);
        }
    }
    assert_eq!(alarms, [300, 120, 60, 30]);
    let notices = rig.step(&ready("B"), 899);
    assert!(
        matches!(notices[..], [Notice::Refreshed { .. }]),
        "{notices:?}"
    );
}

#[test]
fn a_file_that_was_removed_is_there_again() {
    let mut rig = Rig::started(&ready("A"));
    fs::remove_file(rig.path()).unwrap();
    assert_eq!(rig.step(&ready("A"), 2), []);
    assert_eq!(rig.file(), ("A".into(), Some(660 * SECOND)));
    fs::write(rig.path(), "somebody else's").unwrap();
    rig.step(&ready("A"), 4);
    assert_eq!(rig.file().0, "A");
}

#[test]
fn a_folder_that_was_removed_is_told_once_and_written_to_when_it_is_back() {
    let mut rig = Rig::started(&ready("A"));
    fs::remove_dir_all(rig.path().parent().unwrap()).unwrap();
    let notices = rig.step(&ready("A"), 2);
    let [
        Notice::Failed {
            kind: "delivery",
            reason,
            ..
        },
    ] = &notices[..]
    else {
        panic!("{notices:?}")
    };
    assert!(reason.contains("create the folder"), "{reason}");
    assert_eq!(rig.step(&ready("A"), 4), []);
    fs::create_dir(rig.path().parent().unwrap()).unwrap();
    let notices = rig.step(&ready("A"), 6);
    assert!(
        matches!(notices[..], [Notice::Refreshed { .. }]),
        "{notices:?}"
    );
    assert_eq!(rig.file().0, "A");
}

#[test]
fn a_token_that_kvssink_cannot_take_is_refused_and_the_old_credentials_live_on() {
    let mut rig = Rig::started(&ready("A"));
    let long = View {
        lease: Some(lease("B", Some(1800 * SECOND), Some(&"t".repeat(2048)))),
        next_renewal: Some(start() + 1200 * SECOND),
        ..ready("A")
    };
    let notices = rig.step(&long, 600);
    let [
        Notice::Failed {
            kind: "delivery",
            reason,
            ..
        },
    ] = &notices[..]
    else {
        panic!("{notices:?}")
    };
    assert!(
        reason.contains("session token") && reason.contains("2047"),
        "{reason}"
    );
    for second in 601..640 {
        rig.step(&long, second);
    }
    assert_eq!(rig.file(), ("A".into(), Some(900 * SECOND)));
}

#[test]
fn what_expires_is_refused_as_properties_unless_the_target_is_restarted() {
    let route = |restarted| Route::Properties {
        targets: Vec::new(),
        restarted,
    };
    let refused = Publishing::new(route(false)).first(&ready("A"), start());
    assert!(
        matches!(refused, Err(DeliveryError::Refused(text)) if text.contains("target-is-restarted"))
    );
    let lasting = View {
        lease: Some(lease("A", None, None)),
        next_renewal: None,
        ..ready("A")
    };
    assert!(
        Publishing::new(route(false))
            .first(&lasting, start())
            .is_ok()
    );

    let mut restarted = Publishing::new(route(true));
    restarted.first(&ready("A"), start()).unwrap();
    let (notices, _) = restarted.step(&ready("B"), start() + 600 * SECOND);
    let expiry = start() + 900 * SECOND;
    assert!(
        notices.contains(&Notice::Expiring {
            expiry,
            restart: true
        }),
        "{notices:?}"
    );
}

#[test]
fn what_expires_is_refused_in_the_environment() {
    let refused = Publishing::new(Route::Environment).first(&ready("A"), start());
    assert!(matches!(refused, Err(DeliveryError::Refused(text)) if text.contains("delivery=file")));
}

#[test]
fn keys_that_last_are_written_without_an_expiry_and_never_expire() {
    let lasting = View {
        lease: Some(lease("A", None, None)),
        next_renewal: None,
        ..ready("A")
    };
    let mut rig = Rig::started(&lasting);
    assert_eq!(rig.file(), ("A".into(), None));
    assert_eq!(rig.step(&lasting, 100_000), []);
}

#[test]
fn a_wrong_clock_is_told_once() {
    let late = View {
        clock_offset: Some(ClockOffset { seconds: 600 }),
        ..ready("A")
    };
    let mut rig = Rig::started(&ready("A"));
    let notices = rig.step(&late, 1);
    let [
        Notice::Failed {
            kind: "clock",
            reason,
            ..
        },
    ] = &notices[..]
    else {
        panic!("{notices:?}")
    };
    assert!(reason.contains("600 s behind"), "{reason}");
    assert_eq!(rig.step(&late, 2), []);
}
