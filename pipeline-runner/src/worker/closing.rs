// SPDX-License-Identifier: MPL-2.0
//! Ends a pipeline within a limit, whatever its elements do.
//!
//! `send_event` and `set_state` take locks that a stuck streaming thread may hold for ever, so both
//! run on threads of their own; the worker leaves without them when their time is up.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gst::prelude::*;

/// How long the sinks may take to finish after EOS.
pub const EOS_LIMIT: Duration = Duration::from_secs(10);
/// After so long with neither buffers nor EOS at the sinks, the source is passed over.
pub const EOS_PATIENCE: Duration = Duration::from_secs(2);
/// How long the way to NULL may take.
pub const NULL_LIMIT: Duration = Duration::from_secs(5);

/// Sends EOS in at the sources, from where it follows the last buffer to the sinks. To each source
/// apart: one that is stuck must not keep the others from ending.
pub fn send_eos(pipeline: &gst::Pipeline) {
    for source in pipeline.iterate_sources().into_iter().flatten() {
        apart("eos", move || {
            source.send_event(gst::event::Eos::new());
        });
    }
}

/// Sends EOS into these pads of sinks: for a source that is stuck and passes nothing on.
pub fn send_eos_to(pads: Vec<gst::Pad>) {
    for pad in pads {
        apart("eos", move || {
            pad.send_event(gst::event::Eos::new());
        });
    }
}

/// Takes the pipeline to NULL; false when it did not get there in time.
pub fn to_null(pipeline: &gst::Pipeline, limit: Duration) -> bool {
    let (done, wait) = mpsc::channel();
    let pipeline = pipeline.clone();
    apart("null", move || {
        let _ = pipeline.set_state(gst::State::Null);
        let _ = done.send(());
    });
    wait.recv_timeout(limit).is_ok()
}

/// Runs on a thread that nobody waits for.
fn apart(name: &str, work: impl FnOnce() + Send + 'static) {
    // `spawn` drops the work when it fails, and then the limits above still hold.
    let _ = thread::Builder::new().name(name.to_owned()).spawn(work);
}
