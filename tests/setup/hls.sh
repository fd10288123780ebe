#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# hls.js, with which browsers play MPEG-TS, into .cache/hls. Does nothing when it is there; safe to
# run several times at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
wanted=hls.js@1.7.4
mkdir -p .cache
exec 9>.cache/hls.lock
flock 9
if [ "$(cat .cache/hls/version 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "hls: npm is needed to fetch $wanted: install Node.js" >&2
    exit 1
fi
echo "hls: fetching $wanted" >&2
rm -rf .cache/hls
mkdir -p .cache/hls
(cd .cache/hls && npm pack --silent "$wanted" >name)
tar -xzf ".cache/hls/$(cat .cache/hls/name)" -C .cache/hls package/dist/hls.min.js
mv .cache/hls/package/dist/hls.min.js .cache/hls/hls.js
echo "$wanted" >.cache/hls/version
