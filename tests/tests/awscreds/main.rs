// SPDX-License-Identifier: MPL-2.0
//! `awscreds` against moto, with the stand-in for kvssink downstream.
#![allow(missing_docs)]

mod deliveries;
mod faults;
mod first_start;
mod messages;
mod passing;
mod secrets;
mod sharing;
mod targets;
