// SPDX-License-Identifier: MPL-2.0
//! The disk is full: nothing that was closed is harmed, the element says so, waits with what it
//! has, and goes on by itself. Real time, since how often a disk is tried again is told by a real
//! clock.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use gstsegmenter::archive::{self, Kind, Policy};
use gstsegmenter::archivesink::Container;
use gstsegmenter::media;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::disk::{Disk, in_own_namespace};
use crate::support::feed::{Feed, play};
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::{Rig, Said};

const DISK_BYTES: u64 = 16 << 20;

struct Recording {
    rig: Rig,
    video: Feed,
    audio: Feed,
    clip: Clip,
    aac: Clip,
}

impl Recording {
    fn new(rig: Rig, seconds: u32) -> Self {
        let mut rig = rig;
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        let (clip, aac) = (Clip::h264(seconds), Clip::aac(seconds));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        Self {
            rig,
            video,
            audio,
            clip,
            aac,
        }
    }

    fn play(&self, from_ns: i64, to_ns: i64) {
        play(&[
            (&self.video, self.clip.between(from_ns, to_ns)),
            (&self.audio, self.aac.between(from_ns, to_ns)),
        ]);
    }

    fn times(&self, frames: &[Frame]) -> Vec<UtcNs> {
        frames
            .iter()
            .map(|frame| self.rig.utc(frame.pts_ns))
            .collect()
    }

    fn finish(&self) -> Vec<Segment> {
        self.rig.finish_with_complaints(&[&self.video, &self.audio]);
        let segments = readback::segments(self.rig.root());
        readback::assert_each_decodes(&segments);
        assert_undamaged(&segments);
        segments
    }

    /// The only message of a name.
    #[track_caller]
    fn only(&self, name: &str) -> Said {
        let said = self.rig.element_messages(name);
        let [only] = &said[..] else {
            panic!("{name} was said {} times: {said:?}", said.len());
        };
        only.clone()
    }
}

fn measure(file: &fs::File, container: archive::Container) -> std::io::Result<archive::Measured> {
    let measured = media::measure(file, container == archive::Container::Ts)?;
    Ok(archive::Measured {
        whole_bytes: measured.whole_bytes,
        duration_ns: measured.duration_ns,
        start: measured.start,
    })
}

/// Every closed segment is what its name says.
fn assert_undamaged(segments: &[Segment]) {
    for segment in segments {
        let bytes = fs::read(&segment.path).expect("it is there");
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
        assert_eq!(
            segment.name.id.to_string(),
            hash,
            "{}",
            segment.path.display()
        );
    }
}

fn field<T: for<'a> gst::glib::value::FromValue<'a> + 'static>(said: &Said, name: &str) -> T {
    let structure = said.message.structure().expect("an element message");
    structure
        .get(name)
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_disk_that_is_full_for_three_seconds_costs_no_frame() {
    in_own_namespace(
        "disk_full::a_disk_that_is_full_for_three_seconds_costs_no_frame",
        || {
            in_both_containers(|container| {
                let disk = Disk::mount(DISK_BYTES);
                let recording = Recording::new(Rig::on_disk(container, disk.path()), 9);
                recording.play(0, 2_500_000_000);
                disk.fill();
                recording.play(2_500_000_000, 5_500_000_000);
                disk.make_room();
                let freed = std::time::Instant::now();
                recording.play(5_500_000_000, i64::MAX);
                let segments = recording.finish();

                let paused = recording.only("archive-paused");
                let reason: String = field(&paused, "reason");
                assert!(reason.contains("No space left"), "{reason}");
                assert_eq!(field::<String>(&paused, "stream"), "cam");
                let resumed = recording.only("archive-resumed");
                assert_eq!(field::<u64>(&resumed, "lost-frames"), 0);
                let late = resumed.at.saturating_duration_since(freed);
                assert!(late < Duration::from_secs(1), "{late:?} until it went on");
                let warnings = recording.rig.warnings();
                assert_eq!(warnings.len(), 1, "{warnings:?}");

                let (video, audio) = (readback::video(&segments), readback::audio(&segments, 0));
                readback::assert_same_times(
                    "video",
                    &video,
                    &recording.times(&recording.clip.frames),
                );
                readback::assert_same_times(
                    "audio",
                    &audio,
                    &recording.times(&recording.aac.frames),
                );
                let (from, to) = (recording.rig.utc(0), recording.rig.utc(9 * SECOND_NS));
                let coverage = readback::coverage(recording.rig.root(), from, to - 1_000_000);
                assert_eq!(coverage.holes, []);
                assert!(
                    segments
                        .iter()
                        .all(|segment| segment.name.kind == Kind::Full)
                );
            });
        },
    );
}

