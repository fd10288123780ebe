#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What rustfmt and clippy do not look at: licence headers, scripts' syntax, and that nothing in the
# repository depends on where it was written.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
complain() {
    echo "lint: $*" >&2
    failed=1
}

sources='*.rs *.sh *.toml *.yaml *.yml *.py Makefile meson.build .ci/run'
set -f
# shellcheck disable=SC2086 # patterns for git, one each
while read -r file; do
    head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MPL-2.0' ||
        complain "$file: the first line should be: SPDX-License-Identifier: MPL-2.0"
done < <(git ls-files -- $sources)

# shellcheck disable=SC2086
while read -r file; do
    [ -e "$file" ] || continue
    bash -n "$file" || complain "$file: not a shell script that bash can read"
done < <(git ls-files -- '*.sh' .ci/run)

# Written with brackets, so that this file does not find itself.
hosts='cr[a]tes\.io|py[p]i\.org|pythonh[o]sted|npmj[s]\.(org|com)|deb\.deb[i]an\.org|proxy\.gol[a]ng'
places='/w[o]rk/|/r[o]ot/|/h[o]me/[a-z]+/|/tm[p]/wt'
for pattern in "$hosts" "$places"; do
    if git grep -nE "$pattern" -- . ':!Cargo.lock' ':!tests/fuzz/Cargo.lock'; then
        complain "names a registry's host or a folder of one machine (above)"
    fi
done
exit $failed
