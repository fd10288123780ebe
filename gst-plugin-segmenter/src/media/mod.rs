// SPDX-License-Identifier: MPL-2.0
//! Boxes and samples.
