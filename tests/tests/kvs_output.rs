// SPDX-License-Identifier: MPL-2.0
//! Kinesis Video Streams beside the archive: credentials that nobody else sees, a stream that is
//! made when it is asked for, and a recording that does not notice when any of it dies.
//!
//! `kvssink` is the stand-in of this folder; STS and the control plane are moto's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::moto::{Moto, venv};
use tests::recording::{built, segments};
use tests::short_lived::ShortLived;

const PATIENCE: Duration = Duration::from_secs(120);
/// kvssink starts with no less than half a minute.
const LIFETIME: Duration = Duration::from_secs(60);

fn definition(kvs: &str) -> String {
    format!(
        "credentials:
  uploader: {{ aws: {{ role_arn: \"arn:aws:iam::123456789012:role/up\", region: us-east-1 }} }}
archive: {{ root: ./archive }}
pipelines:
  door:
    source: {{ test: {{ width: 320, height: 180, framerate: 15, keyframe_interval: 1s, clock: false }} }}
    outputs:
      - archive: {{ target_duration: 1s }}
      - kvs: {{ credentials: uploader, {kvs} }}
    restart: {{ initial: 500ms, max: 1s }}
  other:
    launch: videotestsrc is-live=true ! fakesink
"
    )
}

/// A runner that ends with the test.
struct Runner {
    child: Child,
    folder: tempfile::TempDir,
}

impl Runner {
    fn start(moto: &Moto, sts: &ShortLived, kvs: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("door.yaml"), definition(kvs)).expect("written");
        let log = fs::File::create(folder.path().join("runner.log")).expect("a file");
        let stand_in = built().join("examples");
        assert!(
            stand_in.join("libkvssink_stand_in.so").exists(),
            "the stand-in for kvssink is not there: cargo build --package tests --examples"
        );
        let child = program(folder.path())
            .args(["run", "--plain", "--log", "trace", "door.yaml"])
            .envs(moto.environment())
            .env("AWS_ENDPOINT_URL", sts.url())
            .env("GST_PLUGIN_PATH", stand_in)
            .env("GST_DEBUG", "*:9")
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        let child = child.expect("pipeline-runner is built");
        Self { child, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path().join("runner.log")).expect("a log")
    }

    /// Its own lines.
    fn told(&self) -> String {
        let said = self.said();
        let own = said.lines().filter(|line| !line.contains(".c:"));
        own.collect::<Vec<_>>().join("\n")
    }

    #[track_caller]
    fn await_that(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "in vain: {what}\n{}",
                self.told()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn await_lines(&self, text: &str, times: usize) {
        self.await_that(text, || self.said().matches(text).count() >= times);
    }

    fn worker(&self, pipeline: &str) -> String {
        let start = format!("{pipeline}: worker is process ");
        let said = self.said();
        let pid = said.lines().rev().find_map(|line| line.split_once(&start));
        pid.expect("it has a worker").1.trim().to_owned()
    }

    fn environment(&self, pipeline: &str) -> String {
        let file = format!("/proc/{}/environ", self.worker(pipeline));
        String::from_utf8_lossy(&fs::read(file).expect("it runs")).replace('\0', "\n")
    }

    /// The file that `kvssink` reads.
    fn credentials(&self) -> PathBuf {
        let base = self.path().join("pipeline-runner/credentials");
        let server = fs::read_dir(base).expect("a folder").flatten().next();
        let folder = server.expect("a server's folder").path();
        folder.join("pipeline-0/kvs-0-credentials")
    }

    fn get(&self, arguments: &[&str]) -> String {
        let output = program(self.path())
            .arg("credentials")
            .args(arguments)
            .output();
        String::from_utf8(output.expect("it runs").stdout).expect("UTF-8")
    }

    /// That the recording has no hole and no second beginning.
    #[track_caller]
    fn assert_recorded_without_a_hole(&self) {
        let recorded = segments(&self.path().join("archive"), "door", "source");
        assert!(recorded.len() > 2, "{}", self.told());
        for pair in recorded.windows(2) {
            let hole_ms = (pair[1].start_ns - pair[0].end_ns()).abs() / 1_000_000;
            assert!(hole_ms < 40, "{hole_ms} ms\n{}", self.told());
        }
        assert_eq!(
            self.said().matches("door: starting").count(),
            1,
            "{}",
            self.told()
        );
    }

    fn close(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(built().join("pipeline-runner"));
    command
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("RUNTIME_DIRECTORY")
        .stdin(Stdio::null());
    command
}

fn streams(moto: &Moto) -> Vec<Value> {
    let output = Command::new(venv().join("aws"))
        .args(["kinesisvideo", "list-streams"])
        .envs(moto.environment())
        .output();
    let text = output.expect("the AWS CLI runs").stdout;
    let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
    answer["StreamInfoList"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn video_goes_to_kinesis_and_no_secret_goes_anywhere_else() {
    let moto = Moto::start();
    let sts = ShortLived::start(moto.port(), LIFETIME);
    let mut runner = Runner::start(&moto, &sts, "create: true, retention: 48h");
    runner.await_lines("kvs door: the stream is made", 1);
    let made = streams(&moto);
    assert_eq!(made[0]["StreamName"], "door");
    assert_eq!(made[0]["DataRetentionInHours"], 48);
    runner.await_that("the credentials are there", || {
        runner.credentials().exists()
    });
    let file = runner.credentials();
    let content = fs::read_to_string(&file).expect("our own file");
    let words: Vec<&str> = content.split_whitespace().collect();
    assert_eq!((words.len(), words[0]), (5, "CREDENTIALS"), "{words:?}");
    assert_eq!(
        file.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );

    // The keys of the environment are nobody's but the session's.
    let keys: Value = serde_json::from_str(&runner.get(&["get", "uploader"])).expect("JSON");
    let own_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let token = runner.get(&["get", "uploader", "--format", "endpoint"]);
    let token_file = token.split('\'').nth(3).expect("a file with the token");
    let token = fs::read_to_string(token_file).expect("our own file");
    let text = |field: &str| keys[field].as_str().expect("a text").to_owned();
    let secrets = [
        own_key.to_owned(),
        token,
        text("SecretAccessKey"),
        text("SessionToken"),
    ];
    let door = runner.environment("door");
    assert!(
        door.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:"),
        "{door}"
    );
    assert!(
        door.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/"),
        "{door}"
    );
    for environment in [door, runner.environment("other")] {
        assert!(
            !environment.contains("AWS_SECRET_ACCESS_KEY"),
            "{environment}"
        );
        for secret in &secrets {
            assert!(!environment.contains(secret));
        }
    }
    assert!(!runner.environment("other").contains("AWS_CONTAINER"));

    runner.await_that("some segments", || {
        segments(&runner.path().join("archive"), "door", "source").len() > 4
    });
    runner.close();
    runner.assert_recorded_without_a_hole();
    let said = runner.said();
    assert!(said.contains("kvssink") && said.contains("awscreds"));
    for secret in &secrets {
        for line in said.lines() {
            assert!(!line.contains(secret), "{line}");
        }
    }
    let base = runner.path().join("pipeline-runner/credentials");
    assert_eq!(fs::read_dir(base).expect("a folder").count(), 0);
}

#[test]
fn a_stream_that_is_not_there_costs_the_recording_nothing() {
    let moto = Moto::start();
    let sts = ShortLived::start(moto.port(), LIFETIME);
    let mut runner = Runner::start(&moto, &sts, "stream: nowhere");
    let why = "there is no stream `nowhere` in us-east-1; `create: true` makes it";
    runner.await_lines(why, 2);
    runner.await_lines("the recording goes on", 2);
    runner.await_that("some segments", || {
        segments(&runner.path().join("archive"), "door", "source").len() > 4
    });
    runner.close();
    runner.assert_recorded_without_a_hole();
}

#[test]
fn an_upload_that_dies_comes_back_and_costs_the_recording_nothing() {
    let moto = Moto::start();
    let sts = ShortLived::start(moto.port(), LIFETIME);
    let mut runner = Runner::start(&moto, &sts, "create: true");
    runner.await_lines("kvs door: the stream is made", 1);
    runner.await_that("the credentials are there", || {
        runner.credentials().exists()
    });
    let worker = runner.worker("door");
    // The stand-in reads the file all the time when it is near its end.
    runner.await_that("the upload dies", || {
        let _ = fs::write(runner.credentials(), "CREDENTIALS torn");
        runner.said().contains("the recording goes on")
    });
    let _ = fs::remove_file(runner.credentials());
    runner.await_that("it is back", || {
        fs::read_to_string(runner.credentials()).is_ok_and(|text| text.split(' ').count() >= 5)
    });
    let before = segments(&runner.path().join("archive"), "door", "source").len();
    runner.await_that("more segments", || {
        segments(&runner.path().join("archive"), "door", "source").len() > before + 2
    });
    assert_eq!(runner.worker("door"), worker);
    runner.close();
    runner.assert_recorded_without_a_hole();
}
