// SPDX-License-Identifier: MPL-2.0
//! The other two deliveries, and why they are refused for what expires.

use std::time::Duration;

use gst::prelude::*;
use tests::awscreds::launch::Pipeline;
use tests::awscreds::rig::{BASE_SECRET, Rig, SOURCE};

fn line(rig: &Rig, properties: &str) -> String {
    format!("{SOURCE} ! awscreds name=creds profile=base {properties} ! kvssink name=kvs")
        .replace("ROLE", tests::awscreds::rig::ROLE)
        .replace("FILE", &rig.file().display().to_string())
}

#[test]
fn keys_that_last_go_into_the_properties_before_the_sink_starts() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&line(&rig, "delivery=properties"));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let kvs = pipeline.element("kvs");
    assert_eq!(kvs.property::<String>("access-key"), "AKIABASE");
    assert_eq!(kvs.property::<String>("secret-key"), BASE_SECRET);
    // Not what kvssink starts with, which would let the environment's token in.
    assert_eq!(kvs.property::<String>("session-token"), "");
    assert_eq!(pipeline.standing().1, "AKIABASE");
}

#[test]
fn what_expires_is_refused_as_properties_with_the_reason() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&line(&rig, "delivery=properties role-arn=ROLE"));
    assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err());
    let error = pipeline.error();
    assert!(
        error.contains("these credentials expire") && error.contains("delivery=file"),
        "{error}"
    );
}

#[test]
fn an_owner_who_restarts_the_sink_is_asked_to_in_time() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(60)));
    let pipeline = Pipeline::parse(&line(
        &rig,
        "delivery=properties role-arn=ROLE target-is-restarted=true",
    ));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let (_, first) = pipeline.standing();
    let expiring = pipeline.wait_for("awscreds-expiring");
    assert_eq!(expiring.get::<bool>("restart"), Ok(true));
    assert!(
        expiring
            .get::<u64>("seconds-left")
            .is_ok_and(|left| left > 30),
        "{expiring}"
    );
    let kvs = pipeline.element("kvs");
    kvs.set_state(gst::State::Null).expect("it stops");
    kvs.sync_state_with_parent().expect("it starts");
    let (_, second) = pipeline.standing();
    assert_ne!(first, second);
    assert_eq!(kvs.property::<String>("access-key"), second);
}

#[test]
fn keys_that_last_go_into_the_environment_and_a_strange_token_goes() {
    let rig = Rig::start();
    rig.set_environment();
    // SAFETY: nextest runs each test in a process of its own.
    unsafe { std::env::set_var("AWS_SESSION_TOKEN", "of somebody else") };
    let pipeline = Pipeline::parse(&line(&rig, "delivery=environment"));
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    assert_eq!(
        std::env::var("AWS_ACCESS_KEY_ID").as_deref(),
        Ok("AKIABASE")
    );
    assert_eq!(
        std::env::var("AWS_SECRET_ACCESS_KEY").as_deref(),
        Ok(BASE_SECRET)
    );
    assert!(std::env::var("AWS_SESSION_TOKEN").is_err());
    assert_eq!(pipeline.standing().1, "AKIABASE");
}

#[test]
fn what_expires_is_refused_in_the_environment_with_the_reason() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&line(&rig, "delivery=environment role-arn=ROLE"));
    assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err());
    let error = pipeline.error();
    assert!(
        error.contains("these credentials expire") && error.contains("delivery=file"),
        "{error}"
    );
}

#[test]
fn properties_without_a_sink_are_an_error() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline =
        Pipeline::parse("fakesrc ! awscreds profile=base delivery=properties ! fakesink");
    assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err());
    let error = pipeline.error();
    assert!(error.contains("`target`"), "{error}");
}
