# SPDX-License-Identifier: MPL-2.0
# A test pattern recorded as MPEG-TS, whose neighbouring segments make one stream by `cat`.
exec gst-launch-1.0 -e \
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 \
    ! x264enc tune=zerolatency key-int-max=50 ! h264parse \
    ! archivesink location=./archive stream=pattern container=mpegts
