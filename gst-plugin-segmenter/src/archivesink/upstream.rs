// SPDX-License-Identifier: MPL-2.0
//! What can be known of a stream's source by walking up the pipeline.

use gst::prelude::*;

/// The property by which `rtspsrc` and `rtpbin` are told to give frames reference times.
const REFERENCE_PROPERTY: &str = "add-reference-timestamp-meta";
/// No pipeline worth walking is deeper.
const MOST_ELEMENTS: usize = 64;

/// Whether an element upstream of this pad was told to give frames reference times.
pub fn sends_reference_times(pad: &gst::Pad) -> bool {
    let mut pads = vec![pad.clone()];
    for _ in 0..MOST_ELEMENTS {
        let Some(source) = pads.pop().and_then(|pad| pad.peer()) else {
            return false;
        };
        let Some(element) = source.parent_element() else {
            if let Some(ghost) = source.parent().and_downcast::<gst::GhostPad>() {
                pads.push(ghost.upcast());
            }
            continue;
        };
        if told_to(&element) {
            return true;
        }
        match source
            .downcast_ref::<gst::GhostPad>()
            .and_then(|ghost| ghost.internal())
        {
            // Into the bin: what stands behind its ghost pad.
            Some(inside) => pads.push(inside.upcast()),
            None => pads.extend(element.sink_pads()),
        }
    }
    false
}

fn told_to(element: &gst::Element) -> bool {
    element.has_property_with_type(REFERENCE_PROPERTY, bool::static_type())
        && element.property::<bool>(REFERENCE_PROPERTY)
}
