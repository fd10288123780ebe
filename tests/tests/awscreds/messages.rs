// SPDX-License-Identifier: MPL-2.0
//! What is said on the bus when all goes well, and the properties that say the same.

use std::time::Duration;

use gst::prelude::*;
use tests::awscreds::launch::Pipeline;
use tests::awscreds::rig::{Rig, SOURCE};

#[test]
fn each_renewal_is_told_with_its_expiry_and_whose_credentials_they_are() {
    let rig = Rig::start();
    rig.set_environment();
    rig.front
        .set(|mood| mood.lifetime = Some(Duration::from_secs(45)));
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    let creds = pipeline.element("creds");
    assert_eq!(creds.property::<Option<String>>("expiry"), None);
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let first = pipeline.wait_for("awscreds-refreshed");
    assert_eq!(first.get::<&str>("delivery"), Ok("file"));
    assert_eq!(
        first.get::<String>("path"),
        Ok(rig.file().display().to_string())
    );
    assert_eq!(first.get::<u64>("renewals"), Ok(1));
    let expiry: String = first.get("expiry").expect("they expire");
    assert_eq!(
        creds.property::<Option<String>>("expiry"),
        Some(expiry.clone())
    );
    let declared: String = first.get("declared-expiry").expect("one is declared");
    assert!(declared <= expiry, "{first}");
    let second = pipeline.wait_for("awscreds-refreshed");
    assert_eq!(second.get::<u64>("renewals"), Ok(2));
    assert!(
        second
            .get::<String>("expiry")
            .is_ok_and(|second| second > expiry),
        "{second}"
    );
    let identity: String = second.get("identity").expect("it is known by now");
    assert!(identity.contains("assumed-role/uploader"), "{identity}");
    assert_eq!(second.get::<&str>("account"), Ok("123456789012"));
    pipeline
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    let status = creds.property_value("status").serialize();
    assert_eq!(status.expect("an enum").as_str(), "stopped");
}
