// SPDX-License-Identifier: MPL-2.0
//! Buffers, events, queries and states: as if the element were not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gst::prelude::*;
use tests::awscreds::launch::{Pipeline, init};
use tests::awscreds::rig::Rig;

/// `awscreds` in a harness, with keys that need no network.
fn harness() -> (gst_check::Harness, tempfile::TempDir) {
    init();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAGIVEN"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ];
    for (name, value) in variables {
        // SAFETY: nextest runs each test in a process of its own, and this is its beginning.
        unsafe { std::env::set_var(name, value) };
    }
    let path = folder.path().join("credentials");
    let element = gst::ElementFactory::make("awscreds")
        .property("credential-path", path.display().to_string())
        .build()
        .expect("it is registered");
    (
        gst_check::Harness::with_element(&element, Some("sink"), Some("src")),
        folder,
    )
}

#[test]
fn a_buffer_comes_out_as_the_very_same() {
    let (mut harness, _folder) = harness();
    harness.set_src_caps_str("video/x-h264");
    let buffer = gst::Buffer::from_slice([1, 2, 3]);
    let pointer = buffer.as_ptr();
    assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    let out = harness.pull().expect("it comes out");
    assert_eq!(out.as_ptr(), pointer);
    assert_eq!(
        harness
            .sinkpad()
            .expect("a pad")
            .current_caps()
            .map(|caps| caps.to_string()),
        Some("video/x-h264".into())
    );
}

#[test]
fn a_list_comes_out_as_a_list() {
    let (mut harness, _folder) = harness();
    harness.set_src_caps_str("video/x-h264");
    let list: gst::BufferList = [gst::Buffer::new(), gst::Buffer::new()]
        .into_iter()
        .collect();
    let sink = harness
        .element()
        .expect("an element")
        .static_pad("sink")
        .expect("a pad");
    let seen = Arc::new(AtomicUsize::new(0));
    let lists = seen.clone();
    let src = harness
        .element()
        .expect("an element")
        .static_pad("src")
        .expect("a pad");
    src.add_probe(gst::PadProbeType::BUFFER_LIST, move |_, info| {
        if let Some(gst::PadProbeData::BufferList(list)) = &info.data {
            lists.store(list.as_ptr() as usize, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let pointer = list.as_ptr() as usize;
    assert_eq!(sink.chain_list(list), Ok(gst::FlowSuccess::Ok));
    assert_eq!(seen.load(Ordering::Relaxed), pointer);
}

#[test]
fn what_downstream_returns_is_returned() {
    let (mut harness, _folder) = harness();
    harness.set_src_caps_str("video/x-h264");
    let src = harness
        .element()
        .expect("an element")
        .static_pad("src")
        .expect("a pad");
    let peer = src.peer().expect("it is linked");
    src.unlink(&peer).expect("it was linked");
    assert_eq!(
        harness.push(gst::Buffer::new()),
        Err(gst::FlowError::NotLinked)
    );
}

#[test]
fn latency_caps_and_allocation_are_asked_of_the_other_side() {
    let (mut harness, _folder) = harness();
    harness.set_src_caps_str("video/x-h264");
    harness.set_upstream_latency(gst::ClockTime::from_mseconds(123));
    assert_eq!(
        harness.query_latency(),
        Some(gst::ClockTime::from_mseconds(123))
    );

    harness.set_sink_caps_str("video/x-h264,stream-format=avc");
    let element = harness.element().expect("an element");
    let sink = element.static_pad("sink").expect("a pad");
    assert_eq!(
        sink.query_caps(None).to_string(),
        "video/x-h264, stream-format=(string)avc"
    );

    let asked = Arc::new(AtomicBool::new(false));
    let heard = asked.clone();
    let downstream = harness.sinkpad().expect("a pad");
    downstream.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Query(query)) = &info.data {
            let allocation = query.type_() == gst::QueryType::Allocation;
            heard.fetch_or(allocation, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let caps = gst::Caps::builder("video/x-h264").build();
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    assert!(sink.query(&mut query));
    assert!(asked.load(Ordering::Relaxed));
}

#[test]
fn eos_and_flushes_pass_and_the_credentials_stay() {
    let (mut harness, folder) = harness();
    harness.set_src_caps_str("video/x-h264");
    let file = folder.path().join("credentials");
    let status = |harness: &gst_check::Harness| {
        let element = harness.element().expect("an element");
        element
            .property_value("status")
            .serialize()
            .expect("an enum")
            .to_string()
    };
    assert!(file.exists());
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(status(&harness), "ready");
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    assert_eq!(harness.push(gst::Buffer::new()), Ok(gst::FlowSuccess::Ok));
    assert!(harness.push_event(gst::event::Eos::new()));
    let mut last = None;
    while let Some(event) = harness.try_pull_event() {
        last = Some(event.type_());
    }
    assert_eq!(last, Some(gst::EventType::Eos));
    assert_eq!(status(&harness), "ready");
    assert!(file.exists());
}

#[test]
fn ranges_are_pulled_through() {
    let rig = Rig::start();
    rig.set_environment();
    let clip = rig.folder.path().join("clip.ogg");
    let make = format!(
        "audiotestsrc num-buffers=50 ! vorbisenc ! oggmux ! filesink location={}",
        clip.display()
    );
    let made = Pipeline::parse(&make);
    made.pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let bus = made.pipeline.bus().expect("a bus");
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos])
        .expect("it ends");

    let line = format!(
        "filesrc location={} ! {} ! oggdemux name=demux ! fakesink",
        clip.display(),
        rig.element()
    );
    let pipeline = Pipeline::parse(&line);
    pipeline
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    let bus = pipeline.pipeline.bus().expect("a bus");
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(60),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert_eq!(end.expect("it ends").type_(), gst::MessageType::Eos);
    let sink = pipeline.element("demux").static_pad("sink").expect("a pad");
    pipeline
        .pipeline
        .set_state(gst::State::Paused)
        .expect("it pauses");
    assert_eq!(sink.mode(), gst::PadMode::Pull);
}

#[test]
fn it_starts_and_stops_many_times_and_leaves_no_thread() {
    const TIMES: usize = 20;
    let rig = Rig::start();
    rig.set_environment();
    let threads = || std::fs::read_dir("/proc/self/task").expect("Linux").count();
    let pipeline = Pipeline::parse(&format!(
        "audiotestsrc is-live=true ! {} ! fakesink",
        rig.element()
    ));
    let mut before = None;
    for _ in 0..TIMES {
        pipeline
            .pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        pipeline.wait_for("awscreds-refreshed");
        pipeline
            .pipeline
            .set_state(gst::State::Null)
            .expect("it stops");
        before.get_or_insert_with(threads);
    }
    // GStreamer's own pool grows and shrinks by some; what is left each time would be all of them.
    let left = threads().saturating_sub(before.unwrap_or(0));
    assert!(left < TIMES / 2, "{left} threads are left");
}
