// SPDX-License-Identifier: MPL-2.0
//! A stream that only the bearer of a live access token gets, recorded over several renewals.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::clips::{self, Clip};
use tests::protected::Protected;
use tests::recording::{built, segments};

const PATIENCE: Duration = Duration::from_secs(120);
/// Renewed after a sixth of it; a connection ends after it.
const LIFETIME: Duration = Duration::from_secs(6);
/// Over so long the file is sent.
const SECONDS: usize = 14;

fn definition(server: &Protected) -> String {
    format!(
        "credentials:
  satellite:
    oauth2:
      token_url: {}
      client_id: {}
      client_secret: \"${{SATELLITE_SECRET}}\"
archive: {{ root: ./archive }}
pipelines:
  pass:
    source:
      uri:
        uri: {}
        headers: {{ Authorization: \"Bearer ${{credentials.satellite.access_token}}\" }}
    outputs: [archive]
    live: false
  other:
    launch: videotestsrc is-live=true ! fakesink
",
        server.token_url(),
        Protected::CLIENT.0,
        server.file_url()
    )
}

/// The clip as a transport stream.
fn transport_stream(folder: &Path) -> Vec<u8> {
    let file = folder.join("video.ts");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clips::get(Clip::H264NoBAac))
        .args(["-c", "copy"])
        .arg(&file)
        .status();
    assert!(made.expect("ffmpeg runs").success());
    fs::read(file).expect("ffmpeg has written it")
}

fn pictures(file: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_packets", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"])
        .arg(file)
        .output();
    let text = String::from_utf8(output.expect("ffprobe runs").stdout).expect("UTF-8");
    // Of a transport stream it is said twice.
    let count = text.split(&[',', '\n']).next().unwrap_or_default();
    count.trim().parse().expect("a number")
}

struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A runner at work on the definition, and the server it asks.
struct Scene {
    folder: tempfile::TempDir,
    /// Pictures in the file.
    wanted: usize,
    server: Protected,
    runner: Running,
}

impl Scene {
    fn set(cuts_off: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let content = transport_stream(folder.path());
        let wanted = pictures(&folder.path().join("video.ts"));
        let rate = content.len() / SECONDS;
        let server = Protected::start(content, rate, LIFETIME, cuts_off);
        fs::write(folder.path().join("pass.yaml"), definition(&server)).expect("written");
        let log = fs::File::create(folder.path().join("runner.log")).expect("a file");
        let runner = program(
            folder.path(),
            &["run", "--plain", "--log", "trace", "pass.yaml"],
        )
        .env(
            "GST_DEBUG",
            "souphttpsrc:9,basesrc:5,urisourcebin:7,GST_STATES:5",
        )
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn();
        let runner = Running(runner.expect("pipeline-runner is built"));
        Self {
            folder,
            wanted,
            server,
            runner,
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("runner.log")).expect("a log")
    }

    #[track_caller]
    fn await_lines(&self, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.said().matches(text).count() < times {
            assert!(
                Instant::now() < deadline,
                "not said: {text}\n{}",
                told(&self.said())
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn close(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.runner.0);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        self.runner.0.wait().expect("it is our child");
    }

    /// That no token and not the client's secret is in the log or in one of `environments`.
    #[track_caller]
    fn assert_no_secret_in(&self, environments: &[String]) {
        let tokens = self.server.seen().tokens;
        let said = self.said();
        // GStreamer has logged each request with its headers.
        assert!(said.contains("Authorization: Bearer ***"));
        for secret in tokens
            .iter()
            .map(String::as_str)
            .chain([Protected::CLIENT.1])
        {
            for line in said.lines() {
                assert!(!line.contains(secret), "{line}");
            }
            for environment in environments {
                assert!(!environment.contains(secret));
            }
        }
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(built().join("pipeline-runner"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("RUNTIME_DIRECTORY")
        .env("SATELLITE_SECRET", Protected::CLIENT.1)
        .stdin(Stdio::null());
    command
}

#[test]
fn a_stream_plays_over_the_renewals_of_its_token_and_no_log_shows_one() {
    let mut scene = Scene::set(false);
    scene.await_lines("pass: running", 1);
    scene.await_lines("other: running", 1);
    // A second process has the same token.
    let arguments = ["credentials", "get", "satellite", "--format", "token"];
    let shared = program(scene.folder.path(), &arguments).output();
    let shared = String::from_utf8(shared.expect("it runs").stdout).expect("UTF-8");
    let given = scene.server.seen().tokens;
    assert!(given.contains(&shared.trim().to_owned()), "{shared}");
    let environments = ["pass", "other"].map(|name| environment_of_worker(&scene.said(), name));
    scene.await_lines("pass: completed", 1);
    scene.close();

    let (seen, said) = (scene.server.seen(), scene.said());
    assert!(
        seen.tokens.len() > 3,
        "renewed before each expiry: {seen:?}"
    );
    assert_eq!(seen.refused, 0, "{}", told(&said));
    assert_eq!(said.matches("pass: starting").count(), 1, "{}", told(&said));
    let archive = scene.folder.path().join("archive");
    let recorded = segments(&archive, "pass", "source");
    let recorded: usize = recorded.iter().map(|segment| pictures(&segment.path)).sum();
    assert_eq!(recorded, scene.wanted, "{}", told(&said));
    scene.assert_no_secret_in(&environments);
}

#[test]
fn where_a_connection_ends_with_its_token_the_next_one_has_another() {
    let mut scene = Scene::set(true);
    scene.await_lines("pass: running", 3);
    scene.close();
    let seen = scene.server.seen();
    assert!(seen.cut_off >= 2, "{seen:?}");
    // At once, not as after a wrong password.
    assert!(
        !scene.said().contains("the next in 2"),
        "{}",
        told(&scene.said())
    );
    let mut used = seen.used;
    used.dedup();
    assert!(used.len() >= 3, "each start has a live token: {used:?}");
    scene.assert_no_secret_in(&[]);
}

/// The runner's own lines.
fn told(log: &str) -> String {
    let own = log.lines().filter(|line| !line.contains(".c:"));
    own.collect::<Vec<_>>().join("\n")
}

fn environment_of_worker(log: &str, pipeline: &str) -> String {
    let start = format!("{pipeline}: worker is process ");
    let pid = log.lines().find_map(|line| line.split_once(&start));
    let pid = pid.map(|(_, pid)| pid.trim()).expect("it has a worker");
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
    String::from_utf8_lossy(&environment).into_owned()
}
