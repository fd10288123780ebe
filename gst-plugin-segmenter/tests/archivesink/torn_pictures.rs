// SPDX-License-Identifier: MPL-2.0
//! Pictures as real cameras send them: in pieces, in fields, with parameter sets that change between
//! keyframes, with I pictures that are no place to begin. Whatever comes, each picture is recorded
//! once, each segment of type `full` decodes alone, and what coverage promises is what a cut finds.

use std::collections::HashSet;

use gstsegmenter::archive::{Archive, Kind};
use gstsegmenter::archivesink::Container;
use gstsegmenter::cut::{self, FrameCache, Gaps, Request, Type};
use gstsegmenter::media::bits::{Writer, payload, push_payload};
use gstsegmenter::media::nal::{self, Sets};
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::decode::{self, What};
use crate::support::fields;
use crate::support::in_both_containers;
use crate::support::readback::{self, STREAM, Segment};
use crate::support::rig::Rig;

const AVC: &str = "h264parse ! video/x-h264,stream-format=avc,alignment=au";

/// Records a clip; `change` says at which frame other caps come.
fn record(container: Container, clip: &Clip, change: Option<(usize, &gst::Caps)>) -> Rig {
    let mut rig = Rig::new(container);
    let video = rig.feed("video");
    rig.play();
    video.caps(&clip.caps);
    for (number, frame) in clip.frames.iter().enumerate() {
        if let Some((at, caps)) = change
            && at == number
        {
            video.caps(caps);
        }
        video.push(frame);
    }
    rig.finish_with_complaints(&[&video]);
    rig
}

/// What is decoded of each segment by itself, one behind the other.
fn decoded(segments: &[Segment]) -> Vec<String> {
    let each = segments.iter();
    each.flat_map(|segment| decode::frames(&segment.path, What::Video))
        .collect()
}

/// What is decoded of the whole clip.
fn decoded_clip(clip: &Clip) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whole.mkv");
    clip.write_matroska(&path);
    decode::frames(&path, What::Video)
}

/// All of it is covered, and cuts of it by every type find what coverage promises.
#[track_caller]
fn assert_no_hole(rig: &Rig, segments: &[Segment], pictures: &[UtcNs]) {
    let (from, to) = (
        segments[0].name.start,
        rig.closed().last().expect("segments").end(),
    );
    assert_eq!(readback::coverage(rig.root(), from, to).holes, []);
    let archive = Archive::open(rig.root()).expect("an archive");
    let cache = FrameCache::default();
    let mut random = fastrand::Rng::with_seed(7);
    let mut range = (from, to);
    for _ in 0..12 {
        for kind in [Type::Copy, Type::Rough] {
            let request = Request {
                stream: STREAM.to_owned(),
                variant: "source".to_owned(),
                ranges: vec![range],
                kind,
                allow_holes: false,
                gaps: Gaps::Close,
            };
            let wanted = pictures
                .iter()
                .filter(|utc| (range.0..range.1).contains(*utc));
            let wanted = wanted.count();
            let cut = cut::compose(&archive, &cache, &request, &Default::default());
            match cut {
                Ok(cut) if kind == Type::Copy => {
                    let shown = cut.summary.copied + cut.summary.encoded;
                    assert_eq!(shown, wanted, "{kind} of {range:?}");
                }
                Ok(_) => {}
                Err(error) => assert_eq!(wanted, 0, "{kind} of {range:?}: {error}"),
            }
        }
        let mut moment = || from + random.i64(0..to - from);
        let (one, other) = (moment(), moment());
        range = (one.min(other), one.max(other));
    }
}

/// Each picture once, each segment alone, and no hole.
#[track_caller]
fn assert_whole(rig: &Rig, clip: &Clip, pictures: usize) -> Vec<Segment> {
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    assert!(
        segments
            .iter()
            .all(|segment| segment.name.kind == Kind::Full)
    );
    let expected = decoded_clip(clip);
    assert_eq!(expected.len(), pictures);
    assert_eq!(decoded(&segments), expected);
    let times = readback::video(&segments);
    assert_eq!(times.len(), pictures);
    assert_no_hole(rig, &segments, &times);
    segments
}

fn units(buffer: &gst::BufferRef) -> Vec<Vec<u8>> {
    let map = buffer.map_readable().expect("readable");
    nal::in_sample(&map, 4).map(<[u8]>::to_vec).collect()
}

