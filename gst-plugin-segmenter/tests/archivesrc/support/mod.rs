// SPDX-License-Identifier: MPL-2.0
//! What the tests of the element share.

pub mod archive;
pub mod player;
