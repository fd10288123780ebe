// SPDX-License-Identifier: MPL-2.0
//! The element's GObject side: properties, states, and the URI.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::settings::Settings;
use super::track::{Playing, Track};
use super::{properties, templates, uri};
use crate::cut::FrameCache;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "archivesrc",
        gst::DebugColorFlags::empty(),
        Some("Archive source"),
    )
});

/// The element.
#[derive(Default)]
pub struct ArchiveSrc {
    pub(super) settings: Mutex<Settings>,
    pub(super) state: Mutex<State>,
    /// The frames of segments, for the next time.
    pub(super) cache: Arc<FrameCache>,
    /// Held while pads come and go and while what they play changes, as a streaming lock is:
    /// events are pushed and pads are shown under it, and so it may be taken again by who has it.
    pub(super) control: gst::TaskLock,
}

#[derive(Default)]
pub(super) struct State {
    /// Counts starts and stops, so that what was composed for another one can be told.
    pub run: u64,
    /// There from the end of composing until the stop.
    pub playing: Option<Playing>,
}

impl State {
    /// The track of a pad.
    pub fn track(&mut self, pad: &gst::Pad) -> Option<&mut Track> {
        self.playing.as_mut()?.track(pad)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere was reported on the bus already; the data is still what it was.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for ArchiveSrc {
    const NAME: &'static str = "GstArchiveSrc";
    type Type = super::ArchiveSrc;
    type ParentType = gst::Element;
    type Interfaces = (gst::URIHandler,);
}

impl ObjectImpl for ArchiveSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SOURCE);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::all);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        lock(&self.settings).get(pspec.name())
    }
}

impl GstObjectImpl for ArchiveSrc {}

impl ElementImpl for ArchiveSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Archive source",
                "Source/File",
                "Plays any range of an archive, exact to the frame",
                env!("CARGO_PKG_REPOSITORY"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |name, caps: gst::Caps| {
                let (direction, presence) = (gst::PadDirection::Src, gst::PadPresence::Sometimes);
                gst::PadTemplate::new(name, direction, presence, &caps)
                    .expect("a template of constants")
            };
            vec![
                template("video", templates::video()),
                template("audio_%u", templates::audio()),
            ]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => self.start().map_err(|error| {
                self.post_error_message(error);
                gst::StateChangeError
            })?,
            gst::StateChange::PausedToReady => self.give_up(),
            _ => {}
        }
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            self.conceal();
        }
        Ok(success)
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Uri(query) => self.answer_uri(query),
            _ => self.parent_query(query),
        }
    }
}

impl URIHandlerImpl for ArchiveSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    fn protocols() -> &'static [&'static str] {
        &[uri::PROTOCOL]
    }

    fn uri(&self) -> Option<String> {
        uri::of(&lock(&self.settings))
    }

    fn set_uri(&self, text: &str) -> Result<(), glib::Error> {
        if self.obj().current_state() > gst::State::Ready {
            return Err(glib::Error::new(
                gst::URIError::BadState,
                "the range can be changed only while archivesrc is stopped",
            ));
        }
        let settings =
            uri::parse(text).map_err(|reason| glib::Error::new(gst::URIError::BadUri, &reason))?;
        *lock(&self.settings) = settings;
        Ok(())
    }
}
