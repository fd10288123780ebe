// SPDX-License-Identifier: MPL-2.0
//! A frame's time is the camera's where its clock is sane, and within half a second of its arrival
//! where it is not; times go on as the frames were shown.

use std::collections::HashMap;

use super::Case;
use crate::frames::Hash;
use crate::scenario::kinds::Delivery;
use crate::scripted_camera::script::Sent;

/// Without a clock to be believed.
const ABOUT_NS: i64 = 500_000_000;
/// How long bursts hold a frame back.
const BURST_NS: i64 = 300_000_000;

impl Case<'_> {
    /// By how much a frame's time may be off.
    fn tolerated_ns(&self) -> i64 {
        match self.scenario.has_sane_clock() {
            true => 1_000_000_000 / self.scenario.frames_per_second(),
            false if self.scenario.delivery == Delivery::Bursts => ABOUT_NS + BURST_NS,
            false => ABOUT_NS,
        }
    }

    /// Frames whose time is wrong.
    pub(super) fn times(&self) -> Vec<String> {
        let sent: HashMap<Hash, &Sent> = self
            .video
            .iter()
            .map(|sent| (sent.note.picture, sent))
            .collect();
        let tolerated_ns = self.tolerated_ns();
        let mut faults = Vec::new();
        let mut all = Vec::new();
        let (mut wrong, mut worst_ns) = (0, 0_i64);
        for stored in self.segments.iter().flat_map(|segment| &segment.stored) {
            let Some(sent) = sent.get(&stored.picture) else {
                continue;
            };
            all.push((stored.utc_ns, *sent));
            let off_ns = match self.scenario.has_sane_clock() {
                true => stored.utc_ns - sent.camera_utc_ns,
                // Between capture and arrival, and half a second around it.
                false if stored.utc_ns < sent.captured_utc_ns => {
                    stored.utc_ns - sent.captured_utc_ns
                }
                false => (stored.utc_ns - sent.sent_utc_ns).max(0),
            };
            wrong += usize::from(off_ns.abs() > tolerated_ns);
            if off_ns.abs() > worst_ns.abs() {
                worst_ns = off_ns;
            }
        }
        if wrong > 0 {
            faults.push(format!(
                "{wrong} of {} are off, at worst by {:.3} s",
                all.len(),
                worst_ns as f64 / 1e9
            ));
        }
        all.sort_by_key(|(utc_ns, sent)| (*utc_ns, sent.note.index));
        let place = |sent: &Sent| (sent.session, self.clip.pictures[sent.note.index].place);
        let swapped = all
            .windows(2)
            .filter(|pair| place(pair[0].1) >= place(pair[1].1));
        let swapped: Vec<_> = swapped.collect();
        if let Some(pair) = swapped.first() {
            faults.push(format!(
                "{} pairs are not in the order shown, {} and {} the first",
                swapped.len(),
                pair[0].1.note.index,
                pair[1].1.note.index
            ));
        }
        faults
    }
}
