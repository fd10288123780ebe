// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner run` with real processes: faults are caused, and what then happens is awaited.

mod archive;
mod camera;
mod closing;
mod failing;
mod faults;
mod logs;
mod runner;
mod tracks;
