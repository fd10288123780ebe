#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Bench group *awscreds*: what it costs a buffer to pass through, beside `identity`, in one run.

Buffers of 1400 bytes, a packet each, as many as can be. The machines are shared and noisy, so the
rounds of all cases are interleaved, each case's best round counts, and the figure is CPU time of
the process (user and system) less that of a run with one buffer, per buffer. Nothing is asserted;
what is wanted stands beside what was seen.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = pathlib.Path(os.environ.get("PLUGINS", ROOT / "target/release"))
BUFFERS = int(os.environ.get("BUFFERS", "2000000"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))


def cases(folder):
    """Name and what is between source and sink."""
    return {
        "fakesrc ! fakesink": "",
        "with identity": "identity !",
        "with awscreds": f"awscreds credential-path={folder}/credentials !",
        "with identity x 5": "identity ! " * 5,
        "with awscreds x 5": f"awscreds credential-path={folder}/credentials ! " * 5,
    }


def run(elements, buffers, folder):
    """CPU seconds of one run."""
    line = f"fakesrc num-buffers={buffers} sizetype=fixed sizemax=1400 ! {elements} fakesink"
    env = dict(
        os.environ,
        GST_PLUGIN_PATH=str(PLUGINS),
        GST_REGISTRY=f"{folder}/registry",
        # Keys that last, so that nobody is asked for others; whose they are, nobody answers.
        AWS_ACCESS_KEY_ID="AKIABENCH",
        AWS_SECRET_ACCESS_KEY="bench",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )
    child = subprocess.Popen(["gst-launch-1.0", "-q", *line.split()], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{line}: exit status {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(folder):
    """Nanoseconds per buffer of every case."""
    best = {}
    for turn in range(ROUNDS):
        for name, elements in cases(folder).items():
            for buffers in (1, BUFFERS):
                key = (name, buffers)
                best[key] = min(best.get(key, float("inf")), run(elements, buffers, folder))
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
    return {name: (best[name, BUFFERS] - best[name, 1]) / BUFFERS * 1e9 for name in cases(folder)}


def report(cost):
    base, identity = cost["fakesrc ! fakesink"], cost["with identity"]
    print(f"\nawscreds: CPU nanoseconds per buffer of 1400 bytes, best of {ROUNDS}")
    print(f"{'':22}{'ns/buffer':>10}{'added':>8}{'x fakesink':>12}")
    for name, ns in cost.items():
        print(f"{name:22}{ns:10.0f}{ns - base:8.0f}{ns / base:12.2f}")
    added = cost["with awscreds"] - base
    print(f"\nwanted: awscreds adds no more than identity does, {identity - base:.0f} ns; seen {added:.0f} ns")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        report(measure(place))
