// SPDX-License-Identifier: MPL-2.0
//! The form of pictures between decoder and encoder.

use gst::prelude::*;

/// What of the first picture's form all others get: an encoder starts anew where it changes.
pub fn first_form(picture: &gst::CapsRef, encoder_takes: Option<&gst::Caps>) -> gst::Caps {
    let mut form = gst::Caps::new_empty_simple("video/x-raw");
    let Some(of) = picture.structure(0) else {
        return form;
    };
    let kept = [
        "width",
        "height",
        "pixel-aspect-ratio",
        "colorimetry",
        "format",
    ];
    for name in kept {
        let mut with = form.clone();
        if let Ok(value) = of.value(name) {
            with.make_mut().set_value(name, value.to_send_value());
        }
        // Another format than the encoder takes has to be converted from the start.
        if encoder_takes.is_none_or(|takes| takes.can_intersect(&with)) {
            form = with;
        }
    }
    let is_grey = of.get("format") == Ok("GRAY8");
    if is_grey
        && form
            .structure(0)
            .is_some_and(|form| !form.has_field("format"))
    {
        // A converter would go to what has the most bits, and x265 would take that for RGB.
        form.make_mut().set("format", "I420");
    }
    form
}

/// Caps of pictures without colour with a matrix, if they have none: videoconvert 1.22 would take
/// that for one that changes luma.
pub fn with_matrix(mut caps: gst::Caps) -> gst::Caps {
    let Some(of) = caps
        .structure(0)
        .filter(|of| of.get("format") == Ok("GRAY8"))
    else {
        return caps;
    };
    let colorimetry: Option<gst_video::VideoColorimetry> = of
        .get::<&str>("colorimetry")
        .ok()
        .and_then(|colorimetry| colorimetry.parse().ok());
    if let Some(own) = colorimetry
        && own.matrix() == gst_video::VideoColorMatrix::Unknown
    {
        let matrix = gst_video::VideoColorMatrix::Bt601;
        let with =
            gst_video::VideoColorimetry::new(own.range(), matrix, own.transfer(), own.primaries());
        caps.make_mut().set("colorimetry", with.to_string());
    }
    caps
}
