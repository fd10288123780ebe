// SPDX-License-Identifier: MPL-2.0
//! Single frames that are stamped hours away from their neighbours, as some DVRs send every few
//! seconds. Followed, each would break the recording twice and lie in another hour; so it gets the
//! time at which it arrived, counted from the frame before.
//!
//! Three in a row that agree with each other are no strays: the sender counts from another number.
//!
//! Pure: it is told the time and never asks for it.

use crate::utc::SECOND_NS;

/// A stamp this far from where it should be is a stray. Pauses of the network are not: their frames
/// are late, and stamped one behind the other.
const STRAY_NS: i64 = 5 * SECOND_NS;
/// So many in a row are another timeline.
const MOST: u32 = 3;

/// What is known of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strays {
    /// The last frame that was none.
    last: Option<Seen>,
    /// The last one that was, and how many agree with it.
    strays: Option<(Seen, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    stamp_ns: i64,
    arrived_ns: i64,
}

impl Seen {
    /// Where a frame that arrives now should be.
    fn expected_ns(self, arrived_ns: i64) -> i64 {
        let passed_ns = arrived_ns.saturating_sub(self.arrived_ns).max(1);
        self.stamp_ns.saturating_add(passed_ns)
    }

    /// Whether a frame may follow, stamped as it is.
    fn is_followed_by(self, next: Self) -> bool {
        let step_ns = next.stamp_ns.saturating_sub(self.stamp_ns);
        let off_ns = next
            .stamp_ns
            .saturating_sub(self.expected_ns(next.arrived_ns));
        step_ns.saturating_abs() <= STRAY_NS || off_ns.saturating_abs() <= STRAY_NS
    }
}

impl Strays {
    /// Takes a frame's stamp and the running time at which it arrived. If it is a stray, returns
    /// the stamp that it should have.
    pub fn replaced(&mut self, stamp_ns: i64, arrived_ns: i64) -> Option<i64> {
        let seen = Seen {
            stamp_ns,
            arrived_ns,
        };
        let Some(last) = self.last.filter(|last| !last.is_followed_by(seen)) else {
            self.last = Some(seen);
            self.strays = None;
            return None;
        };
        let before = self.strays.filter(|(stray, _)| stray.is_followed_by(seen));
        let count = before.map_or(1, |(_, count)| count + 1);
        if count >= MOST {
            self.last = Some(seen);
            self.strays = None;
            return None;
        }
        self.strays = Some((seen, count));
        Some(last.expected_ns(arrived_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_NS: i64 = 40_000_000;
    const HOURS_NS: i64 = 9_800 * SECOND_NS;

    #[test]
    fn one_frame_in_another_hour_gets_the_time_of_its_arrival_and_the_next_its_own() {
        let mut strays = Strays::default();
        for n in 1..200 {
            let ns = n * FRAME_NS;
            let off_ns = match n % 50 {
                20 => -HOURS_NS,
                40 | 41 => HOURS_NS,
                _ => 0,
            };
            let expected = (off_ns != 0).then_some(ns);
            assert_eq!(strays.replaced(ns + off_ns, ns), expected, "{n}");
        }
    }

    #[test]
    fn a_sender_that_begins_anew_is_believed_at_the_third_frame() {
        let mut strays = Strays::default();
        let replaced: Vec<bool> = (1..20)
            .map(|n| {
                let off_ns = if n < 10 { 0 } else { HOURS_NS };
                strays
                    .replaced(n * FRAME_NS + off_ns, n * FRAME_NS)
                    .is_some()
            })
            .collect();
        let replaced: Vec<usize> = (0..19).filter(|n| replaced[*n]).collect();
        assert_eq!(replaced, [9, 10]);
    }

    #[test]
    fn what_a_network_held_back_and_pauses_of_the_camera_are_no_strays() {
        let mut strays = Strays::default();
        for (stamp_s, arrived_s) in [
            (0, 0),
            (1, 60),
            (2, 60),
            (3, 60),
            (4, 61),
            (543, 600),
            (544, 1000),
        ] {
            assert_eq!(
                strays.replaced(stamp_s * SECOND_NS, arrived_s * SECOND_NS),
                None,
                "{stamp_s}"
            );
        }
    }
}
