// SPDX-License-Identifier: MPL-2.0
//! What is downstream of a pad, through queues, tees and bins.

use gst::prelude::*;

use super::AwsCreds;

/// What was found.
#[derive(Default)]
pub struct Found {
    /// What takes credentials as kvssink does.
    pub targets: Vec<gst::Element>,
    /// Source pads where the way ends: what is linked there later is downstream, too.
    pub open: Vec<gst::Pad>,
    /// Elements on the way, which may get more source pads: a tee has none before it is linked.
    pub passed: Vec<gst::Element>,
    seen: Vec<gst::Pad>,
}

/// Looks from this source pad on.
pub fn downstream(src: &gst::Pad) -> Found {
    let mut found = Found::default();
    found.follow(src);
    found
}

/// Whether an element takes credentials as kvssink does, whatever it is called.
pub fn is_target(element: &gst::Element) -> bool {
    let takes_a_path = |pspec: gst::glib::ParamSpec| {
        pspec.value_type() == String::static_type()
            && pspec.flags().contains(gst::glib::ParamFlags::WRITABLE)
    };
    !element.is::<AwsCreds>()
        && element
            .find_property("credential-path")
            .is_some_and(takes_a_path)
}

impl Found {
    fn follow(&mut self, src: &gst::Pad) {
        if self.seen.contains(src) {
            return;
        }
        self.seen.push(src.clone());
        let Some(peer) = src.peer() else {
            self.open.push(src.clone());
            return;
        };
        if let Some(into) = peer.downcast_ref::<gst::GhostPad>() {
            if let Some(inside) = into.internal() {
                self.follow(inside.upcast_ref());
            }
        } else if let Some(out) = peer.parent().and_downcast::<gst::GhostPad>() {
            self.follow(out.upcast_ref());
        } else if let Some(element) = peer.parent_element() {
            if !is_target(&element) {
                element.src_pads().iter().for_each(|pad| self.follow(pad));
                self.passed.push(element);
            } else if !self.targets.contains(&element) {
                self.targets.push(element);
            }
        }
    }
}
