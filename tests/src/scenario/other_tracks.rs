// SPDX-License-Identifier: MPL-2.0
//! The audio track, and tracks that cannot be recorded.

use super::clip;
use super::kinds::{Audio, Extra, Scenario};
use super::pace::{self, Stamper};
use crate::frames::Codec;
use crate::scripted_camera::packets::{self, Header};
use crate::scripted_camera::payload;
use crate::scripted_camera::script::{Act, Event, Note};

const SECOND_NS: i64 = 1_000_000_000;
/// When late audio begins.
const LATE_NS: i64 = 2_000_000_000;

/// What a track is in the SDP, but for its control line.
pub struct Described {
    /// `m=` and what belongs to it.
    pub media: String,
    /// Timestamps a second.
    pub rate: i64,
    /// As in RTP.
    pub payload_type: u8,
}

fn described(rate: i64, payload_type: u8, media: &str) -> Option<Described> {
    let media = media.to_owned();
    Some(Described {
        media,
        rate,
        payload_type,
    })
}

/// The audio track, if there is one.
pub fn audio(scenario: &Scenario) -> Option<Described> {
    match scenario.audio {
        Audio::None => None,
        Audio::Alaw | Audio::AlawLate | Audio::AlawSilent => {
            described(8000, 8, "m=audio 0 RTP/AVP 8\na=rtpmap:8 PCMA/8000\n")
        }
        // AudioSpecificConfig: AAC LC, 48 kHz, mono.
        Audio::Aac | Audio::AacLate | Audio::AacStops => described(
            48_000,
            97,
            "m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/48000/1\n\
             a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
             indexdeltalength=3;config=1188\n",
        ),
    }
}

/// The track that cannot be recorded, if there is one.
pub fn extra(scenario: &Scenario) -> Option<Described> {
    match scenario.extra {
        Extra::None => None,
        Extra::Metadata => described(
            90_000,
            107,
            "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n",
        ),
        Extra::G726 => described(
            8000,
            102,
            "m=audio 0 RTP/AVP 102\na=rtpmap:102 G726-32/8000\n",
        ),
        Extra::AacBare => described(
            48_000,
            103,
            "m=audio 0 RTP/AVP 103\na=rtpmap:103 MPEG4-GENERIC/48000/1\n\
             a=fmtp:103 streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3\n",
        ),
        Extra::Mpeg4Part2 => described(
            90_000,
            104,
            "m=video 0 RTP/AVP 104\na=rtpmap:104 MP4V-ES/90000\na=fmtp:104 profile-level-id=1\n",
        ),
    }
}

/// A track that sends one packet after the other.
pub struct Sender<'a> {
    /// What is chosen.
    pub scenario: &'a Scenario,
    /// Its track's number.
    pub track: usize,
    /// As in RTP.
    pub payload_type: u8,
    /// Its timestamps.
    pub stamper: Stamper,
    /// Its source.
    pub ssrc: u32,
}

impl Sender<'_> {
    fn send(&self, events: &mut Vec<Event>, at_ns: i64, number: usize, payload: &[u8]) {
        let header = Header {
            payload_type: self.payload_type,
            marker: true,
            sequence: (number & 0xffff) as u16,
            timestamp: self.stamper.at(at_ns),
            ssrc: self.ssrc,
        };
        let act = Act::Rtp(packets::rtp(header, payload));
        let track = self.track;
        events.push(Event { at_ns, track, act });
    }

    /// The audio of a session, which is the `session`th.
    pub fn audio(&self, session: usize, until_ns: i64, random: &mut fastrand::Rng) -> Vec<Event> {
        let (from_ns, until_ns) = match self.scenario.audio {
            Audio::AlawLate | Audio::AacLate => (LATE_NS, until_ns),
            Audio::AlawSilent => (until_ns, until_ns),
            Audio::AacStops => (0, until_ns / 2),
            _ => (0, until_ns),
        };
        let is_alaw = self.payload_type == 8;
        let frames = if is_alaw {
            Vec::new()
        } else {
            clip::aac_frames()
        };
        let mut events = Vec::new();
        for number in 0.. {
            let since = i64::try_from(number).expect("few");
            let since_ns = match is_alaw {
                true => since * 20_000_000,
                false => since * 1024 * SECOND_NS / 48_000,
            };
            let at_ns = from_ns + since_ns;
            if at_ns >= until_ns {
                break;
            }
            let index = session * 1000 + number;
            // Noise, so that no two frames are alike.
            let frame: Vec<u8> = match is_alaw {
                true => (0..160).map(|_| random.u8(..)).collect(),
                false => frames[(session * frames.len() / 2 + number) % frames.len()].clone(),
            };
            let (codec, payload) = match is_alaw {
                true => (Codec::Alaw, frame.clone()),
                false => (Codec::Aac, payload::aac(&frame)),
            };
            self.send(&mut events, at_ns, number, &payload);
            let act = Act::Note(Note {
                codec,
                index,
                picture: codec.picture(&frame),
                captured_ns: at_ns,
                clock_ahead_ns: pace::clock_ahead_ns(self.scenario),
                is_lost: false,
            });
            let track = self.track;
            events.push(Event { at_ns, track, act });
        }
        events
    }

    /// What the other track sends, ten or fifty times a second.
    pub fn extra(&self, until_ns: i64, random: &mut fastrand::Rng) -> Vec<Event> {
        let (period_ns, payload): (i64, Vec<u8>) = match self.scenario.extra {
            Extra::None | Extra::Metadata => (
                100_000_000,
                b"<?xml version=\"1.0\"?><tt:MetadataStream xmlns:tt=\"urn\"/>".to_vec(),
            ),
            Extra::G726 => (20_000_000, (0..80).map(|_| random.u8(..)).collect()),
            Extra::AacBare => (
                1024 * SECOND_NS / 48_000,
                payload::aac(&clip::aac_frames()[0]),
            ),
            Extra::Mpeg4Part2 => (
                40_000_000,
                [&[0, 0, 1, 0xb6][..], &[random.u8(..); 60]].concat(),
            ),
        };
        let mut events = Vec::new();
        let times = (0..until_ns).step_by(usize::try_from(period_ns).expect("positive"));
        for (number, at_ns) in times.enumerate() {
            self.send(&mut events, at_ns, number, &payload);
        }
        events
    }
}
