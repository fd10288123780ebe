// SPDX-License-Identifier: MPL-2.0
//! What the tests of `awscreds` share: AWS with its bad days, the element in a process of its own
//! or in the test's, and a reader of the file that never rests.

pub mod front;
pub mod launch;
pub mod reader;
pub mod rig;
