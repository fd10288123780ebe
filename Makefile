# SPDX-License-Identifier: MPL-2.0
# Each target sets up what it needs on a Debian 12 machine that has a Rust toolchain and `make`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DESTDIR ?=
FUZZ_SECONDS ?= 60

.PHONY: help demo test bench lint install setup setup-run fuzz soak

help:
	@echo "make demo      records a synthetic camera into ./archive (CAMERA=rtsp://... a real one)"
	@echo "make test      runs the tests"
	@echo "make fuzz      fuzzes what parses files, $(FUZZ_SECONDS) s a target (FUZZ_SECONDS=...)"
	@echo "make soak      runs the tests that take long"
	@echo "make bench     measures, side by side with peers"
	@echo "make lint      rustfmt, clippy, licence lines"
	@echo "make install   builds and installs the plugins (DESTDIR=...)"

setup-run:
	@tests/setup/debian.sh run

setup:
	@tests/setup/debian.sh all
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest
	@tests/setup/clips.sh

# The runner replaces the shell, so that Ctrl-C reaches it alone and its exit status is make's.
demo: setup-run
	@echo "building the runner (a few minutes the first time)"
	@cargo build --quiet --package pipeline-runner
	@exec target/debug/pipeline-runner run $(if $(CAMERA),examples/camera.yaml,examples/demo.yaml)

test: setup
	cargo build --workspace --all-targets
	cargo nextest run --workspace

fuzz: setup
	tests/fuzz/run.sh $(FUZZ_SECONDS)

soak: setup
	cargo build --workspace --all-targets
	cargo nextest run --workspace --features tests/soak

bench: setup
	cargo build --release --package gst-plugin-segmenter --package pipeline-runner
	python3 tests/bench/record.py
	cargo bench --package gst-plugin-segmenter --bench coverage

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	tests/setup/check-sources.sh

install: setup
	[ -d build ] || meson setup build --buildtype=release
	meson compile -C build
	meson install -C build --no-rebuild $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")
