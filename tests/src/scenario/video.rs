// SPDX-License-Identifier: MPL-2.0
//! The video track of a session: NAL units into packets, each at its time.

use super::clip::{Clip, Picture};
use super::edits;
use super::kinds::{Delivery, Loss, Markers, Packing, Scenario, Sei, Sets};
use super::pace::{self, Stamper};
use crate::frames::Codec;
use crate::scripted_camera::access_units::{Role, Unit, role};
use crate::scripted_camera::packets::{self, Header};
use crate::scripted_camera::payload;
use crate::scripted_camera::script::{Act, Event, Note};

/// From capture to the first packet of a frame.
const ENCODING_NS: i64 = 5_000_000;
/// What gathers in this time leaves at once.
const BURST_NS: i64 = 300_000_000;
/// How much earlier SEI alone is.
const EARLIER_NS: i64 = 10_000_000;
const PAYLOAD_TYPE: u8 = 96;

/// The video of one session.
pub struct Video<'a> {
    /// What is chosen.
    pub scenario: &'a Scenario,
    /// What is shown.
    pub clip: &'a Clip,
    /// Its track's number.
    pub track: usize,
    /// Its timestamps.
    pub stamper: Stamper,
    /// Its source.
    pub ssrc: u32,
}

/// Packets to be, with the access unit's end.
struct Outgoing {
    payload: Vec<u8>,
    marker: bool,
    timestamp: u32,
}

