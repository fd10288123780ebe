// SPDX-License-Identifier: MPL-2.0
//! Bad days: each is said, and the stream lives on where AWS would let it.

use std::fs;
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use tests::awscreds::launch::{Launch, Pipeline};
use tests::awscreds::rig::{ROLE, Rig, SOURCE};
use tests::disk::{Disk, in_own_namespace};
use tests::kvssink::file;

/// Waits until something holds; tests of faults wait for what the element does in real time.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: it did not come");
}

fn starts_with_error(rig: &Rig, pipeline: &Pipeline) -> String {
    assert!(
        pipeline.pipeline.set_state(gst::State::Playing).is_err(),
        "it starts"
    );
    assert!(!rig.file().exists(), "there is a file");
    pipeline.error()
}

/// Roles live 100 s and are renewed every 17 s; STS is away for two of these, and more.
#[test]
fn while_sts_is_away_the_same_credentials_are_declared_longer_and_then_renewed() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(100)));
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let read = || file::read(&rig.file(), SystemTime::now()).expect("kvssink can read it");
    let first = read();
    rig.front.set(|mood| mood.down = true);
    let failed = pipeline.wait_for("awscreds-failed");
    assert_eq!(failed.get::<&str>("kind"), Ok("temporary"));
    assert_eq!(failed.get::<&str>("status"), Ok("retrying"));
    assert!(
        failed
            .get::<u64>("seconds-left")
            .is_ok_and(|left| left > 30),
        "{failed}"
    );
    until("a later expiry", || read().expiration > first.expiration);
    assert_eq!(read().access_key_id, first.access_key_id);
    let expiring = pipeline.wait_for("awscreds-expiring");
    assert_eq!(expiring.get::<bool>("restart"), Ok(false));
    rig.front.set(|mood| mood.down = false);
    until("new credentials", || {
        read().access_key_id != first.access_key_id
    });
    until("ready again", || {
        pipeline
            .element("creds")
            .property_value("status")
            .serialize()
            .is_ok_and(|status| status == "ready")
    });
    let (frames, _) = pipeline.standing();
    until("frames", || pipeline.standing().0 > frames);
}

#[test]
fn without_a_network_a_start_fails_after_start_timeout_and_says_so() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front.set(|mood| mood.silent = true);
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    pipeline
        .element("creds")
        .set_property("start-timeout", 1_u32);
    let error = starts_with_error(&rig, &pipeline);
    assert!(
        error.contains("no credentials within 1 s") && error.contains("start-timeout"),
        "{error}"
    );
    assert_eq!(pipeline.element("kvs").current_state(), gst::State::Null);
    // The network is back: the same pipeline starts.
    rig.front.set(|mood| mood.silent = false);
    pipeline
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    pipeline
        .element("creds")
        .set_property("start-timeout", 60_u32);
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    until("frames", || pipeline.standing().0 > 0);
}

/// As after a crash while STS is away: the runner starts the pipeline again.
#[test]
fn without_a_network_a_start_uses_what_an_earlier_run_left() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    pipeline
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    rig.front.set(|mood| mood.down = true);
    pipeline
        .element("creds")
        .set_property("start-timeout", 1_u32);
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    until("frames", || pipeline.standing().0 > 0);
    rig.front.set(|mood| mood.down = false);
    let refreshed = pipeline.wait_for("awscreds-refreshed");
    assert_eq!(refreshed.get::<&str>("delivery"), Ok("file"));
}

#[test]
fn a_refusal_at_the_start_is_an_error_with_what_to_do() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front.set(|mood| mood.refusing = true);
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    let error = starts_with_error(&rig, &pipeline);
    assert!(
        error.contains(ROLE) && error.contains("sts:AssumeRole"),
        "{error}"
    );
}

#[test]
fn a_refusal_later_is_told_at_once_and_the_stream_lives_on() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(60)));
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    rig.front.set(|mood| mood.refusing = true);
    let failed = pipeline.wait_for("awscreds-failed");
    assert_eq!(failed.get::<&str>("kind"), Ok("user"));
    assert!(
        failed
            .get::<String>("remedy")
            .is_ok_and(|remedy| !remedy.is_empty()),
        "{failed}"
    );
    let (frames, _) = pipeline.standing();
    until("frames", || pipeline.standing().0 > frames);
}

