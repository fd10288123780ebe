// SPDX-License-Identifier: MPL-2.0
//! The element's GObject side: properties and states.

use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::SystemTime;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::session::View;

use super::keeper::Keeper;
use super::publishing::Publishing;
use super::settings::{Settings, Status};
use super::target::Holding;
use super::{element_messages, pads, properties};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "awscreds",
        gst::DebugColorFlags::empty(),
        Some("AWS credentials"),
    )
});

/// The element.
pub struct AwsCreds {
    pub(super) sink: gst::Pad,
    pub(super) src: gst::Pad,
    pub(super) settings: Mutex<Settings>,
    /// What `status` and `expiry` say.
    shown: Mutex<(Status, Option<SystemTime>)>,
    /// There from the end of a start until the stop.
    pub(super) keeper: Mutex<Option<Keeper>>,
    pub(super) holding: Mutex<Holding>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere was reported on the bus already; the data is still what it was.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl AwsCreds {
    pub(super) fn set_status(&self, status: Status) {
        let before = std::mem::replace(&mut lock(&self.shown).0, status);
        if before != status {
            self.obj().notify("status");
        }
    }

    /// Brings `status` and `expiry` up to date.
    pub(super) fn show(&self, view: &View, publishing: &Publishing) {
        self.set_status(view.status.into());
        self.set_expiry(publishing.expiry());
    }

    /// Nothing is in use.
    pub(super) fn show_stopped(&self) {
        self.set_status(Status::Stopped);
        self.set_expiry(None);
    }

    fn set_expiry(&self, expiry: Option<SystemTime>) {
        let before = std::mem::replace(&mut lock(&self.shown).1, expiry);
        if before != expiry {
            self.obj().notify("expiry");
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for AwsCreds {
    const NAME: &'static str = "GstAwsCreds";
    type Type = super::AwsCreds;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| class.pad_template(name).expect("it is of this class");
        let src = pads::src(&template("src"));
        Self {
            sink: pads::sink(&template("sink"), &src),
            src,
            settings: Mutex::default(),
            shown: Mutex::default(),
            keeper: Mutex::default(),
            holding: Mutex::default(),
        }
    }
}

impl ObjectImpl for AwsCreds {
    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        element.add_pad(&self.sink).expect("it has no pads yet");
        element.add_pad(&self.src).expect("it has no such pad yet");
        let look = |element: &super::AwsCreds| element.imp().look();
        let this = element.downgrade();
        self.src.connect_linked(move |_, _| {
            this.upgrade().iter().for_each(look);
        });
        let this = element.downgrade();
        self.src.connect_unlinked(move |_, _| {
            this.upgrade().iter().for_each(look);
        });
        element.connect_notify(Some("parent"), |element, _| element.imp().watch_parents());
    }

    fn dispose(&self) {
        self.let_go_of_others(&[]);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::all);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
        if pspec.name() == "target" {
            self.look();
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "status" => lock(&self.shown).0.to_value(),
            "expiry" => lock(&self.shown).1.map(element_messages::time).to_value(),
            name => lock(&self.settings).get(name),
        }
    }
}

impl GstObjectImpl for AwsCreds {}

impl ElementImpl for AwsCreds {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "AWS credentials",
                "Generic",
                "Passes everything through and keeps kvssink supplied with live AWS credentials",
                env!("CARGO_PKG_REPOSITORY"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |name, direction| {
                gst::PadTemplate::new(
                    name,
                    direction,
                    gst::PadPresence::Always,
                    &gst::Caps::new_any(),
                )
                .expect("a template of constants")
            };
            vec![
                template("sink", gst::PadDirection::Sink),
                template("src", gst::PadDirection::Src),
            ]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            self.start().map_err(|error| {
                self.set_status(Status::Failed);
                // For the next start.
                self.look();
                if let Some(error) = error {
                    self.post_error_message(error);
                }
                gst::StateChangeError
            })?;
        }
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::ReadyToNull {
            self.stop();
        }
        Ok(success)
    }
}
