// SPDX-License-Identifier: MPL-2.0
//! One session for ten processes, none of which knows a key: boto3, the AWS CLI and the SDK for
//! Rust, through the credentials endpoint.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::moto::{Moto, venv};
use tests::recording::built;
use tests::short_lived::ShortLived;

const PATIENCE: Duration = Duration::from_secs(180);
/// In an hour, credentials that live for a quarter of one are renewed six times: after 10 minutes
/// each. These live for 24 s, and the rule for such short ones renews them after 4 s.
const LIFETIME: Duration = Duration::from_secs(24);
const RENEWALS: u64 = 6;

const DEFINITION: &str = "credentials:
  shared: { aws: { role_arn: \"arn:aws:iam::123456789012:role/shared\", region: us-east-1 } }
";

/// Asks boto3 for credentials over and over, each time like a program that has just started.
const BOTO3: &str = "
import time, boto3
while True:
    try:
        session = boto3.session.Session()
        keys = session.get_credentials().get_frozen_credentials()
        session.client('kinesisvideo').list_streams()
        print(keys.access_key, flush=True)
    except Exception as error:
        print('error:', error, flush=True)
    time.sleep(0.2)
";

/// One AWS CLI after the other; what it does with them shows that it has some.
const CLI: &str = "while :; do
    if aws kinesisvideo list-streams >/dev/null 2>&1; then echo ok; else echo error: the CLI failed; fi
done";

/// A process that uses the session, and what it has printed.
struct Client {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Client {
    fn start(mut command: Command, moto: &Moto, endpoint: &[(String, String)]) -> Self {
        let mut child = command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", venv().display()))
            .env("HOME", "/nonexistent")
            .env("AWS_ENDPOINT_URL", moto.url())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(endpoint.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a client runs");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let printed = Arc::clone(&lines);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                printed.lock().expect("no panic").push(line);
            }
        });
        Self { child, lines }
    }

    fn printed(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// How often it had credentials.
    fn successes(&self) -> usize {
        let had_some = |line: &&String| !line.starts_with("error");
        self.printed().iter().filter(had_some).count()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runner(folder: &Path) -> Command {
    let mut command = Command::new(built().join("pipeline-runner"));
    command
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("RUNTIME_DIRECTORY");
    command
}

struct Server(Child);

impl Server {
    fn start(folder: &Path, moto: &Moto, sts: &ShortLived, log: &str) -> Self {
        let log = fs::File::create(folder.join(log)).expect("a file");
        let child = runner(folder)
            .args(["credentials", "serve", "creds.yaml", "--log", "trace"])
            .envs(moto.environment())
            .env("AWS_ENDPOINT_URL", sts.url())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.expect("pipeline-runner is built"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = runner(folder).arg("credentials").args(arguments).output();
    let output = output.expect("pipeline-runner is built");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    output.status.success().then_some(text)
}

/// How often the session was renewed, if the server answers.
fn renewals(folder: &Path) -> Option<u64> {
    let status: Value = serde_json::from_str(&get(folder, &["status", "--json"])?).ok()?;
    let session = &status[0]["sessions"][0];
    (session["status"] == "ready").then(|| session["renewals"].as_u64())?
}

#[track_caller]
fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Reads `renewals` and STS calls at one moment: until nothing changes in between.
fn counted(folder: &Path, moto: &Moto) -> (u64, usize) {
    let mut found = (0, 0);
    await_that("a quiet moment", || {
        let Some(before) = renewals(folder) else {
            return false;
        };
        let calls = moto.calls("AssumeRole").len();
        found = (before, calls);
        renewals(folder) == Some(before) && moto.calls("AssumeRole").len() == calls
    });
    found
}

#[test]
fn ten_processes_use_one_session_and_survive_its_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("creds.yaml"), DEFINITION).expect("written");
    let moto = Moto::start();
    let sts = ShortLived::start(moto.port(), LIFETIME);
    let server = Server::start(folder, &moto, &sts, "first.log");
    await_that("the session has credentials", || renewals(folder).is_some());

    let endpoint = get(folder, &["get", "shared", "--format", "endpoint"]).expect("served");
    let endpoint: Vec<(String, String)> = endpoint
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect();
    assert_eq!(endpoint.len(), 2, "{endpoint:?}");
    let boto3 = || {
        let mut command = Command::new(venv().join("python"));
        command.args(["-c", BOTO3]);
        command
    };
    let cli = || {
        let mut command = Command::new("bash");
        command.args(["-c", CLI]);
        command
    };
    let rust = || Command::new(built().join("aws_client"));
    let commands = (0..4)
        .map(|_| boto3())
        .chain((0..2).map(|_| cli()))
        .chain((0..4).map(|_| rust()));
    let clients: Vec<Client> = commands
        .map(|command| Client::start(command, &moto, &endpoint))
        .collect();
    assert_eq!(clients.len(), 10);

    await_that("an hour of renewals, and all have credentials", || {
        let renewed = renewals(folder).is_some_and(|count| count > RENEWALS);
        renewed && clients.iter().all(|client| client.successes() > 0)
    });
    let (renewed, calls) = counted(folder, &moto);
    assert_eq!(calls as u64, renewed, "one call of STS for each renewal");
    // Who that is was asked once.
    assert_eq!(moto.calls("GetCallerIdentity").len(), 1);
    for client in &clients {
        let errors: Vec<String> = client.printed();
        assert_eq!(client.successes(), errors.len(), "{errors:?}");
    }

    let first = secrets(folder);
    drop(server); // kill -9
    let calls = moto.calls("AssumeRole").len();
    let before: Vec<usize> = clients.iter().map(Client::successes).collect();
    let _server = Server::start(folder, &moto, &sts, "second.log");
    await_that("each process goes on, with the environment it had", || {
        let now = clients.iter().map(Client::successes);
        now.zip(&before).all(|(now, before)| now > *before)
    });
    let (renewed, all_calls) = counted(folder, &moto);
    assert_eq!((all_calls - calls) as u64, renewed);

    // What all of them have used was in no log.
    let token = fs::read_to_string(&endpoint[1].1).expect("a token");
    let own_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned();
    let secrets = [first, secrets(folder), vec![token, own_key]].concat();
    for log in ["first.log", "second.log"] {
        let log = fs::read_to_string(folder.join(log)).expect("a log");
        assert!(log.contains("GET /v1/sessions/shared"), "{log}");
        for line in log.lines() {
            assert!(
                !secrets.iter().any(|secret| line.contains(secret)),
                "{line}"
            );
        }
    }
}

/// The session's present secrets.
fn secrets(folder: &Path) -> Vec<String> {
    let keys = get(folder, &["get", "shared"]).expect("served");
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    ["SecretAccessKey", "SessionToken"]
        .map(|field| keys[field].as_str().expect("a text").to_owned())
        .to_vec()
}
