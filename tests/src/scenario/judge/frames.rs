// SPDX-License-Identifier: MPL-2.0
//! Every frame that was sent is in the archive exactly once, or its loss has a name.

use std::collections::HashMap;

use super::Case;
use crate::frames::Hash;
use crate::scenario::kinds::{Markers, Sessions};
use crate::scripted_camera::access_units::Entry;
use crate::scripted_camera::script::Sent;

/// What is still on its way when a camera hangs up.
const ON_ITS_WAY_NS: i64 = 500_000_000;

impl Case<'_> {
    /// Whether each frame that was sent has to be in the archive, and if not, why.
    fn fates(&self) -> Vec<Result<(), &'static str>> {
        let ends: HashMap<usize, i64> = self
            .video
            .iter()
            .map(|sent| (sent.session, sent.sent_utc_ns))
            .collect();
        let last_session = self.video.last().map_or(0, |sent| sent.session);
        let mut state = Err("it came before the first place where decoding can begin");
        let mut session = usize::MAX;
        let mut entry_place = 0;
        let mut fates = Vec::new();
        for sent in &self.video {
            let picture = &self.clip.pictures[sent.note.index];
            if sent.session != session {
                session = sent.session;
                state = Err("it came before the first place where decoding can begin");
            }
            if picture.entry != Entry::None {
                // Pictures that lead this one need what was before.
                if state.is_err() {
                    entry_place = picture.place;
                }
                state = Ok(());
            }
            let is_on_its_way = ends[&session] - sent.sent_utc_ns < ON_ITS_WAY_NS;
            let is_cut_off = session != last_session && is_on_its_way;
            fates.push(match state {
                _ if sent.note.is_lost => Err("packets of it were lost"),
                Ok(()) if picture.place < entry_place => Err("it leads the first keyframe"),
                Ok(()) if is_cut_off => Err("it was on its way when the camera hung up"),
                other => other,
            });
            if sent.note.is_lost {
                state = Err("it needs a frame of which packets were lost");
            }
        }
        // Nothing tells where the last one ends.
        if self.scenario.markers == Markers::Never
            && let Some(last) = fates.last_mut()
        {
            *last = Err("nothing tells that it is whole");
        }
        fates
    }

    /// Frames that are missing, there twice, or not the camera's.
    pub(super) fn frames(&self) -> Vec<String> {
        let mut places: HashMap<Hash, Vec<String>> = HashMap::new();
        for segment in &self.segments {
            let name = segment.recorded.path.file_name().unwrap_or_default();
            for (number, stored) in segment.stored.iter().enumerate() {
                let place = format!("frame {number} of {}", name.to_string_lossy());
                places.entry(stored.picture).or_default().push(place);
            }
        }
        let mut faults = Vec::new();
        let mut missing: Vec<&Sent> = Vec::new();
        for (sent, fate) in self.video.iter().zip(self.fates()) {
            match (places.remove(&sent.note.picture), fate) {
                (None, Ok(())) => missing.push(sent),
                (Some(places), _) if places.len() > 1 => {
                    let index = sent.note.index;
                    faults.push(format!("{index} is there twice: {}", places.join(", ")));
                }
                _ => (),
            }
        }
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            faults.insert(
                0,
                format!(
                    "{} of {} are missing, from {} to {}",
                    missing.len(),
                    self.video.len(),
                    first.note.index,
                    last.note.index
                ),
            );
        }
        let has_lost = self.video.iter().any(|sent| sent.note.is_lost)
            || self.scenario.sessions == Sessions::Two;
        if !has_lost && !places.is_empty() {
            let strange: Vec<&String> = places.values().flatten().take(2).collect();
            let count = places.len();
            faults.push(format!(
                "{count} are not the camera's, {strange:?} among them"
            ));
        }
        faults
    }
}
