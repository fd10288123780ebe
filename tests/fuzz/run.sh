#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds every fuzz target and runs each for SECONDS (60 unless told); fails on any finding.
#
#     tests/fuzz/run.sh [SECONDS] [TARGET…]
#
# Stable Rust is enough: the flags are those of `cargo fuzz --sanitizer none`, which asks LLVM for
# coverage counters and needs no sanitizer runtime. `--target` keeps them off build scripts.
# Corpora and findings live in the workspace's target folder.
set -eu

seconds=${1:-60}
[ $# -eq 0 ] || shift
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$here/../../target/fuzz
cargo=${CARGO:-cargo}
host=$(rustc -vV | sed -n 's/^host: //p')
[ $# -gt 0 ] || set -- fmp4 plan restart segment_name ts

cd "$here"
"$cargo" run --quiet --target-dir "$work" --bin seeds -- "$work/seeds"
coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage="$coverage -Cllvm-args=-sanitizer-coverage-$option"
done
bins=
for target in "$@"; do
    bins="$bins --bin $target"
done
# shellcheck disable=SC2086 # $bins is a list
RUSTFLAGS="--cfg fuzzing $coverage" "$cargo" build --quiet --release --features libfuzzer \
    --target "$host" --target-dir "$work" $bins

for target in "$@"; do
    mkdir -p "$work/corpus/$target" "$work/findings/$target"
    echo "fuzzing $target for $seconds s"
    log=$work/$target.log
    # A finding makes libFuzzer exit with an error and leave the input that made it.
    if ! "$work/$host/release/$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$work/findings/$target/" \
        "$work/corpus/$target" "$work/seeds/$target" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target: a finding; the input is in $work/findings/$target" >&2
        exit 1
    fi
    grep -E 'number_of_executed_units|peak_rss_mb' "$log"
done