fn of_units(frame: &Frame, units: &[Vec<u8>]) -> Frame {
    let bytes: Vec<u8> = units.iter().flat_map(|unit| fields::sample(unit)).collect();
    let mut buffer = gst::Buffer::from_slice(bytes);
    let flags = frame.buffer.flags();
    buffer.get_mut().expect("just made").set_flags(flags);
    Frame {
        buffer,
        ..frame.clone()
    }
}

/// Each NAL unit as a buffer, as after a camera that sets the marker on every packet.
fn torn(clip: &Clip) -> Clip {
    let pieces = clip.frames.iter().flat_map(|frame| {
        let units = units(&frame.buffer);
        units.into_iter().map(|unit| of_units(frame, &[unit]))
    });
    Clip {
        caps: clip.caps.clone(),
        frames: pieces.collect(),
    }
}

/// A message in a buffer of its own before each picture, a little earlier.
fn with_messages_alone(clip: &Clip) -> Clip {
    let message = vec![
        0x06, 5, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 9, 0x80,
    ];
    let pieces = clip.frames.iter().flat_map(|frame| {
        let mut alone = of_units(frame, std::slice::from_ref(&message));
        alone.pts_ns -= 3_000_000;
        alone.dts_ns = alone.dts_ns.map(|dts_ns| dts_ns - 3_000_000);
        [alone, frame.clone()]
    });
    Clip {
        caps: clip.caps.clone(),
        frames: pieces.collect(),
    }
}

#[test]
fn slices_and_messages_that_come_one_by_one_are_one_picture() {
    let slices = format!("x264enc key-int-max=25 tune=zerolatency option-string=slices=3 ! {AVC}");
    let whole = Clip::pictures(3, &slices);
    let pieces = torn(&whole);
    assert!(pieces.frames.len() >= 225);
    in_both_containers(|container| {
        for clip in [&pieces, &with_messages_alone(&whole)] {
            assert_whole(&record(container, clip, None), &whole, 75);
        }
    });
}

/// As `rtph264depay` 1.22 does it where markers are set on messages and on nothing else.
#[test]
fn a_picture_that_bears_the_time_of_the_next_one_follows_on_instead() {
    let whole = Clip::pictures(
        3,
        &format!("x264enc key-int-max=25 tune=zerolatency ! {AVC}"),
    );
    let mut clip = whole.clone();
    for number in (4..clip.frames.len() - 1).step_by(5) {
        let next = &clip.frames[number + 1];
        let (pts_ns, dts_ns) = (next.pts_ns, next.dts_ns);
        let frame = &mut clip.frames[number];
        (frame.pts_ns, frame.dts_ns) = (pts_ns, dts_ns);
    }
    in_both_containers(|container| {
        let rig = record(container, &clip, None);
        let segments = assert_whole(&rig, &whole, 75);
        let expected = whole.frames.iter().map(|frame| rig.utc(frame.pts_ns));
        let expected: Vec<UtcNs> = expected.collect();
        readback::assert_same_times("video", &readback::video(&segments), &expected);
    });
}

#[test]
fn two_fields_are_one_picture() {
    let clip = fields::clip(75);
    in_both_containers(|container| {
        let rig = record(container, &clip, None);
        let segments = assert_whole(&rig, &clip, 75);
        assert_eq!(segments.len(), 3);
    });
}

#[test]
fn frames_last_until_the_next_one_whatever_the_stream_claims() {
    let pyramid = "x264enc key-int-max=12 bframes=2 b-adapt=false speed-preset=veryfast";
    let clips = [
        Clip::pictures(
            5,
            &format!("x264enc key-int-max=12 tune=zerolatency ! {AVC}"),
        ),
        Clip::pictures(5, &format!("{pyramid} ! {AVC}")),
    ];
    // Pictures that are dropped, a camera at night, one that slows down by and by, jitter.
    type Pace = fn(&mut fastrand::Rng, i64) -> i64;
    let paces: [Pace; 4] = [
        |random, _| 40 * random.i64(1..9),
        |_, _| 125,
        |_, number| 40 + number * 5,
        |random, _| 40 + random.i64(-18..19),
    ];
    for clip in &clips {
        for pace in paces {
            let expected_pictures = decoded_clip(clip);
            let clip = repaced(clip, pace);
            in_both_containers(|container| {
                let rig = record(container, &clip, None);
                let segments = readback::segments(rig.root());
                // ffmpeg's null output makes 25 frames a second of it, and complains of that.
                assert_eq!(decoded(&segments), expected_pictures);
                let times = readback::video(&segments);
                let expected: Vec<UtcNs> = clip
                    .frames
                    .iter()
                    .map(|frame| rig.utc(frame.pts_ns))
                    .collect();
                readback::assert_same_times("video", &times, &expected);
                assert_no_hole(&rig, &segments, &times);
            });
        }
    }
}

