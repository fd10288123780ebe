// SPDX-License-Identifier: MPL-2.0
//! What stands between one stream of a source and the sink, as a bin that can be shut.
//!
//! One track never takes another along: what goes wrong behind the entrance of a fenced track (a
//! flow that is not negotiated, an element's error) is told to the owner once, and from then on
//! the track swallows what comes. The source before it sees nothing but success, so its other
//! streams go on. A track without a fence passes everything on, as any bin does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::protocol::Failure;

/// Milliseconds since the first call.
pub fn now_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}

/// What is done about a fault: called once, on the thread that met it.
type OnFault = Box<dyn FnOnce(String) + Send>;

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Track {
        pub(super) is_shut: AtomicBool,
        pub(super) heard_ms: AtomicU64,
        /// There while the track is fenced and has had no fault.
        pub(super) on_fault: Mutex<Option<OnFault>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Track {
        const NAME: &'static str = "PipelineRunnerTrack";
        type Type = super::Track;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for Track {}
    impl GstObjectImpl for Track {}
    impl ElementImpl for Track {}

    impl BinImpl for Track {
        fn handle_message(&self, message: gst::Message) {
            match message.view() {
                gst::MessageView::Error(error) if self.is_fenced() => {
                    self.fault(error.error().message());
                }
                _ => self.parent_handle_message(message),
            }
        }
    }

    impl Track {
        /// Also after its fault: a track that is shut has nothing more to say.
        pub(super) fn is_fenced(&self) -> bool {
            self.is_shut.load(Relaxed) || self.handler().is_some()
        }

        pub(super) fn handler(&self) -> std::sync::MutexGuard<'_, Option<OnFault>> {
            self.on_fault.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Shuts the track and tells its owner, if it is fenced; false if it is not.
        pub(super) fn fault(&self, why: &str) -> bool {
            if !self.is_fenced() {
                return false;
            }
            self.is_shut.store(true, Relaxed);
            let handler = self.handler().take();
            if let Some(on_fault) = handler {
                on_fault(why.to_owned());
            }
            true
        }

        /// What became of data that was passed on.
        pub(super) fn passed(
            &self,
            result: Result<gst::FlowSuccess, gst::FlowError>,
        ) -> Result<gst::FlowSuccess, gst::FlowError> {
            match result {
                // These end the stream in good order.
                Ok(_) | Err(gst::FlowError::Flushing | gst::FlowError::Eos) => result,
                Err(_) if self.is_shut.load(Relaxed) => Ok(gst::FlowSuccess::Ok),
                Err(error) if self.fault(words(error)) => Ok(gst::FlowSuccess::Ok),
                Err(_) => result,
            }
        }

        /// Notes a sign of life; false if what comes is to be swallowed.
        pub(super) fn enters(&self) -> bool {
            self.heard_ms.store(now_ms(), Relaxed);
            !self.is_shut.load(Relaxed)
        }
    }
}

glib::wrapper! {
    /// A stream's way to the sink.
    pub struct Track(ObjectSubclass<imp::Track>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

/// A flow error in words for people.
fn words(error: gst::FlowError) -> &'static str {
    match error {
        gst::FlowError::NotNegotiated => "its elements do not take the format it comes in",
        gst::FlowError::NotSupported => "its elements do not support it",
        _ => "its elements failed",
    }
}

impl Track {
    /// Of these elements, in a row (in the syntax of `gst-launch-1.0`).
    ///
    /// # Errors
    /// What GStreamer's parser says.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let wrong = |error: glib::BoolError| Failure::definition(error.to_string());
        let inner =
            gst::parse::bin_from_description_full(text, true, None, gst::ParseFlags::FATAL_ERRORS)
                .map_err(|error| Failure::definition(error.message().to_owned()))?;
        let ends = inner.static_pad("sink").zip(inner.static_pad("src"));
        let (sink, src) =
            ends.ok_or_else(|| Failure::definition(format!("{text:?} has no free ends")))?;
        let track: Self = glib::Object::new();
        track.add(&inner).map_err(wrong)?;
        let entrance = gst::GhostPad::builder_with_target(&sink)
            .map_err(wrong)?
            .name("sink")
            .chain_function(|pad, parent, buffer| match track_of(parent) {
                Some(track) if !track.imp().enters() => Ok(gst::FlowSuccess::Ok),
                Some(track) => {
                    let passed = gst::ProxyPad::chain_default(pad, parent, buffer);
                    track.imp().passed(passed)
                }
                None => Err(gst::FlowError::Flushing),
            })
            .chain_list_function(|pad, parent, list| match track_of(parent) {
                Some(track) if !track.imp().enters() => Ok(gst::FlowSuccess::Ok),
                Some(track) => {
                    let passed = gst::ProxyPad::chain_list_default(pad, parent, list);
                    track.imp().passed(passed)
                }
                None => Err(gst::FlowError::Flushing),
            })
            .event_function(|pad, parent, event| match track_of(parent) {
                Some(track) if track.imp().is_shut.load(Relaxed) => true,
                // Caps that are refused make the next buffer fail, and that is said.
                Some(track) => {
                    gst::Pad::event_default(pad, parent, event) || track.imp().is_fenced()
                }
                None => false,
            })
            .query_function(|pad, parent, query| {
                // Else the caps would fail before they come in.
                if let gst::QueryViewMut::AcceptCaps(accept) = query.view_mut()
                    && track_of(parent).is_some_and(|track| track.imp().is_fenced())
                {
                    accept.set_result(true);
                    return true;
                }
                gst::Pad::query_default(pad, parent, query)
            })
            .build();
        track.add_pad(&entrance).map_err(wrong)?;
        let exit = gst::GhostPad::with_target(&src).map_err(wrong)?;
        track.add_pad(&exit).map_err(wrong)?;
        Ok(track)
    }

    /// From now on a fault is told to `on_fault`, and to nobody else.
    pub fn fence(&self, on_fault: impl FnOnce(String) + Send + 'static) {
        *self.imp().handler() = Some(Box::new(on_fault));
    }

    /// Swallows whatever comes from now on.
    pub fn shut(&self) {
        self.imp().is_shut.store(true, Relaxed);
        self.imp().handler().take();
    }

    /// When something last came, by [`now_ms`].
    pub fn heard_ms(&self) -> u64 {
        self.imp().heard_ms.load(Relaxed)
    }

    /// Whether nothing has come for this long.
    pub fn is_silent(&self, time: Duration) -> bool {
        u128::from(now_ms().saturating_sub(self.heard_ms())) >= time.as_millis()
    }

    /// Where the stream comes in.
    pub fn entrance(&self) -> Option<gst::Pad> {
        self.static_pad("sink")
    }

    /// Where it goes out.
    pub fn exit(&self) -> Option<gst::Pad> {
        self.static_pad("src")
    }
}

fn track_of(parent: Option<&gst::Object>) -> Option<&Track> {
    parent.and_then(|parent| parent.downcast_ref())
}

/// Swallows the buffers of a pad that stays unlinked: its element would end all of its streams once
/// none of them is linked, or not take one that failed.
pub fn drain(pad: &gst::Pad) {
    let what = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(what, |_, _| gst::PadProbeReturn::Drop);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(track: &Track, buffers: usize) -> Vec<bool> {
        let source = gst::Pad::builder(gst::PadDirection::Src).build();
        source.set_active(true).unwrap();
        track.set_state(gst::State::Playing).unwrap();
        source.link(&track.entrance().unwrap()).unwrap();
        source.push_event(gst::event::StreamStart::new("a"));
        let caps = gst::Caps::new_empty_simple("audio/x-vorbis");
        source.push_event(gst::event::Caps::new(&caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        source.push_event(gst::event::Segment::new(&segment));
        let results = (0..buffers).map(|_| source.push(gst::Buffer::with_size(4).unwrap()).is_ok());
        let results = results.collect();
        track.set_state(gst::State::Null).unwrap();
        results
    }

    #[test]
    fn a_fault_of_a_fenced_track_is_told_once_and_its_source_sees_success() {
        gst::init().unwrap();
        // What comes is not what the parser takes.
        let track = Track::new("capsfilter caps=audio/mpeg ! identity").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        track.fence(move |why| tell.send(why).unwrap());
        assert_eq!(pushed(&track, 3), [true, true, true]);
        assert_eq!(told.try_iter().count(), 1);
    }

    #[test]
    fn a_fault_of_a_track_without_a_fence_is_the_sources() {
        gst::init().unwrap();
        let track = Track::new("capsfilter caps=audio/mpeg ! identity").unwrap();
        assert_eq!(pushed(&track, 1), [false]);
    }
}
