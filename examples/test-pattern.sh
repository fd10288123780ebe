# SPDX-License-Identifier: MPL-2.0
# A test pattern with a tone, recorded into ./archive until Ctrl-C (-e closes the last segment).
exec gst-launch-1.0 -e \
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 \
    ! x264enc tune=zerolatency key-int-max=50 ! h264parse ! queue ! sink.video \
    audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse ! queue ! sink.audio_0 \
    archivesink name=sink location=./archive stream=pattern
