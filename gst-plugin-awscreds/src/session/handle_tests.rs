// SPDX-License-Identifier: MPL-2.0
use std::fs;

use super::*;
use crate::session::secret::Secret;
use crate::session::settings::Source;
use crate::session::view::Credentials;

fn keys(id: &str) -> Settings {
    Settings {
        // Nobody listens there: whose the keys are stays unknown, and does no harm.
        endpoint_url: Some("http://127.0.0.1:1".into()),
        ..Settings::new(Source::Static {
            access_key_id: id.into(),
            secret_access_key: Secret::from("secret"),
            session_token: None,
        })
    }
}

/// A command that gives keys and leaves a line in `log` each time it runs.
fn counting(log: &std::path::Path) -> Settings {
    let keys = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SK","SessionToken":"ST",
        "Expiration":"2999-01-01T00:00:00Z"}"#;
    let command = format!("echo run >>'{}'; echo '{keys}'", log.display());
    Settings {
        endpoint_url: Some("http://127.0.0.1:1".into()),
        ..Settings::new(Source::Process { command })
    }
}

#[test]
fn given_keys_are_there_at_once() {
    let session = Session::open(keys("AKIAGIVEN")).unwrap();
    let view = session.view();
    assert_eq!(view.status, Status::Ready);
    assert_eq!(
        view.credentials(),
        Some(&Credentials {
            access_key_id: "AKIAGIVEN".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        })
    );
}

#[test]
fn equal_settings_share_one_session_and_one_question() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("runs");
    let sessions: Vec<Session> = (0..20)
        .map(|_| Session::open(counting(&log)).unwrap())
        .collect();
    for session in &sessions {
        let view = session.wait_ready(Duration::from_secs(60));
        assert_eq!(view.credentials().unwrap().access_key_id, "AK");
        assert!(Arc::ptr_eq(&session.shared, &sessions[0].shared));
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "run\n");
    let other = Session::open(keys("AKIAOTHER")).unwrap();
    assert!(!Arc::ptr_eq(&other.shared, &sessions[0].shared));
}

#[test]
fn a_session_that_has_gone_is_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("runs");
    for _ in 0..2 {
        let session = Session::open(counting(&log)).unwrap();
        assert!(session.wait_ready(Duration::from_secs(60)).lease.is_some());
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "run\nrun\n");
}

#[test]
fn settings_that_cannot_work_open_no_session() {
    let error = Session::open(keys(" ")).unwrap_err();
    assert_eq!(error.to_string(), "access_key_id: is empty");
}

#[test]
fn a_command_that_cannot_be_found_is_somebodys_to_put_right() {
    let settings = Settings::new(Source::Process {
        command: "there-is-no-such-command --secret hunter2".into(),
    });
    let view = Session::open(settings)
        .unwrap()
        .wait_ready(Duration::from_secs(60));
    assert_eq!((view.status, view.lease), (Status::Failed, None));
    let error = view.error.unwrap().to_string();
    assert!(
        error.contains("127") && error.contains("credential_process"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn waiting_ends_with_its_time_when_there_is_no_answer() {
    let settings = Settings::new(Source::Process {
        command: "sleep 1000".into(),
    });
    let session = Session::open(settings).unwrap();
    let view = session.wait_ready(Duration::from_millis(10));
    assert_eq!((view.status, view.lease), (Status::Starting, None));
}

#[test]
fn sessions_come_and_go_and_leave_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let open_and_close = |number: usize| {
        let log = folder.path().join(format!("runs-{number}"));
        let session = Session::open(counting(&log)).unwrap();
        let _subscription = session.on_change(|_| ());
        assert!(session.wait_ready(Duration::from_secs(60)).lease.is_some());
    };
    let open_files = || fs::read_dir("/proc/self/fd").unwrap().count();
    open_and_close(0);
    let before = open_files();
    (1..50).for_each(open_and_close);
    // Connections under way to where nobody listens may still be closing.
    for _ in 0..500 {
        if open_files() <= before {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{before} files were open, now {} are", open_files());
}
