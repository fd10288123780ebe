// SPDX-License-Identifier: MPL-2.0
//! What can be known of a stream's source by asking it and by walking up the pipeline.
//!
//! * *Live* is what answers a latency query with "live": frames come when they are captured. What
//!   does not (a file, an application that says nothing) comes as fast as it is taken.
//! * *Foreign* stamps are another machine's: whatever has a source that is not a camera or a
//!   microphone at this machine (`Source/Video`, `Source/Audio`), which are stamped by the
//!   pipeline's own clock.
//! * Streams *share* stamps that one demuxer gave them: what one lies to another is then known, and
//!   not for their arrivals to say (a transport stream sends pictures long before their sound).
//! * A source *grows* that has pads which come and go: further streams of it may follow.

use gst::prelude::*;

/// The property by which `rtspsrc` and `rtpbin` are told to give frames reference times.
const REFERENCE_PROPERTY: &str = "add-reference-timestamp-meta";
/// No pipeline worth walking is deeper.
const MOST_ELEMENTS: usize = 64;

/// What is known of a stream's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The least latency of a live source, in nanoseconds.
    pub latency_ns: Option<i64>,
    /// Stamps are another machine's.
    pub foreign: bool,
    /// The demuxer whose streams share their stamps, by a number that is its own.
    pub demuxer: Option<usize>,
    /// Further streams may come.
    pub grows: bool,
    /// An element was told to give frames reference times.
    pub sends_reference_times: bool,
}

impl Upstream {
    /// Frames come when they are captured.
    pub fn is_live(&self) -> bool {
        self.latency_ns.is_some()
    }

    /// Asks what is upstream of a sink pad.
    pub fn of(pad: &gst::Pad) -> Self {
        let mut found = Self {
            latency_ns: latency_ns(pad),
            foreign: true,
            ..Self::default()
        };
        let mut pads = vec![pad.clone()];
        for _ in 0..MOST_ELEMENTS {
            let Some(source) = pads.pop() else {
                break;
            };
            let Some(source) = source.peer() else {
                continue;
            };
            let Some(element) = source.parent_element() else {
                if let Some(ghost) = source.parent().and_downcast::<gst::GhostPad>() {
                    pads.push(ghost.upcast());
                }
                continue;
            };
            found.meet(&element);
            let ghost = source.downcast_ref::<gst::GhostPad>();
            match ghost.and_then(gst::GhostPad::internal) {
                // Into the bin: what stands behind its ghost pad.
                Some(inside) => pads.push(inside.upcast()),
                None => pads.extend(element.sink_pads()),
            }
        }
        found
    }

    fn meet(&mut self, element: &gst::Element) {
        self.sends_reference_times |= told_to(element);
        let class = element.metadata(gst::ELEMENT_METADATA_KLASS);
        let class = class.unwrap_or_default();
        if ["Source/Video", "Source/Audio"]
            .iter()
            .any(|local| class.starts_with(local))
        {
            self.foreign = false;
        }
        if self.demuxer.is_none() && class.starts_with("Codec/Demuxer") {
            self.demuxer = Some(element.as_ptr().addr());
        }
        let sometimes = |template: &gst::PadTemplate| {
            template.direction() == gst::PadDirection::Src
                && template.presence() == gst::PadPresence::Sometimes
        };
        self.grows |= element.pad_template_list().iter().any(sometimes);
    }
}

/// The least latency of what is upstream, if that is live.
fn latency_ns(pad: &gst::Pad) -> Option<i64> {
    let mut query = gst::query::Latency::new();
    if !pad.peer_query(&mut query) {
        return None;
    }
    let (live, least, _) = query.result();
    live.then(|| i64::try_from(least.nseconds()).unwrap_or(i64::MAX))
}

fn told_to(element: &gst::Element) -> bool {
    element.has_property_with_type(REFERENCE_PROPERTY, bool::static_type())
        && element.property::<bool>(REFERENCE_PROPERTY)
}
