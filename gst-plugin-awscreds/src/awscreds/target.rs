// SPDX-License-Identifier: MPL-2.0
//! The targets, and how they are held back until there are credentials.
//!
//! Looked for whenever something changes: pads are linked, the element or a bin around it gets a
//! parent, an element is added, `target` is set. In gst-launch-1.0, and in programs, all of that
//! comes before the state changes.

use std::path::Path;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{AwsCreds, CAT, lock};
use super::{delivery, errors, walk};

/// What is held, and what is watched for changes.
#[derive(Default)]
pub struct Holding {
    /// Elements whose state we locked.
    held: Vec<glib::WeakRef<gst::Element>>,
    /// Pads, elements and bins that tell us about changes.
    watched: Vec<glib::WeakRef<gst::Object>>,
}

impl AwsCreds {
    /// Looks for targets, and holds those that could start before there are credentials.
    pub(super) fn look(&self) {
        let targets = self.found();
        self.let_go_of_others(&targets);
        let runs = lock(&self.keeper)
            .as_ref()
            .map(|keeper| keeper.path().map(Path::to_owned));
        for target in &targets {
            match &runs {
                None => self.hold(target),
                // The credentials are there already; what is linked now may start.
                Some(Some(path)) if delivery::set_path(target).is_none() => {
                    delivery::give_path(target, path);
                }
                Some(_) => {}
            }
        }
    }

    /// The targets that there are now.
    fn found(&self) -> Vec<gst::Element> {
        let name = lock(&self.settings).target.clone();
        if let Some(name) = name {
            let bin = self.topmost().downcast::<gst::Bin>().ok();
            return bin.and_then(|bin| bin.by_name(&name)).into_iter().collect();
        }
        let found = walk::downstream(&self.src);
        found.open.iter().for_each(|pad| self.watch_pad(pad));
        found
            .passed
            .iter()
            .for_each(|element| self.watch_element(element));
        found.targets
    }

    /// The targets, where one that is named has to be there.
    ///
    /// # Errors
    /// Names what is missing.
    pub(super) fn targets(&self) -> Result<Vec<gst::Element>, gst::ErrorMessage> {
        let targets = self.found();
        let Some(name) = lock(&self.settings).target.clone() else {
            return Ok(targets);
        };
        match targets.first() {
            Some(target) if walk::is_target(target) => Ok(targets),
            Some(_) => Err(errors::settings(&format!(
                "property `target`: `{name}` has no property `credential-path`, so it is no kvssink"
            ))),
            None if gst::ElementFactory::find("kvssink").is_none() => {
                Err(errors::no_kvssink(&name))
            }
            None => Err(errors::settings(&format!(
                "property `target`: there is no element named `{name}` in this pipeline"
            ))),
        }
    }

    fn hold(&self, target: &gst::Element) {
        // What runs has what it needs; what someone else locked is theirs to let go.
        if target.current_state() != gst::State::Null || target.is_locked_state() {
            return;
        }
        gst::debug!(CAT, imp = self, "{} waits for credentials", target.name());
        target.set_locked_state(true);
        lock(&self.holding).held.push(target.downgrade());
    }

    /// Lets a target start; takes it to READY if the bin has done so with the others.
    ///
    /// # Errors
    /// The target did not start, and said why.
    pub(super) fn release(&self, target: &gst::Element) -> Result<(), gst::StateChangeError> {
        if !self.let_go(target) {
            return Ok(());
        }
        let bin = target.parent().and_downcast::<gst::Element>();
        let started = bin
            .is_some_and(|bin| bin.current_state().max(bin.pending_state()) >= gst::State::Ready);
        if started && target.current_state() < gst::State::Ready {
            target.set_state(gst::State::Ready)?;
        }
        Ok(())
    }

    /// Whether it was held.
    fn let_go(&self, target: &gst::Element) -> bool {
        let mut holding = lock(&self.holding);
        let before = holding.held.len();
        holding
            .held
            .retain(|held| held.upgrade().is_some_and(|held| held != *target));
        let was_held = holding.held.len() < before;
        drop(holding);
        if was_held {
            target.set_locked_state(false);
        }
        was_held
    }

    /// Lets go of what is held and not (any more) a target.
    pub(super) fn let_go_of_others(&self, targets: &[gst::Element]) {
        let held: Vec<_> = lock(&self.holding)
            .held
            .iter()
            .filter_map(glib::WeakRef::upgrade)
            .collect();
        for element in held.iter().filter(|held| !targets.contains(held)) {
            self.let_go(element);
        }
    }

    /// The bin around the bin around it, and so on.
    fn topmost(&self) -> gst::Object {
        let mut top: gst::Object = self.obj().clone().upcast();
        while let Some(parent) = top.parent() {
            top = parent;
        }
        top
    }

    /// Watches what is outermost for a parent of its own and for elements.
    pub(super) fn watch_parents(&self) {
        let top = self.topmost();
        if self.is_new(&top) {
            let this = self.downgrade();
            top.connect_notify(Some("parent"), move |_, _| {
                if let Some(this) = this.upgrade() {
                    this.watch_parents();
                }
            });
            if let Some(bin) = top.downcast_ref::<gst::Bin>() {
                let this = self.downgrade();
                bin.connect_deep_element_added(move |_, _, _| {
                    if let Some(this) = this.upgrade() {
                        this.look();
                    }
                });
            }
        }
        self.look();
    }

    fn watch_pad(&self, pad: &gst::Pad) {
        if self.is_new(pad.upcast_ref()) {
            let this = self.downgrade();
            pad.connect_linked(move |_, _| {
                if let Some(this) = this.upgrade() {
                    this.look();
                }
            });
        }
    }

    fn watch_element(&self, element: &gst::Element) {
        if self.is_new(element.upcast_ref()) {
            let this = self.downgrade();
            element.connect_pad_added(move |_, _| {
                if let Some(this) = this.upgrade() {
                    this.look();
                }
            });
        }
    }

    fn is_new(&self, object: &gst::Object) -> bool {
        let watched = &mut lock(&self.holding).watched;
        watched.retain(|watched| watched.upgrade().is_some());
        let new = watched
            .iter()
            .all(|watched| watched.upgrade().as_ref() != Some(object));
        if new {
            watched.push(object.downgrade());
        }
        new
    }
}
