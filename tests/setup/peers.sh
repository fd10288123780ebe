#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Other people's tools that the measurements are compared with, into .cache/venv. Does nothing when
# they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ ! -x .cache/venv/bin/smartcut ] || exit 0
echo "peers: fetching the package smartcut" >&2
[ -x .cache/venv/bin/pip ] || python3 -m venv .cache/venv
# Not by pip's own name: that holds the path of the folder it was made in, which may have moved.
.cache/venv/bin/python -m pip --quiet --disable-pip-version-check install smartcut==1.7
