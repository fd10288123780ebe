// SPDX-License-Identifier: MPL-2.0
//! Segments that are closed but not told of yet, because their times may still move.
//!
//! A camera's clock is known a second to three after its first frame (`rtspsrc` needs an RTCP
//! sender report). Frames are recorded at once all the same, by the machine's clock. When the
//! camera's clock becomes known, a new segment begins with it, and the ones before are moved by
//! the difference and only then told of. If it never does, they are told of as they are.

use crate::media::TimeSource;

use super::notice::Notice;

/// A camera's clock that is not known after this long, in real time, is not waited for.
const WAIT_NS: i64 = 10_000_000_000;

/// The segments so far.
#[derive(Debug, Default)]
pub struct Provisional {
    /// By how much they are to be moved, once that is known.
    pub shift_ns: Option<i64>,
    /// A camera's clock is on probation: it is waited for.
    pub on_probation: bool,
    since_ns: Option<i64>,
    held: Vec<Notice>,
}

impl Provisional {
    /// Takes segments timed by the machine's clock out of `notices`, and puts them back when it
    /// is known whether they move. True when nothing more is to be held.
    pub fn hold(&mut self, now_ns: i64, notices: &mut Vec<Notice>) -> bool {
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        let by_clock = |notice: &mut Notice| matches!(notice, Notice::Segment { mark, .. } if mark.time_source == TimeSource::Clock);
        self.held.extend(notices.extract_if(.., by_clock));
        // Segments close in order: one by the camera's clock is the last that was waited for.
        let by_camera = notices
            .iter()
            .any(|notice| matches!(notice, Notice::Segment { .. }));
        let waited_ns = now_ns.saturating_sub(since_ns);
        let over = waited_ns
            >= if self.on_probation {
                WAIT_NS * 2
            } else {
                WAIT_NS
            };
        if self.shift_ns.is_none() && !over {
            return false;
        }
        let shift_ns = self.shift_ns;
        let told = self.held.drain(..).map(|notice| match (notice, shift_ns) {
            (Notice::Segment { finished, mark }, Some(shift_ns)) => Notice::Retime {
                finished,
                mark,
                shift_ns,
            },
            (notice, _) => notice,
        });
        notices.splice(0..0, told);
        by_camera || over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Container, Finished, Id, Kind, SegmentName};
    use crate::media::SegmentMark;
    use crate::utc::UtcNs;

    fn closed(time_source: TimeSource) -> Notice {
        let name = SegmentName {
            start: UtcNs(0),
            duration_ns: 1,
            kind: Kind::Full,
            id: Id::Hash([0; 32]),
            container: Container::Mp4,
        };
        let finished = Finished {
            path: "a".into(),
            name,
            bytes: 1,
        };
        let mark = SegmentMark {
            origin: UtcNs(0),
            discontinuity: false,
            time_source,
            run: [0; 16],
            sequence: 0,
        };
        Notice::Segment { finished, mark }
    }

    #[test]
    fn segments_wait_for_the_cameras_clock_and_are_then_moved_before_any_later_one_is_told_of() {
        let mut provisional = Provisional::default();
        let mut notices = vec![closed(TimeSource::Clock)];
        assert!(!provisional.hold(0, &mut notices));
        assert!(notices.is_empty());
        provisional.shift_ns = Some(5);
        notices.push(closed(TimeSource::Clock));
        assert!(
            !provisional.hold(1, &mut notices),
            "the current one may still be by the clock"
        );
        assert!(matches!(
            notices.as_slice(),
            [
                Notice::Retime { shift_ns: 5, .. },
                Notice::Retime { shift_ns: 5, .. }
            ]
        ));
        let mut notices = vec![closed(TimeSource::Reference)];
        assert!(provisional.hold(2, &mut notices));
        assert!(matches!(notices.as_slice(), [Notice::Segment { .. }]));
    }

    #[test]
    fn a_camera_that_never_tells_its_time_is_not_waited_for_for_ever() {
        let mut provisional = Provisional::default();
        let mut notices = vec![closed(TimeSource::Clock)];
        assert!(!provisional.hold(0, &mut notices));
        assert!(provisional.hold(WAIT_NS, &mut notices));
        assert!(matches!(notices.as_slice(), [Notice::Segment { .. }]));
    }
}
