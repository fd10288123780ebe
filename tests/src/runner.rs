// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner`, as a service manager would run it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::recording::built;

/// A runner that ends with the test.
pub struct Runner(Child);

impl Runner {
    /// Runs a definition whose text is given, from `folder`, where it is kept as `runner.yaml`.
    /// What the runner says goes to `runner.log` beside it.
    ///
    /// # Panics
    /// When the runner has not been built: `cargo build --workspace`.
    pub fn start(folder: &Path, definition: &str) -> Self {
        let program = built().join("pipeline-runner");
        assert!(
            program.exists(),
            "{} is not there: cargo build --workspace",
            program.display()
        );
        fs::write(folder.join("runner.yaml"), definition).expect("a folder to write to");
        let log = fs::File::create(folder.join("runner.log")).expect("a folder to write to");
        let child = Command::new(program)
            .args(["run", "--plain", "runner.yaml"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        Self(child.expect("it is a program"))
    }

    /// The process ids of its workers.
    pub fn workers(&self) -> Vec<u32> {
        let id = self.0.id();
        let tasks = fs::read_dir(format!("/proc/{id}/task"))
            .into_iter()
            .flatten()
            .flatten();
        let children = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
        let lists: Vec<String> = tasks.filter_map(children).collect();
        lists
            .iter()
            .flat_map(|list| list.split(' '))
            .filter_map(|id| id.parse().ok())
            .collect()
    }

    /// How many files, sockets and pipes it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0.id()))
            .expect("it runs")
            .count()
    }

    /// Ctrl-C, then waits for the end.
    ///
    /// # Panics
    /// When it does not end within half a minute.
    pub fn close(mut self) -> ExitStatus {
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::INT);
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait().expect("it is our child") {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the runner did not end within 30 s of SIGINT");
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        for worker in self.workers() {
            let worker = i32::try_from(worker).ok().and_then(Pid::from_raw);
            let _ = worker.map(|worker| rustix::process::kill_process(worker, Signal::KILL));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
