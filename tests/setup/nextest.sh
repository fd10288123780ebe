#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The test runner, built once when it is not there.
set -euo pipefail
if ! cargo nextest --version >/dev/null 2>&1; then
    echo "Installing cargo-nextest (some minutes, once)"
    cargo install --locked --quiet cargo-nextest
fi
