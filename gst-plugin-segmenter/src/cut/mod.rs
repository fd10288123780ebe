// SPDX-License-Identifier: MPL-2.0
//! Cutting a range out of an archive: what is copied, what is encoded anew, and doing it.

pub mod encode;
