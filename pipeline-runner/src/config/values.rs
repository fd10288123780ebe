// SPDX-License-Identifier: MPL-2.0
//! Whether a property takes a value, and what it takes instead.

use gst::glib;
use gst::prelude::*;

use super::nearest::{listed, nearest};

/// What the property takes, if it does not take `value`.
pub(super) fn refused(spec: &glib::ParamSpec, value: &str) -> Option<String> {
    let kind = spec.value_type();
    // Elements may be written as texts of their own; GStreamer's parser knows.
    if kind.is_a(gst::Object::static_type()) {
        return None;
    }
    let taken = glib::Value::deserialize_with_pspec(value, spec).ok();
    match taken {
        Some(value) if in_range(spec, &value) => None,
        _ => Some(wanted(spec, value)),
    }
}

/// Whether a number is within its property's range; `true` for what is no number.
fn in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! among {
        ($($spec:ty => $number:ty),*) => {
            $(if let Some(spec) = spec.downcast_ref::<$spec>() {
                return value.get::<$number>().is_ok_and(|number| {
                    (spec.minimum()..=spec.maximum()).contains(&number)
                });
            })*
        };
    }
    among!(
        glib::ParamSpecInt => i32,
        glib::ParamSpecUInt => u32,
        glib::ParamSpecInt64 => i64,
        glib::ParamSpecUInt64 => u64,
        glib::ParamSpecFloat => f32,
        glib::ParamSpecDouble => f64
    );
    true
}

/// What a property takes, in words.
fn wanted(spec: &glib::ParamSpec, value: &str) -> String {
    macro_rules! range {
        ($what:literal, $($spec:ty),*) => {
            $(if let Some(spec) = spec.downcast_ref::<$spec>() {
                return format!("it takes {} from {} to {}", $what, spec.minimum(), spec.maximum());
            })*
        };
    }
    range!(
        "a whole number",
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64
    );
    range!("a number", glib::ParamSpecFloat, glib::ParamSpecDouble);
    let kind = spec.value_type();
    if let Some(class) = glib::EnumClass::with_type(kind) {
        let nicks: Vec<&str> = class.values().iter().map(|value| value.nick()).collect();
        return choices("it takes one of", &nicks, value);
    }
    if let Some(class) = glib::FlagsClass::with_type(kind) {
        let nicks: Vec<&str> = class.values().iter().map(|value| value.nick()).collect();
        return choices("it takes any of these, joined by `+`:", &nicks, value);
    }
    let words = match kind.name() {
        "gboolean" => "`true` or `false`",
        "GstCaps" => "caps, such as `video/x-raw,width=640`",
        "GstFraction" => "a fraction, such as `30/1`",
        "GstStructure" => "a structure, such as `name,field=value`",
        other => return format!("it takes a value of the type {other}"),
    };
    format!("it takes {words}")
}

fn choices(what: &str, nicks: &[&str], value: &str) -> String {
    let near = nearest(value, nicks.iter().copied());
    let did_you_mean = match near.first() {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    format!("{did_you_mean}{what} {}", listed(nicks))
}
