// SPDX-License-Identifier: MPL-2.0
//! No secret is in a log at any level, in a message or in a graph.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tests::awscreds::launch::Launch;
use tests::awscreds::rig::{BASE_SECRET, Rig, SOURCE};

/// All secrets that the file has held while `watched` ran.
fn secrets(rig: &Rig, watched: impl FnOnce()) -> BTreeSet<String> {
    let (path, stop) = (rig.file(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut secrets = BTreeSet::from([BASE_SECRET.to_owned()]);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let words: Vec<&str> = text.split_whitespace().collect();
                if let [_, _, _, secret, token] = words[..] {
                    secrets.extend([secret.to_owned(), token.to_owned()]);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            secrets
        });
        watched();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reading.join().expect("reading does not panic")
    })
}

#[test]
fn no_secret_is_in_a_log_at_the_highest_level_or_in_a_message_or_in_a_graph() {
    let rig = Rig::start();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(45)));
    let graphs = rig.folder.path().join("graphs");
    fs::create_dir(&graphs).expect("a folder to write to");
    let log = rig.folder.path().join("log");
    let variables = [
        ("GST_DEBUG", "9"),
        ("GST_DEBUG_FILE", &*log.to_string_lossy()),
        ("GST_DEBUG_DUMP_DOT_DIR", &*graphs.to_string_lossy()),
        ("RUST_LOG", "trace"),
    ];
    // One frame in a second: GStreamer writes a lot for each.
    let source = SOURCE.replace("25/1", "1/1");
    let mut launch = Launch::start(&rig, &format!("{source} ! {}", rig.elements()), &variables);
    let mut said = String::new();
    let secrets = secrets(&rig, || {
        launch.wait_for("awscreds-refreshed", 2);
        rig.front.set(|mood| mood.refusing = true);
        launch.wait_for("awscreds-failed", 1);
        said = launch.end(true).1;
    });
    assert!(
        secrets.len() >= 5,
        "the reader saw {} secrets",
        secrets.len()
    );
    let mut looked_at = vec![said];
    looked_at.push(String::from_utf8_lossy(&fs::read(&log).expect("a log")).into_owned());
    for graph in fs::read_dir(&graphs).expect("a folder").flatten() {
        looked_at
            .push(String::from_utf8_lossy(&fs::read(graph.path()).expect("a graph")).into_owned());
    }
    assert!(looked_at.len() >= 4, "there are graphs");
    assert!(looked_at[1].contains("awscreds"), "the log is there");
    for secret in &secrets {
        let found = looked_at
            .iter()
            .filter(|text| text.contains(secret.as_str()))
            .count();
        assert_eq!(
            found,
            0,
            "a secret of {} characters is in {found} of {}",
            secret.len(),
            looked_at.len()
        );
    }
}
