// SPDX-License-Identifier: MPL-2.0
//! `archivesrc` as users have it: archives recorded by `archivesink`, played by pipelines.

mod codecs;
mod decoding;
mod errors;
mod foreign;
mod holes;
mod linking;
mod muxing;
mod players;
mod recorded_again;
#[allow(dead_code, reason = "the recording side needs more of it")]
#[path = "../archivesink/support/mod.rs"]
mod recording;
mod samples;
mod seeking;
mod states;
mod support;
