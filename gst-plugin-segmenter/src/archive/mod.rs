// SPDX-License-Identifier: MPL-2.0
//! The archive on disk.