/// The clip with each picture shown for as long as `pace` says, in milliseconds; what its buffers
/// claim to last stays 40 ms.
fn repaced(clip: &Clip, pace: impl Fn(&mut fastrand::Rng, i64) -> i64) -> Clip {
    let mut random = fastrand::Rng::with_seed(1);
    let mut shown: Vec<i64> = clip.frames.iter().map(|frame| frame.pts_ns).collect();
    shown.sort_unstable();
    let mut at_ns = 0;
    let times: Vec<i64> = (0..)
        .zip(&shown)
        .map(|(number, _)| {
            let this_ns = at_ns;
            at_ns += pace(&mut random, number) * 1_000_000;
            this_ns
        })
        .collect();
    // As x264 does it: each is decoded when the one two places before it in the order is shown.
    let frames = clip.frames.iter().enumerate().map(|(turn, frame)| {
        let place = shown.binary_search(&frame.pts_ns).expect("one of them");
        let early_ns = (2 - turn as i64).max(0) * 40_000_000;
        let dts_ns = times[turn.saturating_sub(2)] - early_ns;
        Frame {
            pts_ns: times[place] + SECOND_NS,
            dts_ns: Some(dts_ns + SECOND_NS),
            ..frame.clone()
        }
    });
    Clip {
        caps: clip.caps.clone(),
        frames: frames.collect(),
    }
}

#[test]
fn a_picture_parameter_set_that_comes_between_keyframes_costs_no_picture() {
    let encoder = "x264enc key-int-max=25 tune=zerolatency cabac=false dct8x8=false";
    let clip = Clip::pictures(4, &format!("{encoder} ! {AVC}"));
    let other = with_second_pps(&clip.caps);
    // From the middle of a GOP on, slices refer to the new one.
    let frames = clip
        .frames
        .iter()
        .enumerate()
        .map(|(number, frame)| match number {
            35.. => of_units(
                frame,
                &units(&frame.buffer)
                    .iter()
                    .map(|unit| renamed(unit))
                    .collect::<Vec<_>>(),
            ),
            _ => frame.clone(),
        });
    let changed = Clip {
        caps: clip.caps.clone(),
        frames: frames.collect(),
    };
    let whole = Clip {
        caps: other.clone(),
        frames: changed.frames.clone(),
    };
    in_both_containers(|container| {
        let rig = record(container, &changed, Some((35, &other)));
        assert_whole(&rig, &whole, 100);
        assert_eq!(rig.counted("dropped"), 0);
    });
}

/// The caps with the picture parameter set once more, as number 1.
fn with_second_pps(caps: &gst::Caps) -> gst::Caps {
    let s = caps.structure(0).expect("a structure");
    let avcc = s.get::<gst::Buffer>("codec_data").expect("avc");
    let mut avcc = avcc.map_readable().expect("readable").to_vec();
    let sets = Sets::from_avcc(&avcc).expect("a record");
    let second = renumbered(&sets.pps[0], 0);
    // The number of picture parameter sets stands behind the sequence sets.
    let at = 6 + 2 + sets.sps[0].len();
    assert_eq!(avcc[at], 1);
    avcc[at] = 2;
    let end = at + 1 + 2 + sets.pps[0].len();
    let length = (second.len() as u16).to_be_bytes();
    avcc.splice(end..end, length.into_iter().chain(second));
    let mut caps = caps.clone();
    let codec_data = gst::Buffer::from_slice(avcc);
    caps.make_mut().set("codec_data", codec_data);
    caps
}

/// A slice that refers to picture parameter set 1 instead of 0.
fn renamed(unit: &[u8]) -> Vec<u8> {
    match unit[0] & 0x1f {
        1 | 5 => renumbered(unit, 2),
        _ => unit.to_vec(),
    }
}

