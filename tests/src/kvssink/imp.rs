// SPDX-License-Identifier: MPL-2.0
//! The element: its pads, the first read from NULL to READY, and the reads before each expiry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::choice::{self, Choice, Sources};
use super::{file, properties};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "kvssink",
        gst::DebugColorFlags::empty(),
        Some("Stand-in for kvssink"),
    )
});

/// At the start, credentials must last at least so long; later, with another status code.
const LEAST: Duration = Duration::from_secs(30);
/// kvssink asks for credentials at the latest so long before they end.
const LAST_MOMENT: Duration = Duration::from_secs(3);
/// Too short to start with.
const STARTS_TOO_SHORT: u32 = 0x5200_0040;
/// Too short when the token is renewed.
const RENEWED_TOO_SHORT: u32 = 0x5200_0049;
/// What a stream ends with when its token could not be renewed.
const CONTINUOUS_RETRY: u32 = 0x1500_0028;

/// The element.
#[derive(Default)]
pub struct KvsSink {
    values: Mutex<BTreeMap<String, Kept>>,
    state: Mutex<State>,
}

/// A property's value, to be read from any thread.
enum Kept {
    Text(Option<String>),
    Number(u32),
    Switch(bool),
    Structure(Option<gst::Structure>),
}

impl Kept {
    fn of(value: &glib::Value) -> Self {
        if let Ok(text) = value.get() {
            Self::Text(text)
        } else if let Ok(number) = value.get() {
            Self::Number(number)
        } else if let Ok(switch) = value.get() {
            Self::Switch(switch)
        } else {
            Self::Structure(value.get().expect("there are no other types"))
        }
    }

    fn value(&self) -> glib::Value {
        match self {
            Self::Text(text) => text.to_value(),
            Self::Number(number) => number.to_value(),
            Self::Switch(switch) => switch.to_value(),
            Self::Structure(structure) => structure.to_value(),
        }
    }
}

