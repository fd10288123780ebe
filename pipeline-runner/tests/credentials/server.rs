// SPDX-License-Identifier: MPL-2.0
//! A server under test, its clients, and bare HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLESESSIONTOKEN==";
pub const ACCESS_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJFWEFNUExFIjoxfQ.";

/// Two sessions: `keys` and `bearer`.
pub const DEFINITION: &str = "credentials:
  keys:
    static:
      access_key_id: AKIAIOSFODNN7EXAMPLE
      secret_access_key: ${TEST_SECRET_KEY}
      session_token: ${TEST_SESSION_TOKEN}
      region: eu-west-1
  bearer:
    token: { access_token: \"${TEST_ACCESS_TOKEN}\", expires_at: \"2040-01-01T00:00:00Z\" }
";

/// A folder with a definition and a runtime folder.
pub struct Place(tempfile::TempDir);

/// A running server.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    pub port: u16,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Place {
    pub fn new() -> Self {
        Self::with(DEFINITION)
    }

    pub fn with(definition: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("creds.yaml"), definition).expect("written");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// `pipeline-runner credentials …` in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline-runner"));
        command
            .arg("credentials")
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_RUNTIME_DIR", self.path())
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("RUST_LOG")
            .env("TEST_SECRET_KEY", SECRET_KEY)
            .env("TEST_SESSION_TOKEN", SESSION_TOKEN)
            .env("TEST_ACCESS_TOKEN", ACCESS_TOKEN)
            // Without the network, asking who the keys are of comes to nothing.
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it is a program")
    }

    /// What a command that succeeds writes.
    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What a command that fails says.
    #[track_caller]
    pub fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    #[track_caller]
    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut child = self
            .command(&["serve", "creds.yaml", "--log", "trace"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is a program");
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let lines = Arc::clone(&said);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut lines = lines.lock().expect("no panic");
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        let mut server = Server {
            child,
            said,
            port: 0,
        };
        server.await_line("keys at http://127.0.0.1:");
        server.await_line("bearer at http://127.0.0.1:");
        let said = server.said();
        let port = said.split("keys at http://127.0.0.1:").nth(1);
        let port = port.and_then(|rest| rest.split('/').next()?.parse().ok());
        server.port = port.expect("it says its port");
        server
    }

    /// The folder of the only server.
    pub fn server_folder(&self) -> PathBuf {
        let base = self.path().join("pipeline-runner/credentials");
        let mut folders = fs::read_dir(base).expect("a folder").flatten();
        folders.next().expect("a server's folder").path()
    }

    pub fn token(&self, session: &str) -> String {
        fs::read_to_string(self.server_folder().join("tokens").join(session)).expect("a token")
    }
}

impl Server {
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    #[track_caller]
    pub fn await_line(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.said().contains(text) {
            assert!(
                Instant::now() < deadline,
                "not said: {text}\n{}",
                self.said()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the end.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.child.wait().expect("it is our child")
    }

    pub fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        self.request("GET", path, &[&[host.as_str()], headers].concat())
    }

    pub fn request(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("Connection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
