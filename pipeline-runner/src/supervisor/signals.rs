// SPDX-License-Identifier: MPL-2.0
//! Signals as messages.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Wake;
use crate::signals::is_ignored;

/// Sends each signal that stops, and the ends of children, to the loop.
///
/// # Errors
/// When the system grants no handler or no thread.
pub fn attend(wake: Sender<Wake>) -> io::Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM, SIGCHLD];
    // A terminal that closes asks to stop; under `nohup` it does not.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let _ = wake.send(Wake::Signal(signal));
            }
        })
        .map(|_| ())
}
