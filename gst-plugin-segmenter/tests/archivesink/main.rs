// SPDX-License-Identifier: MPL-2.0
//! Tests of the element from outside: caps, frames and events in; files and messages out.

mod accounts;
mod bad_stamps;
mod clock_steps;
mod codecs;
mod dead_tracks;
mod disk_full;
mod errors;
mod interleaving;
mod joined;
mod refused;
mod starting;
mod support;
mod time_sources;
mod torn_pictures;
mod tracks;
mod wrong_clocks;
