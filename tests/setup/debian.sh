#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs the Debian packages that building, the demo, or everything needs; does nothing, and
# asks for no rights, when they are there.
#
#   debian.sh run     what building and `make demo` need
#   debian.sh all     that, and what the tests, the benchmarks and `make install` need
set -euo pipefail

run=(
    build-essential pkg-config
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
    gstreamer1.0-x fonts-dejavu-core
)
all=(
    "${run[@]}" libgstrtspserver-1.0-dev gstreamer1.0-plugins-base-apps ffmpeg chromium meson
    ninja-build python3-venv git
)

case ${1:-} in
run) wanted=("${run[@]}") ;;
all) wanted=("${all[@]}") ;;
*)
    echo "usage: $0 run|all" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "setup: installing ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: neither root nor sudo here; as root, run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
