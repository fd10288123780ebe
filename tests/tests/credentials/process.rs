// SPDX-License-Identifier: MPL-2.0
//! `credential_process`.

use std::fs;

use gstawscreds::session::{ErrorKind, Session, Settings, Source, Status};

use crate::{LONG, settled, wait_for};

fn process(command: &str) -> Settings {
    Settings {
        // Nobody listens there: whose the keys are stays unknown, and does no harm.
        endpoint_url: Some("http://127.0.0.1:1".into()),
        ..Settings::new(Source::Process {
            command: command.into(),
        })
    }
}

#[test]
fn what_a_command_prints_is_used_until_it_ends() {
    let keys = r#"{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"process-secret",
        "SessionToken":"process-token","Expiration":"2999-01-01T00:00:00Z"}"#;
    let view = settled(process(&format!("echo '{keys}'")));
    assert_eq!(view.status, Status::Ready);
    assert_eq!(view.credentials().unwrap().access_key_id, "ASIAPROCESS");
    assert!(view.lease.unwrap().expires_at.is_some() && view.next_renewal.is_some());
}

#[test]
fn a_command_that_fails_is_quoted_by_what_it_said_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    let keys = r#"{"Version":1,"AccessKeyId":"AKIALATE","SecretAccessKey":"late-secret"}"#;
    let command = format!(
        "test -e '{}' || {{ echo 'the vault is closed' >&2; exit 3; }}; echo '{keys}'",
        open.display()
    );
    let session = Session::open(process(&command)).unwrap();
    let view = wait_for(&session, "a failure", |view| view.error.is_some());
    let error = view.error.unwrap();
    assert_eq!(
        (view.status, error.kind),
        (Status::Starting, ErrorKind::Temporary)
    );
    assert!(error.message.contains("the vault is closed"), "{error}");
    fs::write(&open, "").unwrap();
    let view = session.wait_ready(LONG);
    assert_eq!(view.credentials().unwrap().access_key_id, "AKIALATE");
}

#[test]
fn a_command_that_prints_something_else_is_somebodys_to_correct_and_is_not_quoted() {
    for printed in [
        "AKIAWRONG wrong-secret",
        r#"{"SecretAccessKey":"wrong-secret"}"#,
        "",
    ] {
        let view = settled(process(&format!("echo '{printed}'")));
        assert_eq!(view.status, Status::Failed);
        let error = view.error.unwrap().to_string();
        assert!(error.contains("credential_process asks for"), "{error}");
        assert!(
            !error.contains("wrong-secret") && !error.contains("AKIA"),
            "{error}"
        );
    }
}

#[test]
fn credentials_that_come_expired_are_said_to_be() {
    let keys = r#"{"Version":1,"AccessKeyId":"ASIAOLD","SecretAccessKey":"old-secret",
        "SessionToken":"old-token","Expiration":"2020-01-01T00:00:00Z"}"#;
    let session = Session::open(process(&format!("echo '{keys}'"))).unwrap();
    let view = wait_for(&session, "a failure", |view| view.error.is_some());
    assert_eq!(view.lease, None);
    let error = view.error.unwrap().to_string();
    assert!(error.contains("have expired; log in again"), "{error}");
}

#[test]
fn a_command_that_hangs_ends_with_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // The shell's child, not the shell: nobody waits for that one but us.
    let command = format!("sleep 1000 & echo $! >'{}'; wait", file.display());
    let session = Session::open(process(&command)).unwrap();
    let pid = wait_until("the command starts", || {
        let text = fs::read_to_string(&file).ok()?;
        text.ends_with('\n').then(|| text.trim().to_string())
    });
    drop(session);
    wait_until("the command ends", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Gone, or dead and not yet collected by whoever adopted it.
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

fn wait_until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2_000 {
        if let Some(result) = done() {
            return result;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("in vain: {what}");
}
