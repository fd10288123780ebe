#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What the scripted camera sends: byte streams of H.264 and H.265 in a handful of codings, ADTS, and
# for each video the places of its pictures in the order shown, made once into .cache/camera-clips.
# Does nothing when all is there; safe to run several times at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
clips=.cache/camera-clips
mkdir -p "$clips"
exec 9>.cache/camera-clips.lock
flock 9

# Changes with this script, so that a changed recipe is cooked again.
recipe=$(sha256sum tests/setup/camera_clips.sh | cut -c1-16)
if [ "$(cat "$clips/recipe" 2>/dev/null)" = "$recipe" ]; then
    exit 0
fi

# As many as are sent in ten seconds at the fastest rate, and some.
frames=400
# Everything moves, and each picture's number is in it, so that no two are alike.
picture="testsrc2=size=SIZE:rate=25,noise=alls=6:allf=t:all_seed=7,geq=\
cb='cb(X,Y)':cr='cr(X,Y)':lum='if(lt(Y,8), 16+219*mod(floor(N/pow(2,floor(X/12))),2), lum(X,Y))'"

# order FILE: for each picture of an MP4, in the order stored, its place in the order shown.
order() {
    ffprobe -v error -select_streams v -show_entries packet=pts -of csv=p=0 "$1" | tr -d ',' |
        awk '{ print $1, NR - 1 }' | sort -n | awk '{ print $2, NR - 1 }' | sort -n | cut -d' ' -f2
}

# encode NAME EXT SIZE FILTER OPTION…
encode() {
    local name=$1 ext=$2 size=$3 filter=$4
    shift 4
    echo "camera-clips: encoding $name.$ext" >&2
    local bsf=h264_mp4toannexb
    [ "$ext" = h264 ] || bsf=hevc_mp4toannexb
    ffmpeg -v error -nostdin -y -f lavfi -i "${picture/SIZE/$size}$filter" -frames:v "$frames" \
        -pix_fmt yuv420p "$@" "$clips/.making.mp4"
    ffmpeg -v error -nostdin -y -i "$clips/.making.mp4" -c copy -bsf:v "$bsf" -f "${ext/h265/hevc}" \
        "$clips/$name.$ext"
    order "$clips/.making.mp4" >"$clips/$name.order"
    rm "$clips/.making.mp4"
}

# x264 NAME FILTER PARAMETERS OPTION…: what cameras send has a sequence of its own.
x264() {
    local name=$1 filter=$2 params=$3
    shift 3
    encode "$name" h264 192x112 "$filter" -c:v libx264 -preset veryfast -crf 30 "$@" \
        -x264-params "scenecut=0:repeat-headers=1:$params"
}
x265() {
    encode "$1" h265 192x112 '' -c:v libx265 -preset ultrafast -crf 32 -tag:v hvc1 \
        -x265-params "log-level=error:scenecut=0:repeat-headers=1:$2"
}

cavlc=cabac=0:bframes=0:ref=1:weightp=0:8x8dct=0
x264 plain '' "keyint=25:min-keyint=25:$cavlc"
x264 night '' "keyint=8:min-keyint=8:$cavlc"
x264 slices '' "keyint=25:min-keyint=25:bframes=0:slices=4:sliced-threads=1"
x264 pyramid '' "keyint=25:min-keyint=25:bframes=3:b-adapt=0:b-pyramid=normal:open-gop=0"
# With four B-frames each, four pictures lead every keyframe: shown before it, stored behind it.
x264 open-gop '' "keyint=25:min-keyint=25:bframes=4:b-adapt=0:open-gop=1"
x264 refresh '' "keyint=25:bframes=0:intra-refresh=1"
x264 mbaff '' "keyint=25:min-keyint=25:bframes=0:tff=1" -flags +ilme+ildct
# I pictures that are no place to begin at, every twelve between the IDR pictures every 75.
for ((frame = 0; frame < frames; frame++)); do
    if ((frame % 75 == 0)); then
        echo "$frame I -1"
    elif ((frame % 12 == 0)); then
        echo "$frame i -1"
    fi
done >"$clips/.qpfile"
x264 false-entries '' "keyint=infinite:bframes=0:ref=4:qpfile=$clips/.qpfile"
rm "$clips/.qpfile"

x265 hevc-plain keyint=25:min-keyint=25:bframes=0:open-gop=0
x265 hevc-night keyint=8:min-keyint=8:bframes=0:open-gop=0
x265 hevc-pyramid keyint=25:min-keyint=25:bframes=3:b-adapt=0:open-gop=0
x265 hevc-open-gop keyint=25:min-keyint=25:bframes=4:b-adapt=0:open-gop=1
x265 hevc-slices keyint=25:min-keyint=25:bframes=0:open-gop=0:slices=3

# The same scene by other encoders and in another size: pieces that a camera changes to in mid-stream,
# each with sets of its own id.
for piece in 0 1 2; do
    x264 "ids-$piece" '' "keyint=25:min-keyint=25:bframes=0:sps-id=$piece:chroma-qp-offset=$piece"
done
encode size-1 h264 240x136 '' -c:v libx264 -preset veryfast -crf 30 \
    -x264-params scenecut=0:repeat-headers=1:keyint=25:min-keyint=25:bframes=0
encode hevc-size-1 h265 240x136 '' -c:v libx265 -preset ultrafast -crf 32 -tag:v hvc1 \
    -x265-params log-level=error:scenecut=0:repeat-headers=1:keyint=25:min-keyint=25:bframes=0:open-gop=0

echo 'camera-clips: encoding sound.aac' >&2
ffmpeg -v error -nostdin -y -f lavfi -i "aevalsrc='0.3*sin(2*PI*(200+40*t)*t)+0.05*random(0)':s=48000:d=20" \
    -c:a aac -b:a 64k -aac_pns 0 "$clips/sound.aac"

echo "$recipe" >"$clips/recipe"
