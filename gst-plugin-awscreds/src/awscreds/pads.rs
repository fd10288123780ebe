// SPDX-License-Identifier: MPL-2.0
//! What passes through: everything, untouched.
//!
//! The chain functions do one thing, push, and hold no lock. They are not wrapped against panics,
//! as pad functions of ours are: what they call is C. Events and queries are forwarded by
//! GStreamer's own functions, which the `PROXY_*` flags make ask the other side about caps,
//! allocation and scheduling. In pull mode (`filesrc ! awscreds ! …`) ranges are asked for upstream.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::AwsCreds;

/// Takes what comes.
pub fn sink(template: &gst::PadTemplate, src: &gst::Pad) -> gst::Pad {
    // The source pad holds nothing of the sink pad's, so this is no cycle.
    let (out, list_out) = (src.clone(), src.clone());
    gst::Pad::builder_from_template(template)
        .chain_function(move |_, _, buffer| out.push(buffer))
        .chain_list_function(move |_, _, list| list_out.push_list(list))
        .flags(flags())
        .build()
}

/// Gives it on.
pub fn src(template: &gst::PadTemplate) -> gst::Pad {
    gst::Pad::builder_from_template(template)
        .activatemode_function(|_, parent, mode, active| {
            if mode == gst::PadMode::Push {
                return Ok(());
            }
            let sink = of(parent).ok_or_else(|| {
                gst::loggable_error!(super::imp::CAT, "a pad without its element")
            })?;
            let changed = sink.activate_mode(mode, active);
            changed.map_err(|error| gst::loggable_error!(super::imp::CAT, "{error}"))
        })
        .getrange_function(|_, parent, offset, buffer, size| {
            let sink = of(parent).ok_or(gst::FlowError::Flushing)?;
            match buffer {
                Some(buffer) => {
                    sink.pull_range_fill(offset, buffer, size)?;
                    Ok(gst::PadGetRangeSuccess::FilledBuffer)
                }
                None => {
                    let buffer = sink.pull_range(offset, size)?;
                    Ok(gst::PadGetRangeSuccess::NewBuffer(buffer))
                }
            }
        })
        .flags(flags())
        .build()
}

fn flags() -> gst::PadFlags {
    gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION | gst::PadFlags::PROXY_SCHEDULING
}

/// The sink pad of the element a source pad is on.
fn of(parent: Option<&gst::Object>) -> Option<gst::Pad> {
    let element = parent?.downcast_ref::<super::AwsCreds>()?;
    Some(AwsCreds::from_obj(element).sink.clone())
}
