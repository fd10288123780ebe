// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner credentials status`: the sessions of all running servers of this user.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Folder;
use crate::cli::EXIT_FAILED;
use crate::cli::output::{self, Out};
use crate::credentials::client::{self, Question};
use crate::credentials::folder::{self, Server};

/// Arguments of `credentials status`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Writes JSON
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    match show(args) {
        Ok(code) => code,
        Err(why) => {
            output::complain(&why.to_string());
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn show(args: &Args) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let base = folder::base(args.folder.runtime_dir.as_deref())?;
    let (servers, _) = folder::servers(&base);
    let mut out = Out::new();
    if args.json {
        let all: Vec<Value> = servers.iter().map(in_json).collect();
        out.json(&all)?;
    } else {
        for server in &servers {
            let endpoint = &server.endpoint;
            let (address, pid) = (endpoint.address, endpoint.pid);
            out.line(format_args!(
                "{} at http://{address} (process {pid})",
                endpoint.definition
            ))?;
            for offered in &endpoint.sessions {
                out.line(format_args!("  {}", in_words(server, &offered.name)))?;
            }
        }
    }
    out.finish()?;
    if servers.is_empty() {
        output::complain(
            "no server of credentials runs; \
             start one: `pipeline-runner credentials serve FILE.yaml`",
        );
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

fn in_json(server: &Server) -> Value {
    let endpoint = &server.endpoint;
    let sessions = endpoint.sessions.iter().map(|offered| {
        let status = client::ask(server, &offered.name, Question::Status);
        let mut status = status.unwrap_or_else(|why| json!({ "error": why.to_string() }));
        status["name"] = offered.name.as_str().into();
        status["kind"] = if offered.gives_tokens { "token" } else { "aws" }.into();
        status
    });
    json!({
        "definition": endpoint.definition,
        "address": endpoint.address,
        "pid": endpoint.pid,
        "sessions": sessions.collect::<Vec<Value>>(),
    })
}

fn in_words(server: &Server, session: &str) -> String {
    let status = match client::ask(server, session, Question::Status) {
        Ok(status) => status,
        Err(why) => return format!("{session}: {why}"),
    };
    let text = |field| status.get(field).and_then(Value::as_str);
    let mut line = format!("{session}: {}", text("status").unwrap_or("?"));
    for (words, field) in [
        (" as ", "identity"),
        (", good until ", "expires_at"),
        (", renewed at ", "next_renewal"),
        (": ", "error"),
        ("; ", "clock"),
    ] {
        if let Some(value) = text(field) {
            line.extend([words, value]);
        }
    }
    line
}
