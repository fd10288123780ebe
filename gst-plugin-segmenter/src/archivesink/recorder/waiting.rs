// SPDX-License-Identifier: MPL-2.0
//! Frames that wait for what may go on with them (see [`super::super::access_units`]), and when
//! they wait no more.

use super::{Now, Recorder};

impl Recorder {
    /// Nothing goes on with what waits of a stream.
    pub(super) fn complete(&mut self, id: usize, now: Now) {
        let waiting = self
            .streams
            .get_mut(id)
            .and_then(|stream| stream.units.take());
        if let Some(picture) = waiting {
            self.take(id, picture, now);
        }
    }

    /// Takes what has waited for as long as a chunk may: a crash is to lose no more.
    pub(super) fn complete_overdue(&mut self, now: Now) {
        let since_ns = now
            .monotonic_ns
            .saturating_sub(self.settings.chunk_duration_ns);
        for id in 0..self.streams.len() {
            let stream = self.streams.get_mut(id);
            let overdue = stream.and_then(|stream| stream.units.overdue(since_ns));
            if let Some(picture) = overdue {
                self.take(id, picture, now);
            }
        }
    }
}
