#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Bench group *record*: what recording costs, side by side with peers, in one run.

Ten minutes of 1080p30 H.264 at 4 Mbit/s with AAC are cut into segments again as fast as possible.
The machines are shared and noisy, so the rounds of all cases are interleaved, each case's best
round counts, and the figure is CPU seconds (user and system, children included) per hour of
video, never wall time. Nothing is asserted; what is wanted stands beside what was seen.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIP = ROOT / ".cache/bench/1080p30-10min.mp4"
PLUGINS = ROOT / "target/release"
CLIP_S = 600
# No run takes longer; one that does has hung.
LONGEST_S = 180
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def make_clip():
    """One minute is encoded, then repeated without encoding."""
    if CLIP.exists():
        return
    CLIP.parent.mkdir(parents=True, exist_ok=True)
    minute = CLIP.with_name("1080p30-1min.mp4")
    quiet = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    print("encoding the clip (once, about two minutes)", file=sys.stderr)
    subprocess.run(
        quiet
        + ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30,noise=alls=12:allf=t"]
        + ["-f", "lavfi", "-i", "sine=440:r=48000", "-t", "60", "-pix_fmt", "yuv420p"]
        + ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-maxrate", "4M"]
        + ["-bufsize", "8M", "-g", "60", "-bf", "3", "-c:a", "aac", "-b:a", "128k", str(minute)],
        check=True,
    )
    part = CLIP.with_suffix(".part.mp4")
    subprocess.run(quiet + ["-stream_loop", "9", "-i", str(minute), "-c", "copy", str(part)], check=True)
    part.rename(CLIP)
    minute.unlink()


def pipeline(video, audio, tail=""):
    text = (
        f"gst-launch-1.0 -q filesrc location={CLIP} ! qtdemux name=d "
        f"d.video_0 ! queue ! h264parse ! {video} d.audio_0 ! queue ! aacparse ! {audio} {tail}"
    )
    return text.split()


def cases(out):
    """Name, command, of every case; `out` is a folder for what it writes."""
    archive = f"archivesink name=a location={out} stream=s target-duration=6000000000"
    ffmpeg = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(CLIP), "-c", "copy", "-f", "segment"]
    split = f"splitmuxsink name=m muxer-factory=mp4mux max-size-time=6000000000 location={out}/%05d.mp4"
    hls = f"hlssink2 name=m target-duration=6 max-files=0 location={out}/%05d.ts playlist-location={out}/p.m3u8"
    return {
        "pipeline into fakesink": pipeline("fakesink", "fakesink"),
        "archivesink mp4": pipeline("a.video", "a.audio_0", archive),
        "archivesink mp4 fsync=segment": pipeline("a.video", "a.audio_0", archive + " fsync=segment"),
        "archivesink mpegts": pipeline("a.video", "a.audio_0", archive + " container=mpegts"),
        "archivesink mpegts fsync=segment": pipeline("a.video", "a.audio_0", archive + " container=mpegts fsync=segment"),
        "ffmpeg segment mp4": ffmpeg + ["-segment_time", "6", f"{out}/%05d.mp4"],
        "ffmpeg segment mpegts": ffmpeg + ["-segment_time", "6", f"{out}/%05d.ts"],
        "splitmuxsink mp4mux": pipeline("m.video", "m.audio_0", split),
        "hlssink2": pipeline("m.video", "m.audio", hls),
        "sha256sum of the clip": ["sha256sum", str(CLIP)],
    }


def run(command):
    """CPU seconds and peak memory of one run, and how many files it left."""
    env = dict(os.environ, GST_PLUGIN_PATH=str(PLUGINS))
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    alarm = threading.Timer(LONGEST_S, child.kill)
    alarm.start()
    _, status, usage = os.wait4(child.pid, 0)
    alarm.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode == -signal.SIGKILL:
        # hlssink2 of GStreamer 1.22.0 does that at the end of the stream, now and then.
        print(f"hung, and does not count: {' '.join(command)}", file=sys.stderr)
        return None
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure():
    best = {}
    for turn in range(ROUNDS):
        for name in cases(""):
            out = tempfile.mkdtemp(dir=CLIP.parent)
            try:
                usage = run(cases(out)[name])
                files = sum(len(names) for _, _, names in os.walk(out))
            finally:
                shutil.rmtree(out)
            if usage is None:
                continue
            seconds, memory = usage
            per_hour = seconds * 3600 / CLIP_S
            if name not in best or per_hour < best[name][0]:
                best[name] = (per_hour, memory, files)
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
    return best


def report(best):
    base = best["pipeline into fakesink"][0]
    ffmpeg = best["ffmpeg segment mp4"][0]
    print(f"\nrecord: CPU seconds per hour of video, best of {ROUNDS}")
    print(f"{'':34}{'CPU s/h':>8}{'over fakesink':>15}{'x ffmpeg mp4':>14}{'RSS MiB':>9}{'files':>7}")
    for name, (seconds, memory, files) in best.items():
        print(f"{name:34}{seconds:8.2f}{seconds - base:15.2f}{seconds / ffmpeg:14.2f}{memory:9.0f}{files:7}")
    ratio = best["archivesink mpegts"][0] / best["hlssink2"][0]
    print(f"\nwanted: archivesink mp4 over fakesink <= 1.5; seen {best['archivesink mp4'][0] - base:.2f}")
    print(f"wanted: archivesink mpegts <= 0.5 x hlssink2; seen {ratio:.2f}")


if __name__ == "__main__":
    make_clip()
    report(measure())
