// SPDX-License-Identifier: MPL-2.0
//! The way to standard error, which never waits for its reader and never fails.
//!
//! Who records must not depend on who reads the log: a pipe that nobody empties, a terminal that
//! was stopped, an ssh that is gone. So everything that is to be written goes into a queue, and a
//! thread of its own writes it. What comes while the queue is full is dropped and counted; how much
//! that was is said when writing goes on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

/// So many lines wait for a reader that is slow.
const MOST_WAITING: usize = 4_096;
/// How long the last lines may take at the end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Something to be written, by the thread that may wait for the reader.
pub type Work = Box<dyn FnOnce(&mut dyn Write) + Send>;

enum Item {
    Work(Work),
    /// Answered once everything before it is written.
    Flush(mpsc::Sender<()>),
}

/// The queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    items: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    /// To standard error.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn to_stderr() -> std::io::Result<Self> {
        Self::to(std::io::stderr(), MOST_WAITING)
    }

    fn to(out: impl Write + Send + 'static, most_waiting: usize) -> std::io::Result<Self> {
        let (items, inbox) = mpsc::sync_channel(most_waiting);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&inbox, out, &counted))?;
        Ok(Self { items, dropped })
    }

    /// Hands over what is to be written; drops it where too much waits already.
    pub fn push(&self, work: Work) {
        if self.items.try_send(Item::Work(work)).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Waits until everything is written, at most for a moment.
    pub fn flush(&self) {
        let (done, wait) = mpsc::channel();
        if self.items.try_send(Item::Flush(done)).is_ok() {
            let _: Result<(), RecvTimeoutError> = wait.recv_timeout(LAST_WORDS);
        }
    }
}

fn write_all(inbox: &Receiver<Item>, mut out: impl Write, dropped: &AtomicU64) {
    for item in inbox {
        match item {
            Item::Work(work) => work(&mut out),
            Item::Flush(done) => drop(done.send(())),
        }
        match dropped.swap(0, Relaxed) {
            0 => {}
            count => {
                let _ = writeln!(
                    out,
                    "({count} log lines were dropped: nobody read them in time)"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;

    /// A reader that is let go on by the test.
    struct Gate {
        open: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.open.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// As a pipe whose reader is gone.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn say(queue: &Queue, line: String) {
        queue.push(Box::new(move |out| drop(out.write_all(line.as_bytes()))));
    }

    #[test]
    fn a_reader_that_does_not_read_is_never_waited_for_and_later_told_what_it_missed() {
        let (let_go, open) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let gate = Gate {
            open,
            written: Arc::clone(&written),
        };
        let queue = Queue::to(gate, 10).unwrap();
        let started = Instant::now();
        for i in 0..1000 {
            say(&queue, format!("line {i}\n"));
        }
        queue.flush();
        assert!(started.elapsed() < Duration::from_secs(30));
        drop(let_go);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !String::from_utf8_lossy(&written.lock().unwrap()).contains("log lines were dropped")
        {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        let text = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
        assert!(text.starts_with("line 0\n"), "{text}");
    }

    #[test]
    fn a_reader_that_is_gone_is_nobodys_failure() {
        let queue = Queue::to(Broken, 10).unwrap();
        for _ in 0..100 {
            say(&queue, "anybody there?\n".to_owned());
        }
        queue.flush();
    }
}