#[test]
fn a_clock_that_is_ten_minutes_wrong_is_told_and_allowed_for() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front
        .set(|mood| mood.clock_ahead = Duration::from_secs(600));
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let failed = pipeline.wait_for("awscreds-failed");
    assert_eq!(failed.get::<&str>("kind"), Ok("clock"));
    let reason: String = failed.get("reason").expect("a reason");
    assert!(reason.contains("behind AWS's"), "{reason}");
    // They live 15 minutes, not the 25 that the answer would mean on this clock.
    let read = file::read(&rig.file(), SystemTime::now()).expect("kvssink can read it");
    assert!(read.expiration <= SystemTime::now() + Duration::from_secs(15 * 60));
}

#[test]
fn a_token_that_is_too_long_for_kvssink_is_said_before_kvssink_starts() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front.set(|mood| mood.token_length = Some(2048));
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    let error = starts_with_error(&rig, &pipeline);
    assert!(
        error.contains("session token") && error.contains("2047"),
        "{error}"
    );

    rig.front.set(|mood| mood.token_length = Some(2047));
    pipeline
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("the longest token that fits");
}

#[test]
fn a_folder_that_goes_and_comes_back_costs_nothing() {
    let rig = Rig::start();
    rig.set_environment();
    let folder = rig.folder.path().join("kvs");
    fs::create_dir(&folder).expect("a folder to write to");
    let file = folder.join("credentials");
    let elements = rig.elements().replace("/credentials", "/kvs/credentials");
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {elements}"));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    // At once, as an unmounted disk: what is removed file by file is written again meanwhile.
    fs::rename(&folder, rig.folder.path().join("gone")).expect("it is there");
    let failed = pipeline.wait_for("awscreds-failed");
    assert_eq!(failed.get::<&str>("kind"), Ok("delivery"));
    let reason: String = failed.get("reason").expect("a reason");
    assert!(reason.contains(&*folder.to_string_lossy()), "{reason}");
    fs::create_dir(&folder).expect("a folder to write to");
    until("the file", || file::read(&file, SystemTime::now()).is_ok());
    let (frames, _) = pipeline.standing();
    until("frames", || pipeline.standing().0 > frames);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let rig = Rig::start();
    rig.set_environment();
    let elements = rig
        .elements()
        .replace("/credentials", "/nowhere/credentials");
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {elements}"));
    let error = starts_with_error(&rig, &pipeline);
    assert!(error.contains("create the folder"), "{error}");
}

#[test]
fn a_full_disk_is_told_and_the_file_is_written_when_there_is_room() {
    in_own_namespace(
        "faults::a_full_disk_is_told_and_the_file_is_written_when_there_is_room",
        || {
            let rig = Rig::start();
            rig.set_environment();
            rig.front
                .set(|mood| mood.lifetime = Some(Duration::from_secs(60)));
            let disk = Disk::mount(256 * 1024);
            let path = disk.path().join("credentials");
            let elements = rig
                .elements()
                .replace(&*rig.file().to_string_lossy(), &path.to_string_lossy());
            let pipeline = Pipeline::parse(&format!("{SOURCE} ! {elements}"));
            pipeline
                .pipeline
                .set_state(gst::State::Playing)
                .expect("it starts");
            let first = file::read(&path, SystemTime::now()).expect("kvssink can read it");
            disk.fill();
            let failed = pipeline.wait_for("awscreds-failed");
            let reason: String = failed.get("reason").expect("a reason");
            assert!(reason.contains("make room"), "{reason}");
            let read = file::read(&path, SystemTime::now()).expect("the old file is whole");
            assert_eq!(read.access_key_id, first.access_key_id);
            disk.make_room();
            until("the new file", || {
                file::read(&path, SystemTime::now())
                    .is_ok_and(|read| read.access_key_id != first.access_key_id)
            });
        },
    );
}

#[test]
fn variables_that_make_kvssink_ignore_the_file_are_named() {
    let rig = Rig::start();
    let line = format!("{SOURCE} ! {}", rig.elements());
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIASHADOW"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let mut launch = Launch::start(&rig, &line, &keys);
    launch.wait_for("WARNING", 1);
    let (_, said) = launch.end(true);
    assert!(said.contains("the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set: kvs takes those keys"), "{said}");

    let empty = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let (status, said) = Launch::start(&rig, &line, &empty).end(false);
    assert!(
        !status.success() && said.contains("env -u AWS_ACCESS_KEY_ID"),
        "{said}"
    );
}
