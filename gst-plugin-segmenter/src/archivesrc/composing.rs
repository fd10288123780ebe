// SPDX-License-Identifier: MPL-2.0
//! Composing the cut: it reads and may encode, so it has a thread of its own, and a state change
//! waits neither for it to end nor to give up. What comes of it too late is thrown away.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use gst::subclass::prelude::*;

use super::errors;
use super::imp::{ArchiveSrc, lock};
use super::reel::Reel;
use crate::archive::Archive;
use crate::cut::{self, FrameCache, Request};

impl ArchiveSrc {
    /// Begins to compose what the settings ask for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn start(&self) -> Result<(), gst::ErrorMessage> {
        let order = lock(&self.settings).order();
        let (root, request) = order.map_err(|text| errors::settings(&text))?;
        let run = {
            let mut state = lock(&self.state);
            state.run += 1;
            state.run
        };
        let weak = self.obj().downgrade();
        let cache = self.cache.clone();
        let thread = std::thread::Builder::new().name("archivesrc-cut".into());
        let thread = thread.spawn(move || {
            let compose = AssertUnwindSafe(|| compose(&root, &cache, &request));
            let made = std::panic::catch_unwind(compose).unwrap_or_else(|_| {
                Err(gst::error_msg!(
                    gst::LibraryError::Failed,
                    ("composing the cut panicked")
                ))
            });
            if let Some(obj) = weak.upgrade() {
                obj.imp().composed(run, made);
            }
        });
        thread.map_err(|error| {
            gst::error_msg!(gst::ResourceError::Failed, ("no thread to cut in: {error}"))
        })?;
        Ok(())
    }

    /// Takes what was composed, unless it is wanted no more.
    fn composed(&self, run: u64, made: Result<Reel, gst::ErrorMessage>) {
        let control = self.control.lock();
        if lock(&self.state).run != run {
            return;
        }
        let exposed = made.and_then(|reel| self.expose(reel));
        drop(control);
        if let Err(error) = exposed {
            self.post_error_message(error);
        }
    }

    /// What is being composed is wanted no more.
    pub(super) fn give_up(&self) {
        lock(&self.state).run += 1;
    }
}

fn compose(root: &Path, cache: &FrameCache, request: &Request) -> Result<Reel, gst::ErrorMessage> {
    let archive = Archive::open(root).map_err(|error| errors::read(&error))?;
    let cut = cut::compose(&archive, cache, request, &Default::default());
    cut.map(Reel::new).map_err(|error| errors::cut(&error))
}
