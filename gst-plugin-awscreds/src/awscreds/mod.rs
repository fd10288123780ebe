// SPDX-License-Identifier: MPL-2.0
//! `awscreds`: the element that keeps credentials fresh for what is downstream.
//!
//! Two things that never meet: buffers go from pad to pad ([`pads`]), and credentials go from a
//! session to a target, which is kvssink ([`delivery`]).
//!
//! **The order of the start.** kvssink looks for credentials once, on its way from NULL to READY,
//! and a bin takes sinks there first. So an `awscreds` that has a kvssink downstream (or is told
//! of one) holds it back in NULL from the moment they are linked ([`target`]: the locked state that
//! GStreamer has for this). When the bin then comes to `awscreds` itself, it asks for credentials,
//! waits `start-timeout` at most, delivers them, and takes the kvssink to READY ([`start`]); from
//! there on the bin treats it as any other element. Nothing happens at parse time, nobody polls,
//! and kvssink never sees a file that is missing or old.
//!
//! **Afterwards** a thread of the element's own ([`keeper`]) delivers what the session renews,
//! writes the file again where someone removed it, declares a later expiry for credentials that are
//! still good when a renewal fails ([`publishing`]), and says so on the bus.

/**
 * SECTION:element-awscreds
 *
 * `awscreds` passes everything through untouched and supplies `kvssink` with AWS credentials: it
 * gets them (default chain, profile, assumed role, AWS IoT), renews them in good time, and puts
 * them where kvssink reads them, for as long as the pipeline runs.
 *
 * It goes anywhere upstream of kvssink. kvssink is held in NULL until there are credentials; that
 * takes no longer than `start-timeout`, else the start fails with what was wrong.
 *
 * ## Messages
 *
 * - `awscreds-refreshed`: new credentials were delivered. `delivery`, `path`, `expiry`,
 *   `declared-expiry`, `renewals`, `identity`, `account`.
 * - `awscreds-failed`: a renewal or a delivery failed. `reason`, `remedy`, `kind` (`user`,
 *   `temporary`, `clock`, `delivery`), `status`, `expiry`, `seconds-left`.
 * - `awscreds-expiring`: what is in use ends soon, and nothing newer is there; with
 *   `target-is-restarted`, it is time to restart the target. `expiry`, `seconds-left`, `restart`,
 *   `target`.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! x264enc ! h264parse ! awscreds role-arn=arn:aws:iam::123456789012:role/uploader ! kvssink stream-name=front-door
 * ]|
 *
 * Since: 0.1
 */
mod delivery;
mod element_messages;
mod errors;
mod imp;
mod keeper;
mod pads;
mod properties;
mod publishing;
mod settings;
mod shadows;
mod start;
mod target;
mod walk;

pub use settings::{Delivery, Status};

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// Keeps credentials fresh for what is downstream.
    pub struct AwsCreds(ObjectSubclass<imp::AwsCreds>) @extends gst::Element, gst::Object;
}

/// Registers the element with the plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "awscreds",
        gst::Rank::NONE,
        AwsCreds::static_type(),
    )
}
