// SPDX-License-Identifier: MPL-2.0
//! kvssink's properties by name and default; the values are kept as they come.

use gst::glib;
use gst::prelude::*;

use super::choice::{UNSET_ACCESS_KEY, UNSET_SECRET_KEY, UNSET_SESSION_TOKEN};

/// Those that hold text.
const TEXTS: [(&str, &str); 11] = [
    ("stream-name", "DEFAULT_STREAM"),
    ("user-agent", "AWS-SDK-KVS-CLIENT"),
    ("content-type", "video/h264"),
    ("codec-id", "V_MPEG4/ISO/AVC"),
    ("track-name", "kinesis_video"),
    ("access-key", UNSET_ACCESS_KEY),
    ("secret-key", UNSET_SECRET_KEY),
    ("session-token", UNSET_SESSION_TOKEN),
    ("aws-region", "us-west-2"),
    ("log-config", "../kvs_log_configuration"),
    ("credential-path", ".kvs/credential"),
];

/// Those that hold a number.
const NUMBERS: [(&str, u32); 14] = [
    ("retention-period", 2),
    ("max-latency", 60),
    ("fragment-duration", 2000),
    ("timecode-scale", 1),
    ("framerate", 25),
    ("avg-bandwidth-bps", 4 * 1024 * 1024),
    ("buffer-duration", 120),
    ("replay-duration", 40),
    ("connection-staleness", 60),
    ("rotation-period", 3600),
    ("storage-size", 128),
    ("stop-stream-timeout", 120),
    ("connection-timeout", 5),
    ("completion-timeout", 10),
];

/// Those that are on or off.
const SWITCHES: [(&str, bool); 10] = [
    ("key-frame-fragmentation", true),
    ("frame-timecodes", true),
    ("absolute-fragment-times", true),
    ("fragment-acks", true),
    ("restart-on-error", true),
    ("recalculate-metrics", true),
    ("disable-buffer-clipping", false),
    ("use-original-pts", false),
    ("get-kvs-metrics", false),
    ("allow-create-stream", true),
];

/// All of them, and what only the stand-in has.
pub fn all() -> Vec<glib::ParamSpec> {
    let texts = TEXTS.map(|(name, default)| {
        glib::ParamSpecString::builder(name)
            .default_value(default)
            .build()
    });
    let numbers = NUMBERS.map(|(name, default)| {
        glib::ParamSpecUInt::builder(name)
            .default_value(default)
            .build()
    });
    let switches = SWITCHES.map(|(name, default)| {
        glib::ParamSpecBoolean::builder(name)
            .default_value(default)
            .build()
    });
    let structures = ["iot-certificate", "stream-tags"]
        .map(|name| glib::ParamSpecBoxed::builder::<gst::Structure>(name).build());
    let own = [
        glib::ParamSpecUInt::builder("stand-in-clock-ahead")
            .blurb("Stand-in only: its clock runs ahead by so many seconds, so that what happens shortly before the expiry happens at once")
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stand-in-stats")
            .blurb("Stand-in only: frames, reads of the file, credentials taken from it, and whose they are now")
            .read_only()
            .build(),
    ];
    texts
        .into_iter()
        .chain(numbers)
        .chain(switches)
        .chain(structures)
        .chain(own)
        .collect()
}
