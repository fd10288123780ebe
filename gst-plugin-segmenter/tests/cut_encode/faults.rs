// SPDX-License-Identifier: MPL-2.0
//! What goes wrong is said, at once and by name; nothing hangs and nothing piles up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gstsegmenter::cut::encode::{EncodeError, Encoder, Feed, Job, Options};

use crate::support::{Video, run};

const SMALL: &str = "testsrc2=size=160x96:rate=25:duration=2";

fn small() -> Video {
    Video::encoded(SMALL, "-c:v libx264 -preset veryfast -bf 3 -g 25")
}

#[test]
fn an_element_that_is_not_installed_is_named() {
    let video = small();
    for (encoder, decoder) in [(Some("nosuchenc"), None), (None, Some("nosuchdec"))] {
        let options = Options {
            encoder: encoder.map(str::to_owned),
            decoder: decoder.map(str::to_owned),
            ..Options::default()
        };
        let error = run(video.job(options), video.feed(0..5)).expect_err("not installed");
        let name = encoder.or(decoder).expect("one of them");
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, EncodeError::ElementMissing { .. }));
    }
}

#[test]
fn a_sample_that_is_cut_short_is_named() {
    let video = small();
    let mut feed = video.feed(0..20);
    let (pts, bytes) = (feed[7].pts, feed[7].sample.len());
    feed[7].sample.truncate(bytes - 1);
    let error = run(video.job(Options::default()), feed).expect_err("cut short");
    assert!(
        matches!(error, EncodeError::Truncated(moment) if moment.pts == pts),
        "{error}"
    );
}

#[test]
fn samples_that_no_decoder_understands_are_an_error() {
    let video = small();
    for with in [0x00, 0x65, 0xff] {
        let mut feed = video.feed(0..20);
        for frame in &mut feed {
            let bytes = u32::try_from(frame.sample.len() - 4).expect("small");
            frame.sample.fill(with);
            frame.sample[..4].copy_from_slice(&bytes.to_be_bytes());
        }
        let error = run(video.job(Options::default()), feed).expect_err("nonsense");
        // If nothing at all was decoded, it is the decoder who says so.
        let names_it = matches!(error, EncodeError::Missing { .. } | EncodeError::Corrupt(_));
        let is_told = matches!(error, EncodeError::Element { .. });
        assert!(names_it || is_told, "{error}");
    }
}

#[test]
fn a_feed_that_begins_in_the_middle_of_a_group_is_an_error() {
    let video = small();
    let feed = video.feed(5..20).split_off(1);
    let error = run(video.job(Options::default()), feed).expect_err("no keyframe");
    let names_it = matches!(error, EncodeError::Missing { .. } | EncodeError::Corrupt(_));
    assert!(names_it, "{error}");
}

