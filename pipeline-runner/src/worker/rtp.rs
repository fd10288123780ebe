// SPDX-License-Identifier: MPL-2.0
//! What is particular to RTP: what a session's description tells beforehand, and streams that
//! come from more than one source (SSRC, RFC 3550, 8).
//!
//! A second source waits while the first is heard, and takes its place, with what has waited, once
//! that is silent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::dynamic::Composer;
use super::protocol::Level;
use super::track::{self, Track, drain};
use crate::config::{Branch, branch};

/// An RTP stream's first source that was silent for this long makes room for the next.
const SSRC_GRACE: Duration = Duration::from_secs(1);

/// An RTP stream that is recorded, and the pad that it comes from.
pub(super) struct Session {
    pub track: glib::WeakRef<Track>,
    pub from: gst::Pad,
    pub chain: &'static str,
}

impl Composer {
    /// Whether a pad is another source of an RTP stream that is recorded already. It is swallowed
    /// while the one before it is heard, and takes its place afterwards.
    pub(super) fn is_another_source(self: &Arc<Self>, pad: &gst::Pad, chain: &'static str) -> bool {
        let Some(session) = session_of(pad) else {
            return false;
        };
        let is_same = |(name, known): &(String, Session)| *name == session && known.chain == chain;
        if !self.sessions().iter().any(is_same) {
            return false;
        }
        let message = format!(
            "the camera sends a stream from two sources (SSRCs): {} is left out while the other is heard",
            pad.name()
        );
        self.reporter.log(Level::Warn, message);
        let composer = Arc::clone(self);
        let held = Mutex::new(VecDeque::new());
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let (false, Some(buffer)) = (pad.is_linked(), info.buffer()) else {
                return gst::PadProbeReturn::Ok;
            };
            let mut waiting = held.lock().unwrap_or_else(PoisonError::into_inner);
            composer.forget_stale(&session, &mut waiting);
            waiting.push_back((track::now_ms(), buffer.clone()));
            if composer.takes_over(pad, &session) {
                let waited = std::mem::take(&mut *waiting);
                drop(waiting);
                for (_, buffer) in waited {
                    let _ = pad.push(buffer);
                }
            }
            gst::PadProbeReturn::Drop
        });
        true
    }

    /// What came before the recorded source was last heard is not wanted.
    fn forget_stale(&self, session: &str, waiting: &mut VecDeque<(u64, gst::Buffer)>) {
        let sessions = self.sessions();
        let known = sessions.iter().find(|(name, _)| name == session);
        let track = known.and_then(|(_, known)| known.track.upgrade());
        let heard_ms = track.map_or(u64::MAX, |track| track.heard_ms());
        while waiting.front().is_some_and(|(at_ms, _)| *at_ms <= heard_ms) {
            waiting.pop_front();
        }
    }

    /// Puts a pad in the place of one that has fallen silent; false while that is heard.
    fn takes_over(&self, pad: &gst::Pad, session: &str) -> bool {
        let mut sessions = self.sessions();
        let known = sessions.iter_mut().find(|(name, _)| name == session);
        let Some((known, track)) = known.and_then(|(_, known)| {
            let track = known.track.upgrade()?;
            track.is_silent(SSRC_GRACE).then_some((known, track))
        }) else {
            return false;
        };
        let Some(entrance) = track.entrance() else {
            return false;
        };
        let before = std::mem::replace(&mut known.from, pad.clone());
        let _ = before.unlink(&entrance);
        let linked = pad.link(&entrance).is_ok();
        drop(sessions);
        drain(&before);
        let message = format!("{} goes on where {} fell silent", pad.name(), before.name());
        self.reporter.log(Level::Warn, message);
        linked
    }
}

/// Why an RTP stream cannot be recorded, as far as the session's description tells.
pub(super) fn rtp_refusal(
    media: &str,
    encoding: Option<&str>,
    caps: &gst::CapsRef,
) -> Option<String> {
    let encoding = encoding.unwrap_or("an encoding without a name");
    let remedy = match media {
        "video" => "set the camera to H.264 or H.265",
        "audio" => "set the camera to AAC, Opus or G.711 (PCMA, PCMU)",
        _ => "only video and audio are",
    };
    if branch("application/x-rtp", Some(media), Some(encoding)) == Branch::Ignore {
        return Some(format!("{encoding} is not recorded; {remedy}"));
    }
    // RFC 3640, 4.1: `config` is required.
    let config = caps
        .structure(0)
        .and_then(|s| s.get::<String>("config").ok());
    let is_hex = |text: &String| {
        !text.is_empty()
            && text.len().is_multiple_of(2)
            && text.bytes().all(|c| c.is_ascii_hexdigit())
    };
    (encoding.eq_ignore_ascii_case("MPEG4-GENERIC") && !config.as_ref().is_some_and(is_hex)).then(
        || {
            format!(
                "AAC came without its configuration (the camera's SDP has no valid config=); {remedy}"
            )
        },
    )
}

/// What the pads of one RTP session of `rtspsrc` have in common: they are named
/// `recv_rtp_src_<session>_<SSRC>_<payload type>`.
pub(super) fn session_of(pad: &gst::Pad) -> Option<String> {
    let name = pad.name();
    let mut parts = name.strip_prefix("recv_rtp_src_")?.split('_');
    parts.next().map(str::to_owned)
}
