// SPDX-License-Identifier: MPL-2.0
//! `archivesrc`: the cutting element.
//!
//! What is asked for ([`settings`], [`uri`]) is composed in a thread of its own ([`composing`]) and
//! becomes a [`reel`]: a table of samples that any of them can be read from at any time. Each of
//! its tracks is a pad ([`pads`]) with a task ([`pushing`]) that goes through what is to be played
//! of the track ([`presentation`]) step by step ([`track`]). A seek ([`seeking`]) lets the tasks
//! rest, says what is to be played from now on, and lets them go on.
//!
//! A task for each pad, and not one for all as demuxers have: demuxers read from one end of a file
//! to the other, but here nothing makes one track wait for another. So sinks preroll, muxers get
//! their data and decoders their lead-in in whatever order suits them, with or without queues.

/**
 * SECTION:element-archivesrc
 *
 * `archivesrc` plays any range out of an archive that `archivesink` recorded, exact to the frame,
 * as parsed elementary streams on the pads `video` and `audio_%u`.
 *
 * What is missing of the range is an error that says when it is, unless `allow-holes` is set; then
 * what there is, is played without a pause. When the range is composed, the element message
 * `archive-cut` says what it holds: `start`, `end`, `duration`, `copied`, `encoded`, `holes`. A track that
 * is recorded and cannot be played is told by an element message `archive-skipped` (`track`, `codec`,
 * `reason`) and a warning. How pictures are turned is told by the tag `image-orientation`.
 *
 * With `type=copy`, the frames from the keyframe before the range on come too, before the start of
 * the segment, where decoders drop them; muxers, which do not decode, want `type=smart`.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 archivesrc location=archive stream=test start=2026-11-20T10:31:07.25Z stop=2026-11-20T10:33:41.9Z ! h264parse ! mp4mux ! filesink location=cut.mp4
 * ]|
 * |[
 * gst-launch-1.0 playbin uri="archive:///srv/archive/test/source?start=2026-11-20T10:31:07.25Z&stop=2026-11-20T10:33:41.9Z"
 * ]|
 *
 * Since: 0.1
 */
mod composing;
mod element_messages;
mod errors;
mod imp;
mod pads;
mod presentation;
mod properties;
mod pushing;
mod queries;
mod reel;
mod seeking;
mod settings;
mod templates;
mod track;
mod uri;

pub use settings::Type;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// Plays a range of an archive.
    pub struct ArchiveSrc(ObjectSubclass<imp::ArchiveSrc>)
        @extends gst::Element, gst::Object, @implements gst::URIHandler;
}

/// Registers the element with the plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "archivesrc",
        gst::Rank::PRIMARY,
        ArchiveSrc::static_type(),
    )
}
