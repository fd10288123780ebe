#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Other people's clips, recorded and cut: `make soak FATE=DIR`, or `fate.py DIR [NAME…]`.

Takes every clip below DIR whose pictures are H.264, H.265, AV1 or VP9, or whose sound alone is of a
codec that the archive knows; made for a copy of the FATE suite. Each is recorded by `archivesink`
through gst-launch-1.0 and cut by the runner. Judged by ffmpeg, which reads the source and the
result: the same pictures in the same order, none twice, none missing.

A byte stream has no times: it is put into Matroska first, at 25 pictures a second. What ffmpeg
cannot decode whole from the source is no measure, and is told apart.

Prints a line per clip and a summary; exits with 1 if a clip is recorded or cut wrongly without a
reason given. Reasons are the tools' own words.
"""

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
RUNNER = TARGET / "pipeline-runner"
VIDEO = {"h264", "hevc", "av1", "vp9"}
AUDIO = {"aac", "mp2", "mp3", "ac3", "eac3", "opus", "flac", "pcm_alaw", "pcm_mulaw"}
BYTE_STREAMS = {"h264", "hevc", "obu", "av1"}
LIMIT_S = 120
SEGMENT = re.compile(r"(\d\d):(\d\d\.\d+)-([\d.]+)-(\w+)-")


def run(*command, env=None):
    """Runs a program; returns its code and what it wrote, or code None where it hangs."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return None, "", f"not done in {LIMIT_S} s"


def probe(path):
    code, out, _ = run(
        "ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", path
    )
    return json.loads(out or "{}") if code == 0 else {}


def pictures(path):
    """What ffmpeg shows of a file: (time in s, hash) of each picture, and what it complained of."""
    code, out, err = run(
        "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:v:0",
        "-fps_mode", "passthrough", "-copyts", "-enc_time_base", "1:90000", "-f", "framemd5", "-",
    )
    shown = []
    for line in out.splitlines():
        if not line.startswith("#"):
            parts = [part.strip() for part in line.split(",")]
            shown.append((int(parts[2]) / 90000, parts[5]))
    return shown, (err if code == 0 else err or f"exit code {code}")


def first_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return re.sub(r"0x[0-9a-f]+", "", lines[0])[:150] if lines else "nothing said"


def in_matroska(path, codec, folder):
    out = folder / "clip.mkv"
    code, _, err = run(
        "ffmpeg", "-nostdin", "-v", "error", "-fflags", "+genpts", "-r", "25", "-i", path,
        "-map", "0:v:0", "-c", "copy", out,
    )
    return (out, None) if code == 0 and not err else (None, first_line(err))


def record(path, codec, folder):
    media = "audio" if codec in AUDIO else {
        "h264": "video/x-h264", "hevc": "video/x-h265", "av1": "video/x-av1", "vp9": "video/x-vp9",
    }[codec]
    caps = "audio/mpeg;audio/x-ac3;audio/x-eac3;audio/x-opus;audio/x-flac;audio/x-alaw;audio/x-mulaw"
    pad = "audio_0" if media == "audio" else "video"
    code, out, err = run(
        "gst-launch-1.0", "-q", "-e", "filesrc", f"location={path}", "!", "parsebin", "!",
        caps if media == "audio" else media, "!", "queue", "!",
        *(["aacparse", "!"] if codec == "aac" else []), f"a.{pad}",
        "archivesink", "name=a", f"location={folder}/archive", "stream=clip",
        env={"GST_PLUGIN_PATH": str(TARGET)},
    )
    said = [line for line in (out + err).splitlines() if "ERROR" in line or "WARN" in line]
    return code, said[0].strip()[:150] if said else ""


def segments(folder):
    found = []
    for file in sorted(folder.glob("archive/clip/source/*/*")):
        match = SEGMENT.match(file.name)
        hour = datetime.datetime.strptime(file.parent.name, "%Y-%m-%dT%H")
        start = hour + datetime.timedelta(minutes=int(match[1]), seconds=float(match[2]))
        found.append((start, datetime.timedelta(seconds=float(match[3])), match[4], file))
    return found


def cut(folder, kind, start, end):
    out = folder / f"{kind}.mp4"
    moment = "%Y-%m-%dT%H:%M:%S.%fZ"
    code, _, err = run(
        RUNNER, "cut", "--archive", folder / "archive", "--stream", "clip", "--type", kind,
        "--start", start.strftime(moment), "--end", end.strftime(moment),
        "--output", out, "--force", "--quiet",
    )
    return (out, None) if code == 0 else (None, first_line(err) if code is not None else err)


