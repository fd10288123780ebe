// SPDX-License-Identifier: MPL-2.0
//! Starts GStreamer the way every subcommand wants it.
//!
//! Starting costs some 20 ms and more threads. What may do without says only beforehand how it is to
//! log ([`redact_log`]), and leaves starting to whoever finds that it is needed.

use std::io::Write;
use std::sync::OnceLock;

use crate::config::redact;

/// Takes GStreamer's log lines where standard error is not to be waited for.
type Taker = Box<dyn Fn(String) + Send + Sync>;
static TAKER: OnceLock<Taker> = OnceLock::new();

/// Starts GStreamer, with the plugins that are linked in and a log without secrets.
///
/// # Errors
/// What GStreamer or a plugin says.
pub fn start() -> miette::Result<()> {
    redact_log();
    gst::init().map_err(|why| miette::miette!("GStreamer does not start: {why}"))?;
    for registered in [
        gstsegmenter::plugin_register_static(),
        gstawscreds::plugin_register_static(),
    ] {
        registered.map_err(|why| miette::miette!("a plugin of this program: {why}"))?;
    }
    Ok(())
}

/// Makes the log (`GST_DEBUG`) one without secrets, now or once GStreamer starts: its own prints
/// every URI and property that is set, passwords included.
pub fn redact_log() {
    // Before `gst_init` this only notes that the default is not wanted.
    gst::log::remove_default_log_function();
    gst::log::add_log_function(log);
}

/// From now on `taker` is given every line of GStreamer's log, clean and with its end; it must not
/// wait for whoever reads them.
pub fn log_to(taker: impl Fn(String) + Send + Sync + 'static) {
    let _ = TAKER.set(Box::new(taker));
}

fn log(
    category: gst::DebugCategory,
    level: gst::DebugLevel,
    file: &gst::glib::GStr,
    function: &gst::glib::GStr,
    line: u32,
    object: Option<&gst::log::LoggedObject>,
    message: &gst::log::DebugMessage,
) {
    // GStreamer asks for every message that any function might want.
    if level > category.threshold() {
        return;
    }
    let message = message.get().unwrap_or_default();
    let object = object.map_or_else(String::new, |object| format!(" <{object}>"));
    let category = category.name();
    let text = format!("{level} {category} {file}:{line}:{function}:{object} {message}\n");
    let text = redact(&text);
    match TAKER.get() {
        Some(take) => take(text),
        // One write, so that lines of several threads do not mix; without stderr, nobody listens.
        None => drop(std::io::stderr().lock().write_all(text.as_bytes())),
    }
}
