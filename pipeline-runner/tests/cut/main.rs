// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner cut` on real segments: what it refuses, what it writes, and that nothing else
//! is ever left.

mod asking;
mod content;
mod damage;
#[path = "../../../tests/src/disk.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod disk;
mod ending;
mod foreign;
mod holes;
#[path = "../archive/material.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod material;
mod support;
mod writing;
