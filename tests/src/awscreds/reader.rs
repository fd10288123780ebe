// SPDX-License-Identifier: MPL-2.0
//! A reader that reads the credentials file all the time, as kvssink might at any moment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::kvssink::file;

/// What it saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often it read.
    pub reads: u64,
    /// Whose credentials, in no order.
    pub keys: BTreeSet<String>,
    /// The first things that kvssink could not have lived with.
    pub bad: Vec<String>,
}

/// Reads from now on, until it is asked what it saw.
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Reader {
    /// From the moment on at which the file is there for the first time.
    pub fn of(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !path.exists() && !stopped.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            while !stopped.load(Ordering::Relaxed) {
                seen.reads += 1;
                let now = SystemTime::now();
                let bad = match file::read(&path, now) {
                    Ok(read) if !read.rotating => Some("taken for keys that last: torn".to_owned()),
                    Ok(read) if read.expiration < now + Duration::from_secs(30) => {
                        let left = read.expiration.duration_since(now).unwrap_or_default();
                        Some(format!("{} s left", left.as_secs()))
                    }
                    Ok(read) => {
                        seen.keys.insert(read.access_key_id);
                        None
                    }
                    Err(status) => Some(format!("status {status:#x}")),
                };
                if seen.bad.len() < 10 {
                    seen.bad
                        .extend(bad.map(|bad| format!("read {}: {bad}", seen.reads)));
                }
            }
            seen
        });
        Self { stop, thread }
    }

    /// What it saw.
    ///
    /// # Panics
    /// When it did.
    pub fn seen(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("reading does not panic")
    }
}
