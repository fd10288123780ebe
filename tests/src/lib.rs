// SPDX-License-Identifier: MPL-2.0
//! What the tests that cross crates share: cameras, clips, decoders.
