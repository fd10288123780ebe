// SPDX-License-Identifier: MPL-2.0
//! From the recording to a view: passes samples on while the view takes them, and drops them while
//! it does not. Neither takes time on the recording's streaming thread.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks, AppSrc};

/// Between an `appsink` of the recording and an `appsrc` of the view.
#[derive(Default)]
pub struct Feed(Mutex<State>);

#[derive(Default)]
struct State {
    /// What the stream is.
    caps: Option<gst::Caps>,
    /// Where samples go, while the view is there.
    view: Option<AppSrc>,
    /// The view has not seen a keyframe yet: what comes before one cannot be decoded.
    awaits_keyframe: bool,
    /// The recording's stream has ended.
    ended: bool,
}

impl Feed {
    /// Takes samples from this `appsink` from now on.
    pub fn take_from(self: &Arc<Self>, sink: &gst::Element) {
        let Some(sink) = sink.downcast_ref::<AppSink>() else {
            return;
        };
        let (sample, end) = (Arc::clone(self), Arc::clone(self));
        let callbacks = AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                if let Ok(taken) = sink.pull_sample() {
                    sample.push(&taken);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .eos(move |_| end.end())
            .build();
        sink.set_callbacks(callbacks);
    }

    /// What the stream is, once it is known.
    pub fn caps(&self) -> Option<gst::Caps> {
        self.state().caps.clone()
    }

    /// Passes samples to this view, from the next keyframe on.
    pub fn open(&self, view: &AppSrc) {
        let mut state = self.state();
        state.awaits_keyframe = true;
        state.view = Some(view.clone());
        if state.ended {
            let _ = view.end_of_stream();
        }
    }

    /// The view takes no more.
    pub fn close(&self) {
        self.state().view = None;
    }

    fn push(&self, sample: &gst::Sample) {
        let view = {
            let mut state = self.state();
            let caps = sample.caps_owned();
            if state.caps != caps {
                state.caps = caps;
            }
            let delta = sample
                .buffer()
                .is_some_and(|buffer| buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
            if state.view.is_none() || (state.awaits_keyframe && delta) {
                return;
            }
            state.awaits_keyframe = false;
            state.view.clone()
        };
        if let Some(view) = view {
            // A view that fails says so on its own bus.
            let _ = view.push_sample(sample);
        }
    }

    fn end(&self) {
        let view = {
            let mut state = self.state();
            state.ended = true;
            state.view.clone()
        };
        if let Some(view) = view {
            let _ = view.end_of_stream();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(delta: bool) -> gst::Sample {
        let mut buffer = gst::Buffer::with_size(4).unwrap();
        if delta {
            let buffer = buffer.get_mut().unwrap();
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let caps = gst::Caps::new_empty_simple("video/x-h264");
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    fn view() -> AppSrc {
        gst::init().unwrap();
        let view = AppSrc::builder().format(gst::Format::Time).build();
        view.set_state(gst::State::Ready).unwrap();
        view
    }

    #[test]
    fn a_view_begins_with_a_keyframe_each_time() {
        let view = view();
        let feed = Feed::default();
        assert_eq!(feed.caps(), None);
        feed.push(&sample(false));
        assert!(feed.caps().is_some());
        for _ in 0..2 {
            feed.open(&view);
            let before = view.current_level_buffers();
            feed.push(&sample(true));
            assert_eq!(view.current_level_buffers(), before);
            feed.push(&sample(false));
            feed.push(&sample(true));
            assert_eq!(view.current_level_buffers(), before + 2);
            feed.close();
            feed.push(&sample(false));
            assert_eq!(view.current_level_buffers(), before + 2);
        }
        view.set_state(gst::State::Null).unwrap();
    }
}