impl Video<'_> {
    /// Everything that is sent of these pictures, the first of which is number `first`; `captures_ns`
    /// are for those in the order shown.
    pub fn events(&self, first: usize, pictures: &[Picture], captures_ns: &[i64]) -> Vec<Event> {
        let captured_ns = captured(pictures, captures_ns);
        let departures_ns = self.departures(&captured_ns);
        let lost = self.lost(pictures.len());
        let (mut events, mut sequence) = (Vec::new(), 0_u16);
        for (number, picture) in pictures.iter().enumerate() {
            let is_lost = lost.contains(&number);
            let (at_ns, track) = (departures_ns[number], self.track);
            let mut packets = self.outgoing(first + number, picture, captured_ns[number], pictures);
            let kept = if is_lost {
                packets.len() / 2
            } else {
                packets.len()
            };
            for (place, outgoing) in packets.drain(..).enumerate() {
                if place < kept {
                    let header = Header {
                        payload_type: PAYLOAD_TYPE,
                        marker: outgoing.marker,
                        sequence,
                        timestamp: outgoing.timestamp,
                        ssrc: self.ssrc,
                    };
                    let act = Act::Rtp(packets::rtp(header, &outgoing.payload));
                    events.push(Event { at_ns, track, act });
                }
                sequence = sequence.wrapping_add(1);
            }
            let note = Note {
                codec: self.clip.codec,
                index: first + number,
                picture: self.hash(first + number, picture),
                captured_ns: captured_ns[number],
                clock_ahead_ns: pace::clock_ahead_ns(self.scenario),
                is_lost,
            };
            let act = Act::Note(note);
            events.push(Event { at_ns, track, act });
        }
        events
    }

    /// Frames that lose packets.
    fn lost(&self, count: usize) -> std::ops::Range<usize> {
        let middle = count / 2 + 3;
        match self.scenario.loss {
            Loss::None => 0..0,
            Loss::One => middle..middle + 1,
            Loss::Row => middle..middle + 4,
        }
    }

    /// When each frame leaves: once those before it have, no earlier than an encoder has it.
    fn departures(&self, captured_ns: &[i64]) -> Vec<i64> {
        let mut shown = captured_ns.to_vec();
        shown.sort_unstable();
        let delays = captured_ns.iter().zip(&shown);
        let delay_ns = delays.map(|(captured, shown)| captured - shown).max();
        let leaves = |shown: i64| {
            let at_ns = shown + delay_ns.unwrap_or(0) + ENCODING_NS;
            match self.scenario.delivery {
                Delivery::AtOnce => at_ns,
                Delivery::Bursts => (at_ns / BURST_NS + 1) * BURST_NS,
            }
        };
        shown.into_iter().map(leaves).collect()
    }

    /// Whether the pictures of this place in the clip use another picture parameter set.
    fn uses_other_set(&self, index: usize) -> bool {
        self.scenario.sets == Sets::Used && index % 25 >= 12
    }

    /// Whether another picture parameter set comes with this picture.
    fn brings_other_set(&self, index: usize) -> bool {
        matches!(self.scenario.sets, Sets::Used | Sets::Unused) && index % 25 == 12
    }

    /// The slices as they are sent.
    fn hash(&self, index: usize, picture: &Picture) -> crate::frames::Hash {
        if !self.uses_other_set(index) {
            return picture.hash;
        }
        let units = picture.unit.units.iter();
        let slices = units.filter(|unit| matches!(role(Codec::H264, unit), Role::Slice { .. }));
        let units = slices.map(|unit| edits::slice_of_id_1(unit)).collect();
        crate::scripted_camera::access_units::AccessUnit { units }.picture(self.clip.codec)
    }

    /// The NAL units of a picture: those before its first slice, and from it on.
    fn units(&self, index: usize, picture: &Picture, all: &[Picture]) -> (Vec<Unit>, Vec<Unit>) {
        let codec = self.clip.codec;
        let (mut before, mut slices) = (Vec::new(), Vec::new());
        if self.scenario.packing == Packing::Delimited {
            before.push(edits::delimiter(codec));
        }
        for unit in &picture.unit.units {
            match role(codec, unit) {
                Role::Slice { .. } if self.uses_other_set(index) => {
                    slices.push(edits::slice_of_id_1(unit));
                }
                Role::Slice { .. } => slices.push(unit.clone()),
                Role::ParameterSet if self.scenario.sets == Sets::SdpOnly => (),
                _ => before.push(unit.clone()),
            }
        }
        if self.brings_other_set(index) {
            let units = all.iter().flat_map(|picture| &picture.unit.units);
            let set = units.rev().find(|unit| edits::is_picture_set(codec, unit));
            before.extend(set.map(|set| edits::picture_set_of_id_1(codec, set)));
        }
        if self.scenario.sei == Sei::Joined {
            before.push(edits::user_data(codec, index));
        }
        (before, slices)
    }

    fn outgoing(
        &self,
        index: usize,
        picture: &Picture,
        captured_ns: i64,
        all: &[Picture],
    ) -> Vec<Outgoing> {
        let codec = self.clip.codec;
        let timestamp = self.stamper.at(captured_ns);
        let mut packets = Vec::new();
        if matches!(self.scenario.sei, Sei::Alone | Sei::AloneEarlier) && index.is_multiple_of(5) {
            let earlier_ns = if self.scenario.sei == Sei::Alone {
                0
            } else {
                EARLIER_NS
            };
            packets.push(Outgoing {
                payload: edits::user_data(codec, index),
                marker: true,
                timestamp: self.stamper.at(captured_ns - earlier_ns),
            });
        }
        let most_bytes = match self.scenario.packing {
            Packing::Fragments => 200,
            _ => 1300,
        };
        let (before, slices) = self.units(index, picture, all);
        let mut payloads: Vec<Vec<Vec<u8>>> = Vec::new();
        if self.scenario.packing == Packing::Aggregated && before.len() > 1 {
            let units: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
            payloads.push(vec![payload::aggregate(codec, &units)]);
        } else {
            let each = before.iter();
            payloads.extend(each.map(|unit| payload::fragments(codec, unit, most_bytes)));
        }
        let each = slices.iter();
        payloads.extend(each.map(|unit| payload::fragments(codec, unit, most_bytes)));
        let last_unit = payloads.len() - 1;
        for (number, unit) in payloads.into_iter().enumerate() {
            let last = unit.len() - 1;
            for (place, payload) in unit.into_iter().enumerate() {
                let marker = place == last
                    && match self.scenario.markers {
                        Markers::Right => number == last_unit,
                        Markers::Never => false,
                        Markers::EveryUnit => true,
                    };
                packets.push(Outgoing {
                    payload,
                    marker,
                    timestamp,
                });
            }
        }
        packets
    }
}

/// When each picture was captured, in the order sent.
fn captured(pictures: &[Picture], captures_ns: &[i64]) -> Vec<i64> {
    let mut order: Vec<usize> = (0..pictures.len()).collect();
    order.sort_by_key(|number| pictures[*number].place);
    let mut captured_ns = vec![0; pictures.len()];
    for (number, at_ns) in order.into_iter().zip(captures_ns) {
        captured_ns[number] = *at_ns;
    }
    captured_ns
}
