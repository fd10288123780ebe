#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Bench group *cut*: what a cut costs, side by side with other tools, in one run.

The clip of group *record* is recorded into an archive once. Every case then cuts the same range
from it (archivesink's segments) or from the clip itself (the other tools), to a pipe that is read
to its end, so that the time to the first byte is the command's own, start of the process included.
Rounds of all cases are interleaved, each case's best round counts, CPU seconds are user and system
with children. Nothing is asserted; what is wanted stands beside what was seen.
"""

import datetime
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import record

ROOT = record.ROOT
CLIP = record.CLIP
RUNNER = ROOT / "target/release/pipeline-runner"
ARCHIVE = CLIP.parent / "archive"
SMARTCUT = ROOT / ".cache/venv/bin/smartcut"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
# Ten minutes less both edges, and half a minute, that begin and end inside GOPs.
LONG = (1.37, 598.73)
SHORT = (10.37, 41.73)


def make_archive():
    """Records the clip in both containers; returns when each begins."""
    if not (ARCHIVE / "done").exists():
        print("recording the archive (once)", file=sys.stderr)
        for container in ["mp4", "mpegts"]:
            sink = f"archivesink name=a location={ARCHIVE} stream={container} container={container}"
            env = dict(os.environ, GST_PLUGIN_PATH=str(record.PLUGINS))
            line = record.pipeline("a.video", "a.audio_0", sink)
            subprocess.run(line, env=env, stdout=subprocess.DEVNULL, check=True)
        (ARCHIVE / "done").touch()
    return {stream: begin(stream) for stream in ["mp4", "mpegts"]}


def begin(stream):
    """The moment of the first frame, by the first segment's name."""
    first = min((ARCHIVE / stream / "source").glob("*/*-full-*"))
    clock = first.name.split("-")[0]
    return datetime.datetime.fromisoformat(f"{first.parent.name}:{clock}+00:00")


def cases(begins, out):
    """Name and command of every case."""

    def runner(stream, seconds, *more):
        start, end = (begins[stream] + datetime.timedelta(seconds=at) for at in seconds)
        command = [RUNNER, "cut", "--quiet", "--archive", ARCHIVE, "--stream", stream]
        return command + ["--start", start.isoformat(), "--end", end.isoformat(), "--output", "-", *more]

    def ffmpeg(*more, before=()):
        return ["ffmpeg", "-v", "error", "-nostdin", *before, "-i", CLIP, *more]

    streamed = ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "-"]
    short = ["-ss", str(SHORT[0]), "-t", str(SHORT[1] - SHORT[0])]
    return {
        "copy 10 min": runner("mp4", LONG, "--type", "copy"),
        "copy 10 min, of MPEG-TS": runner("mpegts", LONG, "--type", "copy"),
        "cat of the 10 min's segments": ["cat", *sorted((ARCHIVE / "mp4/source").glob("*/*-full-*"))],
        "smart 31 s": runner("mp4", SHORT),
        "smart 31 s, into MPEG-TS": runner("mp4", SHORT, "--format", "ts"),
        "smart 31 s, of MPEG-TS": runner("mpegts", SHORT),
        "smart 10 min": runner("mp4", LONG),
        "full 31 s": runner("mp4", SHORT, "--type", "full"),
        "smartcut 31 s": [SMARTCUT, CLIP, f"{out}/smartcut.mp4", "--keep", f"{SHORT[0]},{SHORT[1]}"],
        "ffmpeg -ss -c copy 31 s": ffmpeg("-c", "copy", *streamed, before=short),
        "ffmpeg encoding 31 s": ffmpeg("-c:v", "libx264", "-c:a", "copy", *streamed, before=short),
    }


def run(command):
    """CPU seconds, milliseconds to the first byte, peak memory in MiB, megabytes written."""
    begun = time.monotonic()
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    first, count = None, 0
    while block := os.read(child.stdout.fileno(), 1 << 20):
        first = first or time.monotonic()
        count += len(block)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {child.returncode}")
    wait_ms = ((first or time.monotonic()) - begun) * 1000
    return usage.ru_utime + usage.ru_stime, wait_ms, usage.ru_maxrss / 1024, count / 1e6


def measure(begins):
    best = {}
    for turn in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=CLIP.parent) as out:
            for name, command in cases(begins, out).items():
                seen = run(command)
                known = best.get(name, seen)
                best[name] = (*map(min, seen[:3], known[:3]), seen[3])
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
    return best


def report(best):
    print(f"\ncut: best of {ROUNDS}; to the first byte from the start of the process")
    print(f"{'':34}{'CPU s':>8}{'first byte ms':>15}{'RSS MiB':>9}{'MB':>8}")
    for name, (seconds, wait_ms, memory, size) in best.items():
        print(f"{name:34}{seconds:8.2f}{wait_ms:15.1f}{memory:9.0f}{size:8.1f}")
    beyond = best["copy 10 min"][0] - best["cat of the 10 min's segments"][0]
    grown = best["copy 10 min"][2] - best["smart 31 s"][2]
    ratio = best["smart 31 s"][0] / best["smartcut 31 s"][0]
    longer = best["smart 10 min"][0] / best["smart 31 s"][0]
    print(f"\nwanted: copy to the first byte <= 5 ms; seen {best['copy 10 min'][1]:.1f}")
    print(f"wanted: copy beyond cat <= 0.2 CPU s; seen {beyond:.2f}")
    print(f"wanted: copy's memory grows <= 32 MiB; seen {best['copy 10 min'][2]:.0f} in all ({grown:+.0f} to smart 31 s)")
    print(f"wanted: smart <= 1/3 of smartcut; seen {ratio:.2f}")
    print(f"wanted: smart to the first byte <= 1000 ms; seen {best['smart 31 s'][1]:.0f}")
    print(f"wanted: smart 10 min <= 1.5 x smart 31 s; seen {longer:.2f}")


if __name__ == "__main__":
    record.make_clip()
    report(measure(make_archive()))
