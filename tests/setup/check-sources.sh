#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What no compiler checks: licence lines, shell syntax, and that no tracked file names the host of
# a package registry (mirrors and air-gapped machines have others).
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0

while IFS= read -r file; do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MPL-2.0'; then
        echo "$file: no line 'SPDX-License-Identifier: MPL-2.0' at its top" >&2
        failed=1
    fi
done < <(git ls-files '*.rs' '*.py' '*.sh' '*.toml' '*.yaml' 'Makefile' '*meson.build' '.ci/run')

while IFS= read -r file; do
    bash -n "$file" || failed=1
done < <(git ls-files '*.sh' '.ci/run')

hosts='(static\.|index\.)?crates\.io/|pypi\.(org|python)|pythonhosted|registry\.npmjs|deb\.debian\.org'
if git grep -nE "$hosts" -- ':!*.lock' ':!tests/setup/check-sources.sh'; then
    echo "the files above name the host of a package registry" >&2
    failed=1
fi
exit $failed
