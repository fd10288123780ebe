// SPDX-License-Identifier: MPL-2.0
//! moto: AWS, played on loopback. It takes any keys, hands out credentials that look real, and
//! writes down every request.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Ends when its standard input does: with the test, even if that is killed.
const PROGRAM: &str = "
import os, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// A moto server that ends with the test.
pub struct Moto {
    child: Child,
    /// Held open: its end is the server's.
    _alive: ChildStdin,
    port: u16,
    folder: tempfile::TempDir,
}

impl Moto {
    /// On a free port; comes back when it answers.
    ///
    /// # Panics
    /// When moto is not there (`tests/setup/moto.sh`), or does not start within two minutes.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// On this port, for tests in which AWS goes away and comes back.
    ///
    /// # Panics
    /// As [`Moto::start`], and when the port is taken.
    pub fn start_at(port: u16) -> Self {
        let python = venv().join("python");
        assert!(
            python.exists(),
            "{} is not there: tests/setup/moto.sh",
            python.display()
        );
        let folder = tempfile::tempdir().expect("a folder for moto");
        let mut child = Command::new(python)
            .args(["-c", PROGRAM, &port.to_string()])
            .current_dir(folder.path())
            .env("MOTO_ENABLE_RECORDING", "true")
            .env("MOTO_RECORDER_FILEPATH", folder.path().join("requests"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python runs");
        let (said, listens) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        // Reads to the end, so that moto never waits for somebody to read what it says.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut lines = Vec::new();
        let port = loop {
            match listens.recv_timeout(Duration::from_secs(120)) {
                Ok(line) => match listening_port(&line) {
                    Some(port) => break port,
                    None => lines.push(line),
                },
                Err(_) => panic!("moto did not start: {}", lines.join("\n")),
            }
        };
        let alive = child.stdin.take().expect("it is piped");
        Self {
            child,
            _alive: alive,
            port,
            folder,
        }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a client needs to talk to it; every other variable of AWS's is better removed.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".into()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            ),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    /// The requests of an action of the query protocol (STS, IAM), such as `AssumeRole`: their
    /// form-encoded bodies, oldest first.
    pub fn calls(&self, action: &str) -> Vec<String> {
        let wanted = format!("Action={action}&");
        let recorded = fs::read_to_string(self.folder.path().join("requests")).unwrap_or_default();
        // The last line may be under way.
        let requests = recorded
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        requests
            .filter_map(|request: serde_json::Value| {
                let body = BASE64_STANDARD.decode(request["body"].as_str()?).ok()?;
                String::from_utf8(body).ok()
            })
            .filter(|body| body.starts_with(&wanted) || body.contains(&format!("&{wanted}")))
            .collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ` * Running on http://127.0.0.1:45775`
fn listening_port(line: &str) -> Option<u16> {
    line.split("http://127.0.0.1:").nth(1)?.trim().parse().ok()
}

/// The virtual environment's programs: `python`, `aws`.
pub fn venv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/venv/bin")
}