/// A unit with a 1 for the 0 that stands behind so many numbers of ue(v).
fn renumbered(unit: &[u8], behind: usize) -> Vec<u8> {
    let payload = payload(unit, 1, usize::MAX).bytes;
    let mut bits = gstsegmenter::media::bits::Bits::new(&payload);
    for _ in 0..behind {
        bits.ue().expect("a number");
    }
    let at = bits.position();
    assert_eq!(bits.ue(), Some(0));
    let last = payload
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("a stop bit");
    let stop = last * 8 + 7 - payload[last].trailing_zeros() as usize;
    let mut new = Writer::default();
    new.copy(&payload, 0, at);
    new.ue(1);
    new.copy(&payload, at + 1, stop);
    let mut renumbered = vec![unit[0]];
    push_payload(&mut renumbered, &new.finish());
    renumbered
}

/// Scenes that change, so that the encoder puts I pictures that are no IDR between.
fn with_i_pictures() -> Clip {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scenes.mp4");
    let kinds = [
        "testsrc2",
        "smptebars",
        "mandelbrot",
        "rgbtestsrc",
        "testsrc",
        "smptehdbars",
    ];
    let inputs = kinds.iter().flat_map(|kind| {
        let source = format!("{kind}=size=160x96:rate=25");
        let options = ["-f", "lavfi", "-t", "1", "-i"].map(str::to_owned);
        options.into_iter().chain([source])
    });
    let streams: String = (0..kinds.len())
        .map(|number| format!("[{number}:v]format=yuv420p[v{number}];"))
        .collect();
    let names: String = (0..kinds.len())
        .map(|number| format!("[v{number}]"))
        .collect();
    let filter = format!("{streams}{names}concat=n={}:v=1", kinds.len());
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(inputs)
        .args([
            "-filter_complex",
            &filter,
            "-c:v",
            "libx264",
            "-refs",
            "4",
            "-bf",
            "0",
        ])
        .args([
            "-x264-params",
            "keyint=250:min-keyint=250:scenecut=60:ref=4",
        ])
        .arg(&path)
        .status();
    assert!(status.expect("ffmpeg is installed").success());
    Clip::from_launch(&format!(
        "filesrc location={} ! qtdemux ! {AVC}",
        path.display()
    ))
}

#[test]
fn segments_begin_where_decoding_can_and_nowhere_else() {
    let scenes = with_i_pictures();
    let refresh =
        format!("x264enc intra-refresh=true key-int-max=25 bframes=0 tune=zerolatency ! {AVC}");
    let refreshed = Clip::pictures(6, &refresh);
    in_both_containers(|container| {
        for clip in [&scenes, &refreshed] {
            let segments = assert_whole(&record(container, clip, None), clip, clip.frames.len());
            assert_eq!(segments.len(), 1, "there is one IDR picture");
        }
    });
}

#[test]
fn a_stream_joined_between_its_only_keyframe_and_the_end_is_recorded_all_the_same() {
    let refresh =
        format!("x264enc intra-refresh=true key-int-max=25 bframes=0 tune=zerolatency ! {AVC}");
    let mut clip = Clip::pictures(25, &refresh);
    clip.frames.drain(..40);
    in_both_containers(|container| {
        let rig = record(container, &clip, None);
        let segments = readback::segments(rig.root());
        assert!(
            segments
                .iter()
                .all(|segment| segment.name.kind == Kind::Suspect)
        );
        let said: HashSet<String> = rig.warnings().into_iter().collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said.iter()
                .any(|text| text.contains("keyframe every two seconds"))
        );
        // Cuts begin where the pictures are right, and say what is missing before.
        let first = segments[0].name.start;
        let end = rig.closed().last().expect("segments").end();
        let archive = Archive::open(rig.root()).expect("an archive");
        let request = |range| Request {
            stream: STREAM.to_owned(),
            variant: "source".to_owned(),
            ranges: vec![range],
            kind: Type::Smart,
            allow_holes: false,
            gaps: Gaps::Close,
        };
        let cache = FrameCache::default();
        let cut = |range| cut::compose(&archive, &cache, &request(range), &Default::default());
        let holes = cut((first, end)).expect_err("the first refresh is not complete");
        assert!(
            holes.to_string().contains("decoding cannot begin"),
            "{holes}"
        );
        let later = (first + 4 * SECOND_NS, first + 6 * SECOND_NS);
        let cut = cut(later).expect("right by then");
        assert_eq!(cut.summary.encoded + cut.summary.copied, 50);
    });
}
