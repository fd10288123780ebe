#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# moto, which plays AWS on loopback, and two of AWS's own clients, into .cache/venv. Does nothing
# when they are there; safe to run several times at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
wanted=('moto[server]==5.2.5' boto3==1.44.8 awscli==1.46.3)
mkdir -p .cache
exec 9>.cache/venv.lock
flock 9
if [ "$(cat .cache/venv/moto 2>/dev/null)" = "${wanted[*]}" ]; then
    exit 0
fi
echo "moto: fetching ${wanted[*]}" >&2
[ -x .cache/venv/bin/python ] || python3 -m venv .cache/venv
# Not bin/pip, which in a copied tree would install into the tree that it was copied from.
.cache/venv/bin/python -m pip --quiet --disable-pip-version-check install "${wanted[@]}"
echo "${wanted[*]}" >.cache/venv/moto
