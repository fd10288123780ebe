// SPDX-License-Identifier: MPL-2.0
//! A runner under test: its process, its output, its workers.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `pipeline-runner run`, and a folder for its files.
pub struct Runner {
    child: Child,
    output: Arc<Output>,
    folder: Arc<tempfile::TempDir>,
}

#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A definition of several `launch:` pipelines; `settings` are lines for each of them.
pub fn launches(pipelines: &[(&str, &str)], settings: &[&str]) -> String {
    let mut yaml = "pipelines:\n".to_owned();
    for (name, text) in pipelines {
        let _ = writeln!(yaml, "  {name}:\n    launch: >-\n      {text}");
        for setting in settings {
            let _ = writeln!(yaml, "    {setting}");
        }
    }
    yaml
}

impl Runner {
    /// Starts a runner on this definition; `FOLDER` in it stands for the runner's own folder.
    pub fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[])
    }

    /// Likewise, with these environment variables.
    pub fn start_with(yaml: &str, environment: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::start_in(folder, yaml, environment)
    }

    /// Starts another runner in the folder of this one.
    pub fn start_beside(&self, yaml: &str) -> Self {
        Self::start_in(Arc::clone(&self.folder), yaml, &[])
    }

    fn start_in(folder: Arc<tempfile::TempDir>, yaml: &str, environment: &[(&str, &str)]) -> Self {
        let file = folder.path().join("definition.yaml");
        let path = folder.path().to_str().expect("a UTF-8 path");
        std::fs::write(&file, yaml.replace("FOLDER", path)).expect("the definition is written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pipeline-runner"))
            .args(["run", "--log", "debug"])
            .arg(&file)
            .env_remove("RUST_LOG")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's foreground group, for Ctrl-C.
            .process_group(0)
            .spawn()
            .expect("the runner starts");
        let output = Arc::new(Output::default());
        collect(child.stdout.take().expect("a pipe"), &output);
        collect(child.stderr.take().expect("a pipe"), &output);
        Self {
            child,
            output,
            folder,
        }
    }

    /// Everything it has said.
    pub fn said(&self) -> String {
        self.output.lines.lock().expect("no panic").join("\n")
    }

    /// How many lines hold this text.
    pub fn count(&self, text: &str) -> usize {
        let lines = self.output.lines.lock().expect("no panic");
        lines.iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until it has said so, `times` times.
    #[track_caller]
    pub fn await_lines(&self, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.output.lines.lock().expect("no panic");
        while lines.iter().filter(|line| line.contains(text)).count() < times {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "not said {times} times: {text:?}\n{}",
                lines.join("\n")
            );
            (lines, _) = self
                .output
                .more
                .wait_timeout(lines, left)
                .expect("no panic");
        }
    }

    /// Waits until it has said so.
    #[track_caller]
    pub fn await_line(&self, text: &str) {
        self.await_lines(text, 1);
    }

    /// Ctrl-C on its terminal: SIGINT to its process group.
    pub fn ctrl_c(&self) {
        rustix::process::kill_process_group(self.pid(), Signal::INT).expect("it runs");
    }

    pub fn pid(&self) -> Pid {
        pid(self.child.id())
    }

    /// The worker process that a pipeline was given last.
    #[track_caller]
    pub fn worker(&self, pipeline: &str) -> Pid {
        let start = format!("{pipeline}: worker is process ");
        let said = self.said();
        let id = said.lines().rev().find_map(|line| line.split_once(&start));
        let id = id.and_then(|(_, id)| id.trim().parse().ok());
        pid(id.unwrap_or_else(|| panic!("{pipeline} has no worker yet:\n{said}")))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn await_exit(&mut self) -> ExitStatus {
        let mut status = None;
        await_that("the runner ends", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Waits for its end by itself, and returns the exit code.
    #[track_caller]
    pub fn await_code(&mut self) -> i32 {
        let status = self.await_exit();
        let signal = status.signal();
        let said = self.said();
        status
            .code()
            .unwrap_or_else(|| panic!("the runner died of signal {signal:?}:\n{said}"))
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its open file descriptors and its threads.
    pub fn holdings(&self) -> (usize, usize) {
        let count = |what| {
            let folder = format!("/proc/{}/{what}", self.child.id());
            std::fs::read_dir(folder).map_or(0, Iterator::count)
        };
        (count("fd"), count("task"))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(id: u32) -> Pid {
    let id = i32::try_from(id).expect("a process id");
    Pid::from_raw(id).expect("a process id")
}

fn collect(input: impl std::io::Read + Send + 'static, output: &Arc<Output>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(input).lines().map_while(Result::ok) {
            output.lines.lock().expect("no panic").push(line);
            output.more.notify_all();
        }
    });
}

/// Polls until it holds.
#[track_caller]
pub fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; one that is dead and not reaped does not.
pub fn is_alive(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_pid()));
    let stat = stat.unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// The frames that ffprobe can decode.
pub fn decodable_frames(file: &Path) -> u64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{}: {errors}", file.display());
    let frames = String::from_utf8_lossy(&output.stdout);
    // Of a transport stream, it tells the same again for its programme.
    let first = frames.lines().next().unwrap_or_default();
    first.trim_end_matches(',').parse().unwrap_or(0)
}
