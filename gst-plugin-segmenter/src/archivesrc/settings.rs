// SPDX-License-Identifier: MPL-2.0
//! What the user sets, and the cut that it asks for.

use std::path::PathBuf;

use gst::glib;

use crate::archive;
use crate::cut::{self, Gaps, Request};
use crate::utc::UtcNs;

/// The variant of a stream that came straight from its source.
pub const DEFAULT_VARIANT: &str = "source";

/// How a range is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstArchiveSrcType")]
#[repr(i32)]
pub enum Type {
    /// Exactly the frames of the range: whole GOPs copied, only the edges encoded anew.
    #[default]
    #[enum_value(name = "Exact, only the edges encoded anew", nick = "smart")]
    Smart,
    /// Exactly the frames of the range once decoded: copied from the keyframe before on.
    #[enum_value(name = "Exact when decoded, all of it copied", nick = "copy")]
    Copy,
    /// The whole segments that cover the range.
    #[enum_value(name = "The whole segments that cover the range", nick = "rough")]
    Rough,
    /// Exactly the frames of the range, all pictures encoded anew.
    #[enum_value(name = "Exact, all pictures encoded anew", nick = "full")]
    Full,
}

impl From<Type> for cut::Type {
    fn from(kind: Type) -> Self {
        match kind {
            Type::Smart => Self::Smart,
            Type::Copy => Self::Copy,
            Type::Rough => Self::Rough,
            Type::Full => Self::Full,
        }
    }
}

impl From<cut::Type> for Type {
    fn from(kind: cut::Type) -> Self {
        match kind {
            cut::Type::Smart => Self::Smart,
            cut::Type::Copy => Self::Copy,
            cut::Type::Rough => Self::Rough,
            cut::Type::Full => Self::Full,
        }
    }
}

/// The properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Root of the archive.
    pub location: Option<PathBuf>,
    /// Name of the stream.
    pub stream: Option<String>,
    /// Name of the variant.
    pub variant: String,
    /// The first moment of the range, as text.
    pub start: Option<String>,
    /// The first moment after it, as text.
    pub stop: Option<String>,
    /// How it is cut.
    pub kind: Type,
    /// Whether it may lack something.
    pub allow_holes: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            stream: None,
            variant: DEFAULT_VARIANT.to_owned(),
            start: None,
            stop: None,
            kind: Type::default(),
            allow_holes: false,
        }
    }
}

impl Settings {
    /// The archive and what is wanted of it.
    ///
    /// # Errors
    /// Names the property that is missing or wrong, and what would be right.
    pub fn order(&self) -> Result<(PathBuf, Request), String> {
        let root = self.location.clone().ok_or(
            "property `location` is not set; set it to the root folder of the archive".to_owned(),
        )?;
        let stream = self.stream.clone().ok_or(
            "property `stream` is not set; set it to the stream's name, e.g. stream=front-door"
                .to_owned(),
        )?;
        for (property, name) in [("stream", &stream), ("variant", &self.variant)] {
            archive::name::check_folder_name(property, name).map_err(|error| error.to_string())?;
        }
        let request = Request {
            stream,
            variant: self.variant.clone(),
            ranges: vec![(time("start", &self.start)?, time("stop", &self.stop)?)],
            kind: self.kind.into(),
            allow_holes: self.allow_holes,
            gaps: Gaps::default(),
        };
        request.check().map_err(|error| error.to_string())?;
        Ok((root, request))
    }
}

fn time(property: &str, text: &Option<String>) -> Result<UtcNs, String> {
    let text = text.as_deref().ok_or_else(|| {
        format!("property `{property}` is not set; set it to a time, e.g. {property}=2026-11-20T10:31:06.25Z")
    })?;
    UtcNs::parse(text).map_err(|error| format!("property `{property}`: {error}"))
}
