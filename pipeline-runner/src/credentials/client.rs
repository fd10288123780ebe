// SPDX-License-Identifier: MPL-2.0
//! Asks a running server for what it serves.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::folder::{self, Server};

/// A server answers from memory.
const LIMIT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody serves it.
    #[error("{0}")]
    NoServer(String),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] folder::ClaimError),
    /// The server says no.
    #[error("the server of `{session}` (process {pid}) says: {message}")]
    Refused {
        /// Which session.
        session: String,
        /// The server's process.
        pid: u32,
        /// What it says.
        message: String,
    },
    /// It does not answer as it should.
    #[error("the server of `{session}` (process {pid}) does not answer: {why}")]
    Silent {
        /// Which session.
        session: String,
        /// The server's process.
        pid: u32,
        /// How.
        why: String,
    },
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// AWS credentials or an access token, whichever the session gives.
    Secret,
    /// How it stands.
    Status,
}

/// The server that offers a session.
///
/// # Errors
/// When nobody does, or several do.
pub fn find(base: &Path, session: &str, definition: Option<&str>) -> Result<Server, AskError> {
    let (servers, dead) = folder::servers(base);
    let mut offered: Vec<String> = Vec::new();
    let mut found: Vec<Server> = Vec::new();
    for server in servers {
        let names = server.endpoint.sessions.iter().map(|it| it.name.clone());
        offered.extend(names);
        let wanted = definition.is_none_or(|wanted| wanted == server.endpoint.definition);
        if wanted && server.endpoint.sessions.iter().any(|it| it.name == session) {
            found.push(server);
        }
    }
    match (found.len(), found.pop()) {
        (1, Some(server)) => Ok(server),
        (0, _) | (_, None) => Err(AskError::NoServer(nobody(session, &offered, dead))),
        (_, Some(server)) => {
            found.push(server);
            let files: Vec<&str> = (found.iter())
                .map(|server| server.endpoint.definition.as_str())
                .collect();
            Err(AskError::NoServer(format!(
                "several servers offer `{session}`; say which by --definition: {}",
                files.join(", ")
            )))
        }
    }
}

/// Why nobody offers a session, and how to change that.
fn nobody(session: &str, offered: &[String], dead: usize) -> String {
    let start = "start one: `pipeline-runner credentials serve FILE.yaml`, \
                 where FILE.yaml has the session under `credentials:`";
    let died = match dead {
        0 => "",
        _ => " (one was killed)",
    };
    match offered {
        [] => format!("no server of credentials runs{died}; {start}"),
        offered => format!(
            "no server offers `{session}`{died}, but {}; {start}",
            offered.join(", ")
        ),
    }
}

/// Asks a server about one of its sessions.
///
/// # Errors
/// When it refuses or does not answer.
pub fn ask(server: &Server, session: &str, question: Question) -> Result<Value, AskError> {
    let pid = server.endpoint.pid;
    let silent = |why: String| AskError::Silent {
        session: session.to_owned(),
        pid,
        why,
    };
    let token = folder::token_of(server, session).map_err(|why| silent(why.to_string()))?;
    let gives_tokens = (server.endpoint.sessions.iter())
        .any(|offered| offered.name == session && offered.gives_tokens);
    let what = match (question, gives_tokens) {
        (Question::Status, _) => "status",
        (Question::Secret, true) => "tokens",
        (Question::Secret, false) => "sessions",
    };
    let url = format!("http://{}/v1/{what}/{session}", server.endpoint.address);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        // Not even where the environment names one for everything.
        .proxy(None)
        .http_status_as_error(false)
        .user_agent(concat!("pipeline-runner/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let answer = agent
        .get(&url)
        .header("Authorization", token.expose())
        .call();
    let mut answer = answer.map_err(|why| silent(why.to_string()))?;
    let status = answer.status();
    let body: Value = answer
        .body_mut()
        .read_json()
        .map_err(|why| silent(why.to_string()))?;
    if status.is_success() {
        return Ok(body);
    }
    let message = body.get("message").and_then(Value::as_str);
    Err(AskError::Refused {
        session: session.to_owned(),
        pid,
        message: message.unwrap_or("no").to_owned(),
    })
}
