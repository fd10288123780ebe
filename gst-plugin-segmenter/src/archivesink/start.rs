// SPDX-License-Identifier: MPL-2.0
//! From settings to a recorder, or to the one error that says which setting is wrong.

use std::path::PathBuf;
use std::sync::Arc;

use crate::archive;

use super::growing::Place;
use super::mp4_output::Mp4Output;
use super::mpegts;
use super::output::Output;
use super::recorder::Recorder;
use super::settings::{Container, Settings};
use super::ts_output::TsOutput;

/// A recorder for these settings.
///
/// # Errors
/// Names the property that is missing or wrong, or the folder that cannot be written.
pub fn recorder(settings: Settings) -> Result<Recorder, gst::ErrorMessage> {
    let place = Arc::new(place(&settings)?);
    let chunk_ns = settings.chunk_duration_ns;
    let output = match settings.container {
        Container::Mp4 => Output::Mp4(Mp4Output::new(place, chunk_ns)),
        Container::MpegTs => {
            mpegts::check_elements()?;
            Output::Ts(Box::new(TsOutput::new(place, chunk_ns)))
        }
    };
    let run = uuid::Uuid::new_v4().into_bytes();
    Ok(Recorder::new(settings, output, run))
}

fn place(settings: &Settings) -> Result<Place, gst::ErrorMessage> {
    let wrong = |text: String| gst::error_msg!(gst::ResourceError::Settings, ("{text}"));
    let root: PathBuf = settings.location.clone().ok_or_else(|| {
        wrong("property `location` is not set; set it to the root folder of the archive".into())
    })?;
    let stream = settings.stream.clone().ok_or_else(|| {
        wrong(
            "property `stream` is not set; set it to the stream's name, e.g. stream=front-door"
                .into(),
        )
    })?;
    for (property, name) in [("stream", &stream), ("variant", &settings.variant)] {
        archive::name::check_folder_name(property, name)
            .map_err(|error| wrong(error.to_string()))?;
    }
    let folder = root.join(&stream).join(&settings.variant);
    let refused = |what: &str, error: std::io::Error| {
        let reason = format!("folder {} {what}: {error}", folder.display());
        gst::error_msg!(gst::ResourceError::OpenWrite, ("{reason}"))
    };
    std::fs::create_dir_all(&folder).map_err(|error| refused("cannot be made", error))?;
    archive::file::try_names(&folder).map_err(|error| refused("takes no segments", error))?;
    let mount_point = archive::mount::mount_point(&folder)
        .map_err(|error| refused("cannot be examined", error))?;
    Ok(Place {
        root,
        stream,
        variant: settings.variant.clone(),
        container: match settings.container {
            Container::Mp4 => archive::Container::Mp4,
            Container::MpegTs => archive::Container::Ts,
        },
        target_duration_ns: settings.target_duration_ns,
        fsync: settings.fsync,
        mount_point,
    })
}
