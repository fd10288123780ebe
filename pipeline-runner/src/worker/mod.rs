// SPDX-License-Identifier: MPL-2.0
//! worker.

/// One pipeline, in its own process.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
