// SPDX-License-Identifier: MPL-2.0
//! What the tests that cross crates share: cameras, clips, frames, decoders, browsers, AWS.
//!
//! Everything here panics with a sentence when it cannot do its work: a test has no better answer,
//! and the sentence is what its reader needs.

pub mod awscreds;
pub mod browser;
pub mod camera;
pub mod clips;
pub mod cutting;
pub mod decode;
pub mod disk;
pub mod frames;
pub mod kvssink;
pub mod moto;
pub mod pace;
pub mod pki;
pub mod protected;
pub mod recording;
pub mod runner;
pub mod scenario;
pub mod scripted_camera;
pub mod short_lived;
pub mod web;
