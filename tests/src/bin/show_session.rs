// SPDX-License-Identifier: MPL-2.0
//! Opens a credentials session in a process of its own, whose environment a test chooses, says how
//! it stands once that is settled, and logs all that is logged at TRACE to stderr.
//!
//! ```text
//! show_session chain|imds|container|profile NAME|process COMMAND [role ARN]
//! ```

use std::env;
use std::time::{Duration, SystemTime};

use gstawscreds::session::{Role, Session, Settings, Source};
use tracing_subscriber::filter::LevelFilter;

fn main() {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (source, roles) = match arguments[..] {
        ["chain", ref rest @ ..] => (Source::Chain, rest),
        ["imds", ref rest @ ..] => (Source::Imds, rest),
        ["container", ref rest @ ..] => (Source::Container, rest),
        ["profile", name, ref rest @ ..] => (Source::Profile { name: name.into() }, rest),
        ["process", command, ref rest @ ..] => {
            let command = command.into();
            (Source::Process { command }, rest)
        }
        _ => panic!("no such source: {arguments:?}"),
    };
    let mut settings = Settings::new(source);
    settings.roles = roles
        .iter()
        .skip(1)
        .step_by(2)
        .map(|arn| Role::new(*arn))
        .collect();
    let session = Session::open(settings).expect("settings that can work");
    let mut view = session.wait_ready(Duration::from_secs(100));
    let mut changes = session.watch();
    // Whose they are comes a little later.
    for _ in 0..500 {
        if view.lease.is_none() || view.identity.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        view = changes.borrow_and_update().clone();
    }
    println!("status {}", view.status);
    if let Some(credentials) = view.credentials() {
        println!("key {}", credentials.access_key_id);
        println!("secret {}", credentials.secret_access_key.expose());
        if let Some(token) = &credentials.session_token {
            println!("token {}", token.expose());
        }
    }
    if let Some(end) = view.lease.as_ref().and_then(|lease| lease.expires_at) {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        println!("left {}", left.as_secs());
    }
    if let Some(identity) = &view.identity {
        println!("arn {}", identity.arn);
    }
    if let Some(error) = &view.error {
        println!("error {error}");
    }
    // Everything that has a Debug text goes where the test looks for secrets.
    eprintln!("{view:?} {session:?}");
}
