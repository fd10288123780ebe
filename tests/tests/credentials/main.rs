// SPDX-License-Identifier: MPL-2.0
//! Credentials sessions against servers: moto for AWS, an OAuth2 server, AWS IoT's credential
//! provider behind mutual TLS, an STS whose clock is wrong.

mod aws;
mod clock;
mod iot;
mod oauth2;
mod process;

use std::time::Duration;

use gstawscreds::session::{Secret, Session, Settings, Source, View};

/// Longer than anything takes; nothing waits for it that works.
const LONG: Duration = Duration::from_secs(100);

/// How a session of these settings stands once that is settled.
fn settled(settings: Settings) -> View {
    Session::open(settings)
        .expect("settings that can work")
        .wait_ready(LONG)
}

/// Keys that moto takes.
fn given_keys() -> Source {
    Source::Static {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: Secret::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    }
}

/// Waits until a session shows what is wanted.
fn wait_for(session: &Session, what: &str, wanted: impl Fn(&View) -> bool) -> View {
    let mut watch = session.watch();
    for _ in 0..5_000 {
        let view = watch.borrow_and_update().clone();
        if wanted(&view) {
            return view;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what} did not come: {:?}", session.view());
}
