// SPDX-License-Identifier: MPL-2.0
//! Elements with equal settings are one session, and one call of STS per renewal.

use gst::prelude::*;
use tests::awscreds::launch::Pipeline;
use tests::awscreds::rig::Rig;

#[test]
fn ten_elements_with_equal_settings_ask_sts_once() {
    let rig = Rig::start();
    rig.set_environment();
    let file = rig.file().display().to_string();
    let branches: Vec<String> = (0..10)
        .map(|n| {
            let element = rig
                .element()
                .replace("name=creds", "")
                .replace(&file, &format!("{file}{n}"));
            format!("audiotestsrc is-live=true ! {element} ! fakesink")
        })
        .collect();
    let pipeline = Pipeline::parse(&branches.join(" "));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    for _ in 0..10 {
        pipeline.wait_for("awscreds-refreshed");
    }
    assert_eq!(rig.moto.calls("AssumeRole").len(), 1);
    let texts: std::collections::BTreeSet<String> = (0..10)
        .map(|n| {
            let text = std::fs::read_to_string(format!("{file}{n}")).expect("it is written");
            text.split_whitespace().nth(1).expect("a key").to_owned()
        })
        .collect();
    assert_eq!(texts.len(), 1, "all have the same credentials");
}

#[test]
fn other_settings_are_another_session() {
    let rig = Rig::start();
    rig.set_environment();
    let element = |n: u32| {
        let file = rig.file().display().to_string();
        let element = rig
            .element()
            .replace("name=creds", "")
            .replace(&file, &format!("{file}{n}"));
        format!("audiotestsrc is-live=true ! {element} role-session-name=camera-{n} ! fakesink")
    };
    let pipeline = Pipeline::parse(&format!("{} {}", element(1), element(2)));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    for _ in 0..2 {
        pipeline.wait_for("awscreds-refreshed");
    }
    let calls = rig.moto.calls("AssumeRole");
    assert_eq!(calls.len(), 2);
    assert!(
        calls
            .iter()
            .any(|call| call.contains("RoleSessionName=camera-2")),
        "{calls:?}"
    );
}