#[derive(Default)]
struct State {
    /// The file and what it held; none with keys that last.
    credentials: Option<(PathBuf, file::Read)>,
    /// Whose credentials are in use.
    access_key_id: String,
    reads: u64,
    taken: u64,
    frames: u64,
    ended_pads: Vec<String>,
    failed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KvsSink {
    fn text(&self, name: &str) -> String {
        self.obj()
            .property::<Option<String>>(name)
            .unwrap_or_default()
    }

    fn now(&self) -> SystemTime {
        let ahead: u32 = self.obj().property("stand-in-clock-ahead");
        SystemTime::now() + Duration::from_secs(ahead.into())
    }

    fn start(&self) -> Result<(), String> {
        let env = |name: &str| std::env::var(name).ok();
        let iot: Option<gst::Structure> = self.obj().property("iot-certificate");
        let chosen = choice::choose(Sources {
            iot_certificate: iot.is_some(),
            access_key: self.text("access-key"),
            secret_key: self.text("secret-key"),
            session_token: self.text("session-token"),
            env_access_key: env("AWS_ACCESS_KEY_ID"),
            env_secret_key: env("AWS_SECRET_ACCESS_KEY"),
            env_session_token: env("AWS_SESSION_TOKEN"),
            credential_path: Some(self.text("credential-path").into()),
        })?;
        let mut state = State::default();
        match chosen {
            Choice::Iot => {}
            Choice::Static {
                access_key,
                secret_key,
                ..
            } => {
                if access_key.is_empty() || secret_key.is_empty() {
                    return Err(format!(
                        "Unable to create Producer client. Error status: {:#x}",
                        file::NO_TOKEN
                    ));
                }
                state.access_key_id = access_key;
            }
            Choice::File(path) => {
                let now = self.now();
                let read = file::read(&path, now).and_then(|read| {
                    let enough = read.expiration >= now + LEAST;
                    enough.then_some(read).ok_or(STARTS_TOO_SHORT)
                });
                let read = read.map_err(|status| {
                    format!("Unable to create Producer client. Error status: {status:#x}")
                })?;
                state.access_key_id.clone_from(&read.access_key_id);
                (state.reads, state.taken) = (1, 1);
                state.credentials = Some((path, read));
            }
        }
        gst::info!(
            CAT,
            imp = self,
            "starts with the keys of {}",
            state.access_key_id
        );
        *lock(&self.state) = state;
        Ok(())
    }

    fn frame(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let now = self.now();
        let mut state = lock(&self.state);
        if state.failed {
            return Err(gst::FlowError::Error);
        }
        state.frames += 1;
        let taken = match renewed(&mut state, now) {
            Ok(taken) => taken,
            Err(status) => {
                state.failed = true;
                drop(state);
                self.fail(status);
                return Err(gst::FlowError::Error);
            }
        };
        drop(state);
        if let Some(read) = taken {
            self.tell(&read, now);
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// An element message for who watches a rotation.
    fn tell(&self, read: &file::Read, now: SystemTime) {
        let left = read.expiration.duration_since(now).unwrap_or_default();
        let structure = gst::Structure::builder("kvssink-stand-in-rotated")
            .field("access-key-id", &read.access_key_id)
            .field("seconds-left", left.as_secs())
            .build();
        let message = gst::message::Element::builder(structure).src(&*self.obj());
        let _ = self.obj().post_message(message.build());
    }

    fn fail(&self, status: u32) {
        gst::element_imp_warning!(
            self,
            gst::ResourceError::Write,
            ["put frame error occurred. Status: {status:#010x}"]
        );
        let name = self.text("stream-name");
        gst::element_imp_error!(
            self,
            gst::StreamError::Failed,
            ["[{name}] Stream error occurred. Status: {CONTINUOUS_RETRY:#010x}"]
        );
    }

    fn ended(&self, pad: &gst::Pad) {
        let mut state = lock(&self.state);
        if !state.ended_pads.iter().any(|name| *name == pad.name()) {
            state.ended_pads.push(pad.name().into());
        }
        let all = state.ended_pads.len() >= usize::from(self.obj().num_sink_pads());
        drop(state);
        if all {
            let message = gst::message::Eos::builder().src(&*self.obj());
            let _ = self.obj().post_message(message.build());
        }
    }

    fn stats(&self) -> gst::Structure {
        let state = lock(&self.state);
        gst::Structure::builder("kvssink-stand-in-stats")
            .field("frames", state.frames)
            .field("reads", state.reads)
            .field("taken", state.taken)
            .field("access-key-id", &state.access_key_id)
            .build()
    }
}

/// Reads the file again if the expiry is near; what it held, if that is new.
fn renewed(state: &mut State, now: SystemTime) -> Result<Option<file::Read>, u32> {
    let Some((path, held)) = &mut state.credentials else {
        return Ok(None);
    };
    if now + file::GRACE <= held.expiration {
        return Ok(None);
    }
    state.reads += 1;
    let read = file::read(path, now)?;
    let same = read.expiration <= held.expiration && read.access_key_id == held.access_key_id;
    if same && now + LAST_MOMENT < held.expiration {
        return Ok(None);
    }
    if read.expiration < now + LEAST {
        return Err(RENEWED_TOO_SHORT);
    }
    state.access_key_id.clone_from(&read.access_key_id);
    state.taken += 1;
    *held = read.clone();
    Ok(Some(read))
}

#[glib::object_subclass]
impl ObjectSubclass for KvsSink {
    const NAME: &'static str = "KvsSinkStandIn";
    type Type = super::KvsSink;
    type ParentType = gst::Element;
}

impl ObjectImpl for KvsSink {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::all);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.values).insert(pspec.name().to_owned(), Kept::of(value));
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if pspec.name() == "stand-in-stats" {
            return self.stats().to_value();
        }
        let values = lock(&self.values);
        let kept = values.get(pspec.name()).map(Kept::value);
        kept.unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for KvsSink {}

impl ElementImpl for KvsSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Stand-in for KVS Sink",
                "Sink/Video/Network",
                "Reads credentials as kvssink does, and uploads nothing: for tests only",
                env!("CARGO_PKG_REPOSITORY"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |name, caps: &str| {
                let caps: gst::Caps = caps.parse().expect("caps of constants");
                let (direction, presence) = (gst::PadDirection::Sink, gst::PadPresence::Request);
                gst::PadTemplate::new(name, direction, presence, &caps)
                    .expect("a template of constants")
            };
            vec![
                template(
                    "video_%u",
                    "video/x-h264,stream-format=avc,alignment=au; video/x-h265,alignment=au",
                ),
                template(
                    "audio_%u",
                    "audio/mpeg,mpegversion={2,4},stream-format=raw; audio/x-alaw; audio/x-mulaw",
                ),
            ]
        });
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        templ: &gst::PadTemplate,
        name: Option<&str>,
        _: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let prefix = templ.name_template().strip_suffix("%u")?.to_owned();
        let taken = |name: &str| self.obj().static_pad(name).is_some();
        let free = || {
            (0..)
                .map(|n| format!("{prefix}{n}"))
                .find(|name| !taken(name))
        };
        let name = name.map(str::to_owned).or_else(free)?;
        let pad = gst::Pad::builder_from_template(templ)
            .name(name)
            .chain_function(|_, parent, _buffer| {
                KvsSink::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    Self::frame,
                )
            })
            .event_function(|pad, parent, event| {
                if event.type_() != gst::EventType::Eos {
                    return gst::Pad::event_default(pad, parent, event);
                }
                KvsSink::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| {
                        this.ended(pad);
                        true
                    },
                )
            })
            .build();
        let _ = pad.set_active(self.obj().current_state() >= gst::State::Paused);
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = self.obj().remove_pad(pad);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            self.start().map_err(|reason| {
                gst::element_imp_error!(
                    self,
                    gst::LibraryError::Init,
                    ["Failed to init kvs producer. Error: {reason}"]
                );
                gst::StateChangeError
            })?;
        }
        self.parent_change_state(transition)
    }
}
