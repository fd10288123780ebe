// SPDX-License-Identifier: MPL-2.0
//! Makes a camera's scripts of a scenario.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::clip::Clip;
use super::kinds::{Beginning, Order, Scenario, Sessions, Sets};
use super::other_tracks::{self, Described, Sender};
use super::pace::{self, Stamper};
use super::video::Video;
use crate::frames::Codec;
use crate::scripted_camera::access_units::{Entry, Role, Unit, role, unit_type};
use crate::scripted_camera::packets::Report;
use crate::scripted_camera::script::{Act, Event, Script};

const SECOND_NS: i64 = 1_000_000_000;
/// How long the camera plays.
const WHOLE_NS: i64 = 9 * SECOND_NS;
const VIDEO_RATE: i64 = 90_000;

/// The scripts of all sessions.
pub fn scripts(scenario: &Scenario, clip: &Clip) -> Vec<Script> {
    let mut random = fastrand::Rng::with_seed(scenario.seed ^ 0x5eed);
    let count = match scenario.sessions {
        Sessions::One => 1,
        Sessions::Two => 2,
    };
    let mut first = 0;
    let sessions = 0..count;
    let script = |session| {
        let last = session + 1 == count;
        let (script, next) = one(
            scenario,
            clip,
            &mut random,
            session,
            first,
            !last,
            WHOLE_NS / count as i64,
        );
        first = next;
        script
    };
    sessions.map(script).collect()
}

/// The first picture of a session that begins at `first` or after.
fn beginning(scenario: &Scenario, clip: &Clip, first: usize) -> usize {
    let is_entry = |at: &usize| clip.pictures[*at].entry != Entry::None;
    let entry = (first..clip.pictures.len()).find(is_entry).unwrap_or(first);
    match scenario.beginning {
        Beginning::Keyframe => entry,
        Beginning::WithinGop => entry + 5,
    }
}

#[allow(clippy::too_many_arguments, reason = "one place calls it")]
fn one(
    scenario: &Scenario,
    clip: &Clip,
    random: &mut fastrand::Rng,
    session: usize,
    first: usize,
    hangs_up: bool,
    until_ns: i64,
) -> (Script, usize) {
    let first = beginning(scenario, clip, first);
    let captures_ns = pace::captures_ns(scenario, random, until_ns);
    let end = (first + captures_ns.len()).min(clip.pictures.len());
    let pictures = &clip.pictures[first..end];
    let audio = other_tracks::audio(scenario);
    let extra = other_tracks::extra(scenario);
    let video = Described {
        media: video_media(scenario, clip),
        rate: VIDEO_RATE,
        payload_type: 96,
    };
    let mut tracks = vec![("video", video)];
    tracks.extend(audio.map(|audio| ("audio", audio)));
    if scenario.order == Order::AudioFirst {
        tracks.reverse();
    }
    tracks.extend(extra.map(|extra| ("extra", extra)));

    let mut script = Script {
        sdp: sdp(&tracks),
        events: Vec::new(),
    };
    for (track, (name, described)) in tracks.iter().enumerate() {
        let stamper = Stamper::new(scenario, described.rate, random, until_ns);
        let ssrc = random.u32(..);
        let sender = Sender {
            scenario,
            track,
            payload_type: described.payload_type,
            stamper,
            ssrc,
        };
        let video = Video {
            scenario,
            clip,
            track,
            stamper,
            ssrc,
        };
        for (at_ns, clock) in pace::reports(scenario, until_ns) {
            let report = Report {
                ssrc,
                ntp: 0,
                timestamp: stamper.at(at_ns),
                packets: 1,
                bytes: 1,
            };
            let act = Act::Report { clock, report };
            script.events.push(Event { at_ns, track, act });
        }
        script.events.extend(match *name {
            "video" => video.events(first, pictures, &captures_ns),
            "audio" => sender.audio(session, until_ns, random),
            _ => sender.extra(until_ns, random),
        });
    }
    script.sort();
    if hangs_up {
        script.events.push(Event {
            at_ns: until_ns,
            track: 0,
            act: Act::HangUp,
        });
    }
    (script, end)
}

fn sdp(tracks: &[(&str, Described)]) -> String {
    let mut sdp =
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=scripted\nc=IN IP4 0.0.0.0\nt=0 0\na=control:*\n"
            .to_owned();
    for (track, (_, described)) in tracks.iter().enumerate() {
        sdp.push_str(&described.media);
        sdp.push_str(&format!("a=control:track{track}\n"));
    }
    sdp
}

fn video_media(scenario: &Scenario, clip: &Clip) -> String {
    let units = &clip.pictures[0].unit.units;
    let is_set = |unit: &&Unit| role(clip.codec, unit) == Role::ParameterSet;
    let sets: Vec<&Unit> = units.iter().filter(is_set).collect();
    let text = |kind: u8| {
        let of_kind = |unit: &&&Unit| unit_type(clip.codec, unit) == kind;
        sets.iter().find(of_kind).map(|unit| STANDARD.encode(unit))
    };
    let text = |kind: u8| text(kind).unwrap_or_default();
    let hides = scenario.sets == Sets::BandOnly;
    match clip.codec {
        Codec::H264 => {
            let sets = if hides {
                String::new()
            } else {
                format!(";sprop-parameter-sets={},{}", text(7), text(8))
            };
            format!(
                "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1{sets}\n"
            )
        }
        _ => {
            let sets = if hides {
                String::new()
            } else {
                let (vps, sps, pps) = (text(32), text(33), text(34));
                format!("a=fmtp:96 sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}\n")
            };
            format!("m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\n{sets}")
        }
    }
}
