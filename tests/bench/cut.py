#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Bench group *cut*: what a cut costs, side by side with other tools, in one run.

The clip of group *record* is recorded into an archive once. Every case then cuts the same range
from it (archivesink's segments) or from the clip itself (the other tools), to a pipe that is read
to its end, so that the time to the first byte is the command's own, start of the process included.
What the same costs where the process runs already and has the frames of the segments in its cache,
as in a server, gst-plugin-segmenter/benches/cut.rs tells. Rounds of all cases are interleaved, each
case's best round counts, CPU seconds are user and system with children. Nothing is asserted; what
is wanted stands beside what was seen, and how busy the machine was.
"""

import datetime
import json
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


def inside(begins):
    """Name and arguments of every case inside a running process."""

    def arguments(kind, seconds):
        start, end = (begins["mp4"] + datetime.timedelta(seconds=at) for at in seconds)
        return [ARCHIVE, "mp4", kind, start.isoformat(), end.isoformat()]

    return {
        "copy 10 min": arguments("copy", LONG),
        "smart 31 s": arguments("smart", SHORT),
    }


def run_inside(arguments):
    """What the benchmark in Rust says, by its own names."""
    command = ["cargo", "bench", "--quiet", "--package", "gst-plugin-segmenter", "--bench", "cut", "--"]
    command += map(str, arguments)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


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
    best, best_inside = {}, {}
    for turn in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=CLIP.parent) as out:
            for name, command in cases(begins, out).items():
                seen = run(command)
                known = best.get(name, seen)
                best[name] = (*map(min, seen[:3], known[:3]), seen[3])
        for name, arguments in inside(begins).items():
            seen = run_inside(arguments)
            known = best_inside.get(name, seen)
            best_inside[name] = {key: min(value, known[key]) for key, value in seen.items()}
        load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        print(f"round {turn + 1} of {ROUNDS}, load {load}", file=sys.stderr)
    return best, best_inside


def report(best, best_inside):
    print(f"\ncut: best of {ROUNDS}; to the first byte from the start of the process")
    print(f"{'':34}{'CPU s':>8}{'first byte ms':>15}{'RSS MiB':>9}{'MB':>8}")
    for name, (seconds, wait_ms, memory, size) in best.items():
        print(f"{name:34}{seconds:8.2f}{wait_ms:15.1f}{memory:9.0f}{size:8.1f}")
    print("\ncut in a process that runs already; to the first byte, nothing cached and then warm")
    print(f"{'':24}{'cold ms':>9}{'warm ms':>9}{'median':>8}{'CPU ms':>8}{'writing CPU s':>15}{'RSS MiB grows':>15}")
    for name, seen in best_inside.items():
        times = [seen[f"{key}_ms"] for key in ("cold_first_byte", "warm_first_byte", "warm_first_byte_median")]
        grown = seen["rss_peak_mib"] - seen["rss_before_mib"]
        print(
            f"{name:24}{times[0]:9.1f}{times[1]:9.1f}{times[2]:8.1f}{seen['warm_first_byte_cpu_ms']:8.1f}"
            f"{seen['writing_cpu_s']:15.2f}{grown:15.0f}"
        )
    copy, smart, cat = best["copy 10 min"], best["smart 31 s"], best["cat of the 10 min's segments"]
    copy_inside, smart_inside = best_inside["copy 10 min"], best_inside["smart 31 s"]
    grown = copy_inside["rss_peak_mib"] - copy_inside["rss_before_mib"]
    beyond = copy_inside["warm_first_byte_cpu_ms"] / 1000 + copy_inside["writing_cpu_s"] - cat[0]
    processors, load = os.cpu_count(), os.getloadavg()[0]
    print(f"\nload {load:.1f} on {processors} processors: where it is more than these, times are others' as well")
    print(
        f"wanted: copy warm to the first byte <= 5 ms; seen {copy_inside['warm_first_byte_ms']:.1f}"
        f" (command line {copy[1]:.0f})"
    )
    print(f"wanted: copy beyond cat <= 0.2 CPU s; seen {beyond:.2f} (command line {copy[0] - cat[0]:.2f})")
    print(f"wanted: copy's memory grows <= 32 MiB; seen {grown:.0f} (command line {copy[2]:.0f} in all)")
    print(f"wanted: smart <= 1/3 of smartcut; seen {smart[0] / best['smartcut 31 s'][0]:.2f}")
    print(
        f"wanted: smart to the first byte <= 1000 ms; seen {smart_inside['warm_first_byte_ms']:.0f}"
        f" (command line {smart[1]:.0f})"
    )
    print(f"wanted: smart 10 min <= 1.5 x smart 31 s; seen {best['smart 10 min'][0] / smart[0]:.2f}")


if __name__ == "__main__":
    record.make_clip()
    report(*measure(make_archive()))