def judge_cuts(folder, codec, source, start):
    """A fault for each type whose cut of the middle, between two pictures, is not exact. Edges of
    AV1 and VP9 are not encoded, which the command says; so `copy` alone applies to them."""
    count = len(source)
    first, after = count // 3, count - count // 4
    if after - first < 3:
        return []
    moment = lambda at: start + datetime.timedelta(seconds=source[at][0] - source[0][0] - 0.002)
    wanted = [digest for _, digest in source[first:after]]
    faults = []
    for kind in ["copy", "smart", "full"] if codec in ("h264", "hevc") else ["copy"]:
        out, why = cut(folder, kind, moment(first), moment(after))
        if out is None:
            faults.append(f"{kind}: {why}")
            continue
        shown, said = pictures(out)
        # ffmpeg's decoder of AV1 gives out what the edit list hides, at times before zero.
        digests = [digest for at, digest in shown if at > -0.001 or codec != "av1"]
        if len(digests) != len(wanted):
            faults.append(f"{kind}: {len(digests)} pictures, not {len(wanted)}")
        elif kind == "copy" and digests != wanted:
            faults.append("copy: other pictures")
        elif said:
            faults.append(f"{kind}: ffmpeg says {first_line(said)}")
    return faults


def clip(path):
    """The verdict on a clip: (is it a measure, is it right, words)."""
    info = probe(path)
    streams = info.get("streams", [])
    codecs = {"video": None, "audio": None}
    for stream in streams:
        kind = stream.get("codec_type")
        if kind in codecs and codecs[kind] is None:
            codecs[kind] = stream.get("codec_name")
    codec = codecs["video"] or codecs["audio"]
    if codec not in VIDEO | AUDIO:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source_path = path
        if info["format"]["format_name"].split(",")[0] in BYTE_STREAMS:
            source_path, why = in_matroska(path, codec, folder)
            if source_path is None:
                return codec, False, False, f"no times can be made for it: {why}"
        if codec in AUDIO:
            code, said = record(source_path, codec, folder)
            is_there = bool(code == 0 and segments(folder))
            words = "recorded (sound is not compared)" if is_there else f"not recorded: {said or code}"
            return codec, not is_there, False, words
        source, said = pictures(source_path)
        if said or not source:
            return codec, False, False, f"ffmpeg cannot decode it: {first_line(said)}"
        code, said = record(source_path, codec, folder)
        found = segments(folder)
        if code != 0 or not found:
            return codec, True, False, f"not recorded: {said or code}"
        bad = [kind for _, _, kind, _ in found if kind != "full"]
        start, (last, lasts, _, _) = found[0][0], found[-1]
        whole, why = cut(folder, "copy", start, last + lasts + datetime.timedelta(milliseconds=1))
        if whole is None:
            return codec, True, False, f"whole: {why}"
        shown = [digest for _, digest in pictures(whole)[0]]
        if shown != [digest for _, digest in source]:
            words = f"whole: {len(shown)} pictures, not {len(source)}"
            if len(shown) == len(source):
                words = "whole: other pictures"
            return codec, True, False, f"{words}{' ' + said if said else ''}{' ' + bad[0] if bad else ''}"
        faults = judge_cuts(folder, codec, source, start)
        return codec, True, not faults, "; ".join(faults) or "recorded whole, cut exactly"


def main():
    if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_dir():
        print("usage: fate.py DIR [NAME…]   (DIR: a folder with clips, such as a FATE suite)", file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size > 500]
    files = [path for path in files if not sys.argv[2:] or any(part in str(path) for part in sys.argv[2:])]
    count = {"exact": 0, "wrong": 0, "no measure": 0}
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for path, verdict in zip(files, pool.map(clip, files)):
            if verdict is None:
                continue
            codec, is_measure, is_right, words = verdict
            result = "exact" if is_right else "wrong" if is_measure else "no measure"
            count[result] += 1
            print(f"{result:10} {codec:6} {path.relative_to(root)}: {words}", flush=True)
    measured = count["exact"] + count["wrong"]
    share = 100 * count["exact"] / measured if measured else 0
    print(f"{count['exact']} of {measured} exact ({share:.0f} %); {count['no measure']} are no measure")
    if measured == 0:
        print(f"{root} has no clip that could be judged", file=sys.stderr)
    return 0 if measured and not count["wrong"] else 1


if __name__ == "__main__":
    sys.exit(main())
