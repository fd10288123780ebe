// SPDX-License-Identifier: MPL-2.0
//! Runs GStreamer pipelines from YAML, each in its own process, and keeps what they record.

mod cli;
mod config;
mod credentials;
mod gstreamer;
mod kinesis;
mod signals;
mod supervisor;
mod worker;

fn main() -> std::process::ExitCode {
    cli::main()
}
