# SPDX-License-Identifier: MPL-2.0
# Each target sets up what it needs on a Debian 12 machine with a Rust toolchain.
#
#   make demo       records a synthetic camera (CAMERA=rtsp://… make demo: a real one)
#   make test       all tests; make fuzz: a minute per parser
#   make soak       the tests that take long; FATE=DIR make soak: other people's clips (tests/soak)
#   make bench      the measurements, side by side with other tools
#   make lint       formatting, clippy, licence headers, scripts
#   make install    builds for release and installs (PREFIX, DESTDIR)
#   make setup      only installs what the targets above need

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test bench lint install setup fuzz soak plugins

TARGET := $(or $(CARGO_TARGET_DIR),target)
# GStreamer looks for plugins in its own prefix only.
PREFIX ?= $(shell pkg-config --variable=prefix gstreamer-1.0)
NEXTEST := cargo nextest run --config-file tests/nextest.toml

# A debug build: it is there in a fraction of the time, and encoding, which is most of the demo's
# work, is GStreamer's and optimised anyway. The recipe's own job control (set -m) keeps Ctrl-C
# for the runner, so that it closes its segments and make ends well.
demo:
	@tests/setup/debian.sh run
	@echo 'Building pipeline-runner (debug build; some minutes the first time)'
	@quiet=--quiet; [ ! -t 2 ] || quiet=; cargo build $$quiet --package pipeline-runner
	@[ ! -t 0 ] || set -m; $(TARGET)/debug/pipeline-runner run examples/$(if $(CAMERA),camera,demo).yaml || exit

test: setup
	cargo build --workspace
	$(NEXTEST) --workspace

soak: setup
	cargo build --workspace
ifdef FATE
	python3 tests/soak/fate.py '$(FATE)'
else
	$(NEXTEST) --profile soak --package tests --features soak -E 'binary(/^soak_/)'
	CUT_RANGES=200 $(NEXTEST) --profile soak --package tests -E 'binary(exact_cuts)'
endif

fuzz:
	@tests/setup/debian.sh build
	RUNS=$(RUNS) tests/fuzz/run.sh $(or $(SECONDS_EACH),60)

bench: setup
	cargo build --release --package gst-plugin-awscreds --package gst-plugin-segmenter --package pipeline-runner
	tests/setup/peers.sh
	python3 tests/bench/record.py
	python3 tests/bench/cut.py
	python3 tests/bench/awscreds.py
	cargo bench --package gst-plugin-segmenter --bench coverage

lint:
	@tests/setup/debian.sh test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	@tests/setup/lint.sh

install:
	@tests/setup/debian.sh install
	@[ -d build/meson-info ] || meson setup build --buildtype=release
	meson configure build --prefix=$(PREFIX)
	meson compile -C build
	meson install -C build --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

setup:
	@tests/setup/debian.sh test
	@tests/setup/nextest.sh
	@tests/setup/clips.sh
	@tests/setup/camera_clips.sh
	@tests/setup/moto.sh
	@tests/setup/hls.sh
