#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds every fuzz target and runs each for SECONDS (60 unless told); fails on any finding.
#
#     tests/fuzz/run.sh [SECONDS] [TARGET…]
#
# With RUNS=200000 in the environment each is run so many times instead, from the seeds alone and,
# but for what std's hash maps do, by the same chance every time: a gate should say the same of the
# same commit.
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

# Chance depends on addresses, too.
same_addresses=
if [ -n "${RUNS:-}" ] && setarch -R true 2>/dev/null; then
    same_addresses="setarch -R"
fi

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
    if [ -n "${RUNS:-}" ]; then
        corpus=$(mktemp -d)
        limit="-runs=$RUNS -seed=1"
        echo "fuzzing $target $RUNS times"
    else
        corpus=$work/corpus/$target
        limit=-max_total_time=$seconds
        echo "fuzzing $target for $seconds s"
    fi
    mkdir -p "$corpus" "$work/findings/$target"
    log=$work/$target.log
    # A finding makes libFuzzer exit with an error and leave the input that made it.
    # shellcheck disable=SC2086 # lists
    if ! $same_addresses "$work/$host/release/$target" $limit -max_len=8192 -timeout=5 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$work/findings/$target/" \
        "$corpus" "$work/seeds/$target" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target: a finding; the input is in $work/findings/$target" >&2
        exit 1
    fi
    grep -E 'number_of_executed_units|peak_rss_mb' "$log"
    [ -z "${RUNS:-}" ] || rm -rf "$corpus"
done
