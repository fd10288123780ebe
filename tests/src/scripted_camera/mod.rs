// SPDX-License-Identifier: MPL-2.0
//! An RTSP camera of which every packet is in the test's hands, without a line of GStreamer.
//!
//! A [`Script`](script::Script) is all that a session sends, packet by packet, made before the
//! session begins: RTP headers and payloads, RTCP reports, when each leaves after PLAY, what access
//! unit is then complete, when the camera hangs up. The camera only answers RTSP (RFC 2326), plays
//! the next script to each client that says PLAY, over TCP or UDP as the client asks, and notes what
//! it sent, when by the camera's own clock and when by this machine's.
//!
//! [`payload`] and [`packets`] make packets of access units, [`access_units`] makes those of a byte
//! stream. What the packets of a *bad* camera look like is in [`scenario`](crate::scenario).

pub mod access_units;
pub mod packets;
pub mod payload;
mod player;
pub mod script;
mod server;
mod session;

pub use server::ScriptedCamera;
