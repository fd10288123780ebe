// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive` on real segments: recorded by `archivesink` and by ffmpeg, and then
//! damaged, renamed, taken away and left behind.

mod coverage;
mod ls;
mod material;
mod recover;
mod verify;
mod verify_damage;
