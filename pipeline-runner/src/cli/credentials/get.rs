// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner credentials get`: what a running server has for a session, in the forms that
//! other programs read.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::ValueEnum;
use gstawscreds::session::{Credentials, Secret, kvs_file};
use serde_json::{Value, json};

use super::Folder;
use crate::cli::EXIT_FAILED;
use crate::cli::output::{self, Out};
use crate::credentials::client::{self, Question};
use crate::credentials::{environment, folder};

/// Arguments of `credentials get`.
#[derive(clap::Args)]
pub struct Args {
    /// The session
    name: String,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Process)]
    format: Format,
    /// The definition of the server, where several offer the session
    #[arg(long, value_name = "FILE.yaml")]
    definition: Option<String>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON for `credential_process` in ~/.aws/config
    Process,
    /// Lines for a shell's `eval`, with the keys as they are now
    Env,
    /// Lines for a shell's `eval`, with which SDKs ask the server: keys that stay fresh
    Endpoint,
    /// The file that kvssink takes for its `credential-path`
    Kvs,
    /// The access token alone
    Token,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    match get(args).and_then(|text| {
        let mut out = Out::new();
        out.line(text).and_then(|()| out.finish())?;
        Ok(())
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            output::complain(&why.to_string());
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn get(args: &Args) -> Result<String, Box<dyn std::error::Error>> {
    let base = folder::base(args.folder.runtime_dir.as_deref())?;
    let server = client::find(&base, &args.name, args.definition.as_deref())?;
    if args.format == Format::Endpoint {
        let token_file = server.folder.join("tokens").join(&args.name);
        let variables = environment(server.endpoint.address, &args.name, &token_file, None);
        let unset = SHADOWING.map(|name| format!("unset {name}")).join("\n");
        return Ok(format!("{unset}\n{}", exports(&variables)));
    }
    let answer = client::ask(&server, &args.name, Question::Secret)?;
    if answer.get("access_token").is_some() {
        return of_token(&answer, args);
    }
    match args.format {
        Format::Process => Ok(process(&answer)),
        Format::Env => Ok(exports(&keys(&answer))),
        Format::Kvs => kvs(&answer),
        Format::Token => {
            Err(format!("`{}` gives AWS credentials, no access token", args.name).into())
        }
        Format::Endpoint => Ok(String::new()),
    }
}

/// What would count before the endpoint in every SDK.
const SHADOWING: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

fn of_token(answer: &Value, args: &Args) -> Result<String, Box<dyn std::error::Error>> {
    match args.format {
        Format::Token => Ok(text(answer, "access_token").to_owned()),
        // The same words as the endpoint's.
        Format::Process => Ok(answer.to_string()),
        _ => Err(format!(
            "`{}` gives an access token: --format token, or process for JSON",
            args.name
        )
        .into()),
    }
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// AWS SDKs and Tools Reference Guide, process credential provider.
fn process(answer: &Value) -> String {
    let mut output = json!({
        "Version": 1,
        "AccessKeyId": text(answer, "AccessKeyId"),
        "SecretAccessKey": text(answer, "SecretAccessKey"),
        "Expiration": text(answer, "Expiration"),
    });
    for (name, field) in [("SessionToken", "Token"), ("AccountId", "AccountId")] {
        let value = text(answer, field);
        if !value.is_empty() {
            output[name] = value.into();
        }
    }
    output.to_string()
}

fn keys(answer: &Value) -> Vec<(&'static str, String)> {
    [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "Token"),
        ("AWS_CREDENTIAL_EXPIRATION", "Expiration"),
    ]
    .into_iter()
    .map(|(name, field)| (name, text(answer, field).to_owned()))
    .collect()
}

/// One `export` per variable; `unset` for one without a value, which may be left from before.
fn exports(variables: &[(&'static str, String)]) -> String {
    let lines: Vec<String> = (variables.iter())
        .map(|(name, value)| match value.as_str() {
            "" => format!("unset {name}"),
            value => format!("export {name}='{}'", value.replace('\'', "'\\''")),
        })
        .collect();
    lines.join("\n")
}

fn kvs(answer: &Value) -> Result<String, Box<dyn std::error::Error>> {
    let expiry: jiff::Timestamp = text(answer, "Expiration").parse()?;
    let token = text(answer, "Token");
    let credentials = Credentials {
        access_key_id: text(answer, "AccessKeyId").to_owned(),
        secret_access_key: Secret::from(text(answer, "SecretAccessKey")),
        session_token: (!token.is_empty()).then(|| Secret::from(token)),
    };
    let text = kvs_file::text(&credentials, Some(SystemTime::from(expiry)))?;
    Ok(text.expose().trim_end().to_owned())
}
