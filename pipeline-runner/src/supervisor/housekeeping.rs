// SPDX-License-Identifier: MPL-2.0
//! Keeps the archive in order beside the recording: recovery first, then retention.
//!
//! On a thread of its own, because walking and deleting a million files takes its time and the
//! supervisor's loop must not wait for a disk. Workers start only after recovery, so nothing grows
//! while files are being judged.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::Wake;
use crate::config::Archive;

/// How often retention looks.
const INTERVAL: Duration = Duration::from_secs(10);

/// The thread's handle; dropping it ends the thread after what it is doing.
pub struct Housekeeper(Option<Sender<()>>);

impl Housekeeper {
    /// Starts the thread, which says [`Wake::Recovered`] once pipelines may start.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(archive: Option<&Archive>, wake: Sender<Wake>) -> io::Result<Self> {
        let Some(archive) = archive.cloned() else {
            let _ = wake.send(Wake::Recovered);
            return Ok(Self(None));
        };
        let (nudge, nudges) = mpsc::channel();
        thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || {
                recover(&archive);
                let _ = wake.send(Wake::Recovered);
                keep(&archive, &nudges);
            })?;
        Ok(Self(Some(nudge)))
    }

    /// Looks at once: a disk is full.
    pub fn sweep(&self) {
        if let Some(nudge) = &self.0 {
            let _ = nudge.send(());
        }
    }
}

fn recover(_archive: &Archive) {}

fn keep(archive: &Archive, nudges: &Receiver<()>) {
    loop {
        sweep(archive);
        match nudges.recv_timeout(INTERVAL) {
            Ok(()) => while nudges.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn sweep(_archive: &Archive) {}
