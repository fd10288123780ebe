#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs what a purpose needs from Debian 12's packages, and says so; does nothing when all of it
# is there. Elsewhere it says what would be needed and goes on.
#
#   tests/setup/debian.sh build|run|test|install
set -euo pipefail

purpose=${1:?one of build, run, test, install}
build=(
    build-essential pkg-config git ca-certificates
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
)
run=(
    "${build[@]}" gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x
)
test=("${run[@]}" libgstrtspserver-1.0-dev ffmpeg ntfs-3g python3 python3-venv chromium)
# Node.js from elsewhere brings its own.
command -v npm >/dev/null || test+=(npm)
install=("${build[@]}" gstreamer1.0-tools meson ninja-build)

case $purpose in
    build) packages=("${build[@]}") ;;
    run) packages=("${run[@]}") ;;
    test) packages=("${test[@]}") ;;
    install) packages=("${install[@]}") ;;
    *)
        echo "$0: no such purpose: $purpose; one of build, run, test, install" >&2
        exit 2
        ;;
esac

if ! command -v cargo >/dev/null; then
    echo "There is no Rust toolchain here: install rustup, then come back." >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system; what Debian 12 calls these is needed: ${packages[*]}" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "As root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}
apt update
apt install --yes --no-install-recommends "${missing[@]}"