#[test]
fn a_feed_that_cannot_be_read_is_an_error_with_its_reason() {
    let video = small();
    let sound = video.feed(0..20).into_iter().map(Ok);
    let feed = sound.chain([Err(io::Error::other("the disk is gone"))]);
    let mut encoder = Encoder::start(video.job(Options::default()), feed).expect("it starts");
    let error = loop {
        match encoder.next() {
            Ok(frame) => assert!(frame.is_some(), "an end without a word"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert!(matches!(encoder.next(), Err(EncodeError::Stopped)));
}

#[test]
fn a_feed_that_panics_is_an_error() {
    let video = small();
    let sound = video.feed(0..20).into_iter().map(Ok);
    let feed = sound.chain(std::iter::once_with(|| panic!("on purpose")));
    let mut encoder = Encoder::start(video.job(Options::default()), feed).expect("it starts");
    let error = loop {
        match encoder.next() {
            Ok(frame) => assert!(frame.is_some(), "an end without a word"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, EncodeError::Element { .. }), "{error}");
}

#[test]
fn what_is_no_entry_of_h264_or_h265_is_refused_wherever_it_is_damaged() {
    let video = small();
    let entry = &video.track.sample_entry;
    // Boxes behind the record may be missing.
    let record = video.track.configuration().expect("avcC").1;
    let ends = entry
        .windows(record.len())
        .position(|bytes| bytes == record);
    let ends = ends.expect("it is in there") + record.len();
    let start = |entry: &[u8]| {
        let job = Job {
            entry: entry.to_vec(),
            ..video.job(Options::default())
        };
        Encoder::start(job, std::iter::empty()).map(drop)
    };
    for length in 0..ends {
        assert!(start(&entry[..length]).is_err(), "{length} bytes");
    }
    start(&entry[..ends]).expect("nothing of use is missing");
    let mut other = entry.clone();
    other[4..8].copy_from_slice(b"av01");
    let error = start(&other).expect_err("not this codec");
    assert!(error.to_string().contains("av01"), "{error}");
}

#[test]
fn a_feed_of_which_nothing_is_kept_gives_nothing() {
    let video = small();
    let mut feed = video.feed(0..20);
    feed.iter_mut().for_each(|frame| frame.keep = false);
    for feed in [feed, Vec::new()] {
        let (sets, frames) = run(video.job(Options::default()), feed).expect("sound");
        assert!(frames.is_empty() && sets.sps.is_empty());
    }
}

/// A clip over and over, for as many frames as are asked for; counts what is read of it.
struct Endless {
    group: Vec<Feed>,
    span: i64,
    count: usize,
    read: Arc<AtomicUsize>,
}

impl Endless {
    fn of(video: &Video, count: usize) -> (Self, Arc<AtomicUsize>) {
        let group = video.feed(0..video.shown().len());
        let span = group.iter().map(|frame| i64::from(frame.duration)).sum();
        let read = Arc::new(AtomicUsize::new(0));
        let endless = Self {
            group,
            span,
            count,
            read: read.clone(),
        };
        (endless, read)
    }
}

impl Iterator for Endless {
    type Item = io::Result<Feed>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.read.fetch_add(1, Ordering::SeqCst);
        let mut frame = self.group[at % self.group.len()].clone();
        let later = self.span * i64::try_from(at / self.group.len()).expect("few");
        (frame.pts, frame.dts) = (frame.pts + later, frame.dts + later);
        (at < self.count).then_some(Ok(frame))
    }
}

#[test]
fn ten_thousand_frames_stream_through_and_never_more_than_a_few_at_once() {
    /// What the threads of decoder and encoder and the reorder buffer may hold.
    const MOST_UNDER_WAY: usize = 96;
    let video = small();
    let (feed, read) = Endless::of(&video, 10_000);
    let mut encoder = Encoder::start(video.job(Options::default()), feed).expect("it starts");
    let mut taken = 0;
    let mut last = i64::MIN;
    while let Some(frame) = encoder.next().expect("sound") {
        assert!(frame.pts > last, "{} after {last}", frame.pts);
        last = frame.pts;
        taken += 1;
        let under_way = read.load(Ordering::SeqCst) - taken;
        assert!(
            under_way <= MOST_UNDER_WAY,
            "{under_way} frames are under way"
        );
    }
    assert_eq!(taken, 10_000);
}

#[test]
fn whoever_drops_the_encoder_stops_it_and_its_feed() {
    let video = small();
    for frames in [0, 1, 10] {
        let (feed, read) = Endless::of(&video, usize::MAX);
        let mut encoder = Encoder::start(video.job(Options::default()), feed).expect("it starts");
        for _ in 0..frames {
            encoder.next().expect("sound").expect("endless");
        }
        drop(encoder);
        assert_eq!(Arc::strong_count(&read), 1, "the feed is gone");
    }
}

#[test]
fn a_camera_that_comes_back_with_another_size_is_scaled_to_the_first() {
    let first = small();
    let wide = "testsrc2=size=320x96:rate=25:duration=1";
    let second = Video::encoded(wide, "-c:v libx264 -preset veryfast -bf 3 -g 25");
    let mut feed = first.feed(0..20);
    let mut others = second.feed(0..20);
    others[0].entry = Some(second.track.sample_entry.clone().into());
    let later = first.shown()[40];
    for frame in &mut others {
        (frame.pts, frame.dts) = (frame.pts + later, frame.dts + later);
    }
    feed.extend(others);
    let mut times: Vec<i64> = feed.iter().map(|frame| frame.pts).collect();
    times.sort_unstable();
    let (_, frames) = run(first.job(Options::default()), feed).expect("sound");
    let out: Vec<i64> = frames.iter().map(|frame| frame.pts).collect();
    assert_eq!(out, times);
}
