// SPDX-License-Identifier: MPL-2.0
//! A worker as seen from outside: starts it, listens to it, leaves nothing of it behind.
//!
//! Each worker leads a process group of its own, so Ctrl-C on the terminal reaches the supervisor
//! alone, and whatever the worker's plugins started goes when it goes. A worker must be started
//! from a thread that lives as long as the supervisor: the kernel ties the child's life to the
//! thread that forked it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::surroundings::Surroundings;
use crate::worker::protocol::{Event, Job, Order, Token};

/// The longest line taken from a worker; the rest of a longer one is a line of its own.
const LINE_BYTES: u64 = 64 * 1024;
/// So many lines of a worker's stderr may wait to be logged; what comes on top is dropped, since
/// neither a recording may wait for a slow terminal nor memory fill with words.
const LINES_WAITING: usize = 2_000;

/// What a worker's reading threads tell.
#[derive(Debug)]
pub enum Said {
    /// An event.
    Event(Event),
    /// A line of its stderr.
    Line(Line),
    /// Its stdout ended: nothing more is to come.
    End,
}

/// A line of a worker's stderr, counted among those that wait until it is dropped.
#[derive(Debug)]
pub struct Line {
    /// The line.
    pub text: String,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
}

/// A worker that has not been reaped yet.
pub struct Process {
    child: Child,
    orders: ChildStdin,
}

impl Process {
    /// Starts a worker for `job`; `said` is called on threads of their own.
    ///
    /// # Errors
    /// When the system has no process, thread or descriptor left.
    pub fn start(
        job: &Job,
        surroundings: &Surroundings,
        said: impl Fn(Said) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let mut child = command(surroundings).spawn()?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(orders), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("the worker has no pipes"));
        };
        let mut process = Self { child, orders };
        let started = process
            .send(job)
            .and_then(|()| {
                read(
                    &format!("{} out", job.pipeline.name),
                    stdout,
                    events(said.clone()),
                )
            })
            .and_then(|()| read(&format!("{} err", job.pipeline.name), stderr, lines(said)));
        match started {
            Ok(()) => Ok(process),
            Err(error) => {
                process.kill();
                let _ = process.child.wait();
                Err(error)
            }
        }
    }

    /// The worker's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the worker to close. One that does not listen any more is noticed otherwise.
    pub fn close(&mut self) {
        let _ = self.send(&Order::Close);
    }

    /// Hands it an access token, the first or the next.
    pub fn token(&mut self, session: &str, token: &str) {
        let _ = self.send(&Order::Token {
            session: session.to_owned(),
            token: Token::from(token),
        });
    }

    /// Kills the worker and everything in its group.
    pub fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.kill();
    }

    /// Reaps the worker if it has ended, and kills what it started and left behind.
    pub fn reap(&mut self) -> Option<ExitStatus> {
        let pid = self.pid()?;
        // Looked at first and reaped after: until then its id, and so its group, is nobody else's.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(pid), look) {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => {
                let _ = rustix::process::kill_process_group(pid, Signal::KILL);
                self.child.wait().ok()
            }
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Writes one line to the worker's stdin.
    fn send(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        match self.orders.write_all(&line) {
            // It has ended already; how, its exit status says.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

/// What an exit status says, for a worker that could not say it itself.
pub fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
            format!("the worker died of {name} ({signal})")
        }
        (None, Some(code)) => format!("the worker exited with code {code}"),
        (None, None) => "the worker ended".to_owned(),
    }
}

fn command(surroundings: &Surroundings) -> Command {
    // The running file itself, even where an update has put another in its place.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("pipeline-runner")
        .arg("worker")
        .envs(&surroundings.set)
        .env("GST_DEBUG_NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for name in &surroundings.unset {
        command.env_remove(name);
    }
    command
}

/// Reads `input` line by line on a thread; `None` is its end.
fn read(
    name: &str,
    input: impl Read + Send + 'static,
    take: impl Fn(Option<String>) + Send + 'static,
) -> io::Result<()> {
    let work = move || {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => take(Some(String::from_utf8_lossy(&line).trim_end().to_owned())),
            }
        }
        take(None);
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(|_| ())
}

fn events(said: impl Fn(Said)) -> impl Fn(Option<String>) {
    move |line| match line.as_deref().map(serde_json::from_str) {
        Some(Ok(event)) => said(Said::Event(event)),
        Some(Err(error)) => tracing::debug!("not an event: {error}"),
        None => said(Said::End),
    }
}

fn lines(said: impl Fn(Said)) -> impl Fn(Option<String>) {
    let waiting = Arc::new(AtomicUsize::new(0));
    let dropped = AtomicUsize::new(0);
    let counter = Arc::clone(&waiting);
    let pass = move |text: String| {
        counter.fetch_add(1, Relaxed);
        let waiting = Arc::clone(&counter);
        said(Said::Line(Line { text, waiting }));
    };
    move |line| {
        let Some(line) = line.filter(|line| !line.is_empty()) else {
            return;
        };
        if waiting.load(Relaxed) >= LINES_WAITING {
            dropped.fetch_add(1, Relaxed);
            return;
        }
        match dropped.swap(0, Relaxed) {
            0 => {}
            count => pass(format!("({count} lines were too many, and dropped)")),
        }
        pass(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_off_and_says_so() {
        let (sender, lines_said) = std::sync::mpsc::channel();
        let take = lines(move |said| sender.send(said).expect("the receiver is there"));
        for i in 0..LINES_WAITING + 10 {
            take(Some(format!("line {i}")));
        }
        assert_eq!(lines_said.try_iter().count(), LINES_WAITING);
        take(Some("calm".to_owned()));
        let texts: Vec<String> = lines_said
            .try_iter()
            .filter_map(|said| match said {
                Said::Line(line) => Some(line.text.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(texts, ["(10 lines were too many, and dropped)", "calm"]);
    }

    #[test]
    fn an_exit_status_names_the_signal() {
        assert_eq!(
            describe(ExitStatus::from_raw(11)),
            "the worker died of SIGSEGV (11)"
        );
        assert_eq!(
            describe(ExitStatus::from_raw(3 << 8)),
            "the worker exited with code 3"
        );
    }
}
