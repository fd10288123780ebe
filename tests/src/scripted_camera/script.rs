// SPDX-License-Identifier: MPL-2.0
//! What a session sends, packet by packet.

use super::packets::{self, Report};
use crate::frames::{Codec, Hash};

/// All that one session does after PLAY.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The answer to DESCRIBE; each media has `a=control:trackN` with N as in [`Event::track`].
    pub sdp: String,
    /// In the order of time.
    pub events: Vec<Event>,
}

impl Script {
    /// Sorts the events by time; those of one moment stay in their order.
    pub fn sort(&mut self) {
        self.events.sort_by_key(|event| event.at_ns);
    }
}

/// Something the camera does.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, since PLAY.
    pub at_ns: i64,
    /// On which track.
    pub track: usize,
    /// What.
    pub act: Act,
}

/// What the camera does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends an RTP packet, header and all.
    Rtp(Vec<u8>),
    /// Sends a sender report.
    Report {
        /// The clock it tells of.
        clock: Clock,
        /// The other fields; `ntp` is filled in.
        report: Report,
    },
    /// Notes that an access unit or a frame of audio has been sent whole.
    Note(Note),
    /// Closes the connection.
    HangUp,
}

/// The wall clock in a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// This machine's at PLAY, and so much more.
    SincePlay(i64),
    /// These 64 bits.
    Raw(u64),
}

impl Clock {
    /// As NTP counts, if PLAY was at `play_utc_ns`.
    pub fn ntp(self, play_utc_ns: i64) -> u64 {
        match self {
            Self::SincePlay(ns) => packets::ntp(play_utc_ns + ns),
            Self::Raw(ntp) => ntp,
        }
    }
}

/// An access unit or a frame of audio.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// What it is.
    pub codec: Codec,
    /// Its number in its clip, in the order sent.
    pub index: usize,
    /// What is seen or heard, as in [`Codec::picture`].
    pub picture: Hash,
    /// When it was captured, since PLAY, by this machine's clock.
    pub captured_ns: i64,
    /// How far the camera's own clock is ahead of this machine's.
    pub clock_ahead_ns: i64,
    /// Whether packets of it were left out on purpose.
    pub is_lost: bool,
}

/// What was sent, and when.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// What.
    pub note: Note,
    /// In which session.
    pub session: usize,
    /// When it was captured by this machine's clock, in nanoseconds since 1970.
    pub captured_utc_ns: i64,
    /// When it was captured by the camera's own clock.
    pub camera_utc_ns: i64,
    /// When its last packet left, by this machine's clock.
    pub sent_utc_ns: i64,
}