#[test]
fn a_disk_that_is_full_for_long_costs_what_does_not_fit_into_memory_and_nothing_else() {
    let name = "disk_full::a_disk_that_is_full_for_long_costs_what_does_not_fit_into_memory_and_nothing_else";
    in_own_namespace(name, || {
        in_both_containers(|container| {
            let disk = Disk::mount(DISK_BYTES);
            let recording = Recording::new(Rig::on_disk(container, disk.path()), 19);
            recording.play(0, 2_500_000_000);
            let closed = recording.rig.closed();
            assert_eq!(closed.len(), 2);
            disk.fill();
            recording.play(2_500_000_000, 15_500_000_000);
            disk.make_room();
            recording.play(15_500_000_000, i64::MAX);
            let segments = recording.finish();

            recording.only("archive-paused");
            let resumed = recording.only("archive-resumed");
            assert!(field::<u64>(&resumed, "lost-frames") > 0);
            for closed in closed {
                assert!(closed.path.exists(), "{}", closed.path.display());
            }
            // From the first keyframe after there was room, nothing is missing.
            let after = recording.rig.utc(17 * SECOND_NS) - 1_000_000;
            let late = |utc: &UtcNs| *utc >= after;
            let found: Vec<_> = readback::video(&segments)
                .into_iter()
                .filter(late)
                .collect();
            let expected = recording.times(&recording.clip.frames);
            let expected: Vec<_> = expected.into_iter().filter(late).collect();
            readback::assert_same_times("video", &found, &expected);
            // Before it was full, neither; and it is said where it is missing.
            let before = recording.rig.utc(2_300_000_000);
            let early = |utc: &UtcNs| *utc < before;
            let found = readback::video(&segments).into_iter().filter(early).count();
            assert_eq!(found, 58);
            let (from, to) = (recording.rig.utc(0), recording.rig.utc(19 * SECOND_NS));
            let coverage = readback::coverage(recording.rig.root(), from, to - 1_000_000);
            assert_eq!(coverage.holes.len(), 1, "{:?}", coverage.holes);
        });
    });
}

#[test]
fn a_disk_that_is_full_at_the_start_is_waited_for() {
    in_own_namespace(
        "disk_full::a_disk_that_is_full_at_the_start_is_waited_for",
        || {
            in_both_containers(|container| {
                let disk = Disk::mount(DISK_BYTES);
                disk.fill();
                let recording = Recording::new(Rig::on_disk(container, disk.path()), 4);
                recording.play(0, 1_500_000_000);
                disk.make_room();
                recording.play(1_500_000_000, i64::MAX);
                let segments = recording.finish();
                let video = readback::video(&segments);
                readback::assert_same_times(
                    "video",
                    &video,
                    &recording.times(&recording.clip.frames),
                );
            });
        },
    );
}

/// A drive that was pulled out: what is recorded meanwhile must not fill the disk below its mount
/// point, where nobody looks for it.
#[test]
fn a_disk_that_is_not_mounted_any_more_is_waited_for_and_nothing_is_written_below() {
    let name =
        "disk_full::a_disk_that_is_not_mounted_any_more_is_waited_for_and_nothing_is_written_below";
    in_own_namespace(name, || {
        in_both_containers(|container| {
            let disk = Disk::mount(DISK_BYTES);
            let recording = Recording::new(Rig::on_disk(container, disk.path()), 9);
            recording.play(0, 2_500_000_000);
            let taken = disk.take_away();
            recording.play(2_500_000_000, 5_500_000_000);
            let below = std::fs::read_dir(disk.path()).expect("the mount point is there");
            assert_eq!(below.count(), 0, "something was written below");
            disk.put_back(&taken);
            recording.play(5_500_000_000, i64::MAX);
            let feeds = [&recording.video, &recording.audio];
            recording.rig.finish_with_complaints(&feeds);
            // The segment that was open could not get its name.
            archive::recover(recording.rig.root(), &measure).expect("it is there");
            let segments = readback::segments(recording.rig.root());
            readback::assert_each_decodes(&segments);
            assert_undamaged(&segments);

            let paused = recording.only("archive-paused");
            let reason: String = field(&paused, "reason");
            assert!(reason.contains("is not mounted at"), "{reason}");
            recording.only("archive-resumed");
            let video = readback::video(&segments);
            readback::assert_same_times("video", &video, &recording.times(&recording.clip.frames));
        });
    });
}

#[test]
fn with_retention_by_bytes_a_small_disk_is_never_full() {
    in_own_namespace(
        "disk_full::with_retention_by_bytes_a_small_disk_is_never_full",
        || {
            in_both_containers(recorded_under_retention);
        },
    );
}

/// Records several times what the disk holds, sweeping twice a second as the runner does.
fn recorded_under_retention(container: Container) {
    let disk = Disk::mount(512 << 10);
    let recording = Recording::new(Rig::in_folder(container, disk.path()), 60);
    let policy = Policy {
        bytes: Some(256 << 10),
        ..Policy::default()
    };
    let mut deleted_bytes = 0;
    for step in 0..120 {
        recording.play(step * SECOND_NS / 2, (step + 1) * SECOND_NS / 2);
        // A transport stream's muxer has a thread of its own, which may be behind.
        let segments = usize::try_from(step / 2).expect("not negative");
        let kept_up = |rig: &Rig| rig.closed().len() + 2 >= segments;
        recording.rig.wait_until("the segments so far", kept_up);
        let free = || archive::free(disk.path());
        let now = recording.rig.utc(step * SECOND_NS / 2);
        let report = archive::sweep(recording.rig.root(), &policy, now, &free);
        assert!(report.errors.is_empty(), "{report}");
        deleted_bytes += report.deleted_bytes;
    }
    let segments = recording.finish();
    assert!(
        deleted_bytes > 512 << 10,
        "{deleted_bytes} bytes: less than a disk went by"
    );
    assert_eq!(recording.rig.warnings(), Vec::<String>::new());
    assert!(recording.rig.element_messages("archive-paused").is_empty());
    // What is left is the latest, without a gap.
    let first = segments.first().expect("some are left").name.start;
    let coverage = readback::coverage(
        recording.rig.root(),
        first,
        recording.rig.utc(60 * SECOND_NS) - 1_000_000,
    );
    assert_eq!(coverage.holes, []);
}
