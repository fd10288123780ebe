// SPDX-License-Identifier: MPL-2.0
//! From a clean start, over renewals: kvssink always finds what it needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tests::awscreds::launch::Launch;
use tests::awscreds::reader::Reader;
use tests::awscreds::rig::{Rig, SOURCE};

/// The file is not there, and a bin starts its sinks first. Roles live 45 s, so they are renewed
/// every 7 s, and the sink comes back for each.
#[test]
fn over_five_renewals_the_sink_never_misses_credentials() {
    let rig = Rig::start();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(45)));
    let reader = Reader::of(rig.file());
    let mut launch = Launch::start(&rig, &format!("{SOURCE} ! {}", rig.elements()), &[]);
    launch.wait_for("awscreds-refreshed", 6);
    launch.wait_for("kvssink-stand-in-rotated", 4);
    let seen = reader.seen();
    let (status, said) = launch.end(true);
    assert!(status.success(), "{said}");
    assert!(
        !said.contains("ERROR") && !said.contains("WARNING"),
        "{said}"
    );
    assert!(seen.bad.is_empty(), "{seen:?}");
    assert!(seen.reads >= 100_000, "{seen:?}");
    assert!(seen.keys.len() >= 6, "{seen:?}");
    println!(
        "{} reads, {} keys, nothing bad",
        seen.reads,
        seen.keys.len()
    );
}

#[test]
fn the_file_is_for_its_owner_only_and_nothing_lies_beside_it() {
    let rig = Rig::start();
    fs::create_dir(rig.folder.path().join("kvs")).expect("a folder to write to");
    let file = rig.folder.path().join("kvs/credentials");
    let line = format!(
        "{SOURCE} ! {} ! kvssink",
        rig.element().replace("/credentials", "/kvs/credentials")
    );
    let mut launch = Launch::start(&rig, &line, &[]);
    launch.wait_for("awscreds-refreshed", 1);
    let mode = fs::metadata(&file)
        .expect("it is written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = fs::read_dir(rig.folder.path().join("kvs"))
        .expect("a folder")
        .count();
    assert_eq!(beside, 1);
    assert!(launch.end(true).0.success());
}

/// Neither element is told of a path: the file is in a private folder, which goes with the element.
#[test]
fn without_any_path_it_works_all_the_same() {
    let rig = Rig::start();
    let file = format!("credential-path={}", rig.file().display());
    let line = format!("{SOURCE} ! {} ! kvssink", rig.element().replace(&file, ""));
    let run = rig.folder.path().join("run");
    fs::create_dir(&run).expect("a folder to write to");
    let mut launch = Launch::start(
        &rig,
        &line,
        &[("XDG_RUNTIME_DIR", &run.display().to_string())],
    );
    launch.wait_for("awscreds-refreshed", 1);
    let (status, said) = launch.end(true);
    assert!(status.success(), "{said}");
    let left: Vec<_> = fs::read_dir(&run)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with("awscreds")),
        "{left:?}"
    );
}
