// SPDX-License-Identifier: MPL-2.0
use super::super::stamps::RawStamps;
use super::*;

const FRAME_NS: i64 = 40_000_000;

fn source(demuxer: Option<usize>) -> Upstream {
    Upstream {
        latency_ns: Some(200_000_000),
        foreign: true,
        demuxer,
        ..Upstream::default()
    }
}

/// Two streams whose frames come earlier than their stamps say, the pictures by more; returns how
/// far the sound lies before the pictures of the same stamp.
fn apart_ns(demuxer: Option<usize>) -> i64 {
    gst::init().expect("GStreamer starts");
    let mut clocks = Clocks::new(&Settings::default());
    let (mut timeline, mut outbox) = (Timeline::default(), Outbox::default());
    for (id, kind) in [Kind::Audio, Kind::Video].into_iter().enumerate() {
        clocks.add_stream(kind);
        clocks.set_source(id, source(demuxer));
    }
    for n in 0..500 {
        for (id, early_ns) in [200_000_000, SECOND_NS].into_iter().enumerate() {
            let arrived_ns = n * FRAME_NS;
            let stamp_ns = arrived_ns + early_ns;
            let mut incoming = Incoming {
                buffer: gst::Buffer::new(),
                raw: RawStamps {
                    pts_ns: Some(stamp_ns),
                    ..RawStamps::default()
                },
                sync: true,
                is_makeshift: false,
                reference: None,
            };
            let now = Now {
                running_ns: Some(arrived_ns),
                utc: UtcNs(1_796_000_000 * SECOND_NS + arrived_ns),
                monotonic_ns: arrived_ns,
            };
            clocks.observe(id, &mut incoming, now, n < 25, &mut timeline, &mut outbox);
        }
    }
    clocks.correction_ns(1) - clocks.correction_ns(0)
}

#[test]
fn what_one_demuxer_stamped_keeps_its_distance_and_what_two_senders_did_does_not() {
    assert_eq!(apart_ns(Some(7)), 0);
    assert_eq!(apart_ns(None), 200_000_000 - SECOND_NS);
}

#[test]
fn seconds_that_began_again_at_zero_are_of_the_era_of_the_machine() {
    let in_2040 = UtcNs(2_208_988_800 * SECOND_NS);
    let wrapped = in_2040 - ERA_NS;
    assert_eq!(of_the_same_era(wrapped, in_2040 + SECOND_NS), in_2040);
    let now = UtcNs(1_796_000_000 * SECOND_NS);
    assert_eq!(of_the_same_era(wrapped, now), wrapped);
    assert_eq!(of_the_same_era(now, now), now);
}
