// SPDX-License-Identifier: MPL-2.0
//! The test camera keeps its own promises: other tests measure recordings against what it says.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use tests::camera::{Camera, Media, NTP_TO_UNIX_NS, Sent};
use tests::clips::{self, Clip};
use tests::frames::{Codec, Hash};

/// What a client got of one frame: what it shows, and when by the camera's clock, once known.
struct Got {
    codec: Codec,
    picture: Hash,
    utc_ns: Option<i64>,
    has_dts: bool,
}

fn depayloader(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => {
            "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au"
        }
        Codec::H265 => {
            "rtph265depay ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au"
        }
        Codec::Aac => "rtpmp4gdepay ! aacparse",
        Codec::Opus => "rtpopusdepay ! opusparse",
        Codec::Alaw => "rtppcmadepay",
    }
}

/// Receives until the camera ends the stream.
fn receive(camera: &Camera, protocol: &str, video: Codec, audio: Codec) -> Vec<Got> {
    let (video_chain, audio_chain) = (depayloader(video), depayloader(audio));
    let url = &camera.url;
    let pipeline = gst::parse::launch(&format!(
        "rtspsrc name=r location={url} protocols={protocol} add-reference-timestamp-meta=true \
         r. ! application/x-rtp,media=video ! {video_chain} ! fakesink name=v sync=false async=false \
         r. ! application/x-rtp,media=audio ! {audio_chain} ! fakesink name=a sync=false async=false"
    ))
    .expect("the elements are installed")
    .downcast::<gst::Pipeline>()
    .expect("a launch line makes a pipeline");
    let got: Arc<Mutex<Vec<Got>>> = Arc::default();
    for (name, codec) in [("v", video), ("a", audio)] {
        let got = got.clone();
        let sink = pipeline
            .by_name(name)
            .and_then(|sink| sink.static_pad("sink"))
            .expect("named above");
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                let meta = buffer.meta::<gst::ReferenceTimestampMeta>();
                let ntp_ns = meta.map(|meta| meta.timestamp().nseconds() as i64);
                let map = buffer.map_readable().expect("in memory");
                got.lock().expect("no panic").push(Got {
                    codec,
                    picture: codec.picture(&map),
                    utc_ns: ntp_ns.map(|ns| ns - NTP_TO_UNIX_NS),
                    has_dts: buffer.dts().is_some(),
                });
            }
            gst::PadProbeReturn::Ok
        });
    }
    pipeline
        .set_state(gst::State::Playing)
        .expect("rtspsrc starts");
    // RTCP BYE, which ends the stream, may be lost over UDP: then a while after the last frame.
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let mut end = None;
    let mut since_played = 0;
    while end.is_none() && since_played < 4 {
        end = bus.timed_pop_filtered(gst::ClockTime::SECOND, &ends);
        since_played += i32::from(camera.has_played());
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    let error = end.filter(|end| end.type_() == gst::MessageType::Error);
    assert!(error.is_none(), "{error:?}");
    std::mem::take(&mut *got.lock().expect("no panic"))
}

/// The largest distance between a frame's time as received and as sent, in nanoseconds, and the
/// share of frames whose time was known.
fn clock_error(sent: &[&Sent], got: &[&Got]) -> (i64, usize) {
    let known = sent
        .iter()
        .zip(got)
        .filter_map(|(s, g)| Some(g.utc_ns? - s.utc_ns));
    let errors: Vec<i64> = known.map(i64::abs).collect();
    (
        errors.iter().copied().max().unwrap_or(i64::MAX),
        errors.len(),
    )
}

fn check(clip: Clip, protocol: &str, video: Codec, audio: Codec, ahead_ns: i64) {
    let camera = Camera::start(Media::clip(clips::get(clip)).clock_ahead_ns(ahead_ns));
    let got = receive(&camera, protocol, video, audio);
    let sent = camera.sent();
    for codec in [video, audio] {
        let sent: Vec<&Sent> = sent.iter().filter(|frame| frame.codec == codec).collect();
        let got: Vec<&Got> = got.iter().filter(|frame| frame.codec == codec).collect();
        let case = format!("{clip:?} {codec:?} over {protocol}");
        if codec.is_video() {
            assert!(!sent.is_empty(), "{case}: nothing sent");
            let of_sent: Vec<Hash> = sent.iter().map(|frame| frame.picture).collect();
            let of_got: Vec<Hash> = got.iter().map(|frame| frame.picture).collect();
            assert!(
                of_sent == of_got,
                "{case}: sent {}, got {}",
                sent.len(),
                got.len()
            );
        }
        let (error_ns, known) = clock_error(&sent, &got);
        println!(
            "{case}: sent {}, got {}, {known} with a time, at most {error_ns} ns off, {} with DTS",
            sent.len(),
            got.len(),
            got.iter().filter(|g| g.has_dts).count()
        );
        if codec.is_video() {
            assert!(known > sent.len() / 2, "{case}: only {known} times known");
            assert!(error_ns < 1_000_000, "{case}: {error_ns} ns off");
        }
    }
}

#[test]
fn a_client_gets_every_frame_once_with_the_time_of_the_cameras_own_clock() {
    let cases = [
        (Clip::H264BAac, Codec::H264, Codec::Aac),
        (Clip::H264NoBOpus, Codec::H264, Codec::Opus),
        (Clip::H264NoBAlaw, Codec::H264, Codec::Alaw),
        (Clip::H265Aac, Codec::H265, Codec::Aac),
        (Clip::H264OpenAac, Codec::H264, Codec::Aac),
        (Clip::H264VfrAac, Codec::H264, Codec::Aac),
    ];
    std::thread::scope(|scope| {
        for (clip, video, audio) in cases {
            scope.spawn(move || check(clip, "tcp", video, audio, 7_000_000_000));
        }
        // One only: GStreamer shares UDP ports, so two clients may steal each other's packets.
        let behind_ns = -3_600_000_000_000;
        scope.spawn(move || check(Clip::H264BAac, "udp", Codec::H264, Codec::Aac, behind_ns));
    });
}

#[test]
fn a_camera_taken_away_refuses_and_one_brought_back_is_at_the_same_address() {
    let mut camera = Camera::start(Media::live());
    let address = camera
        .url
        .trim_start_matches("rtsp://")
        .trim_end_matches("/cam")
        .to_owned();
    let reachable = || std::net::TcpStream::connect(&address).is_ok();
    for _ in 0..3 {
        assert!(reachable());
        camera.stop();
        assert!(!reachable());
        camera.restart();
    }
    assert!(reachable());
}
