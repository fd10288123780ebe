// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner credentials`: served, asked for, killed, refused. Sessions here are given keys
//! and tokens; what renews them has tests of its own.

mod asking;
mod restarting;
mod server;
mod serving;
