// SPDX-License-Identifier: MPL-2.0
//! `archive:///srv/archive/STREAM/VARIANT?start=…&stop=…[&type=…][&allow-holes=true]`: the
//! properties as one URI (RFC 3986), so that players can be given a range.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::settings::{Settings, Type};
use crate::cut;
use crate::utc::UtcNs;

/// The scheme.
pub const PROTOCOL: &str = "archive";
/// What is not escaped (RFC 3986 §2.3): in an element of a path, in a whole path, in a value.
const ELEMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &ELEMENT.remove(b'/');
const VALUE: &AsciiSet = &ELEMENT.remove(b':').remove(b'+');
const EXAMPLE: &str = "archive:///srv/archive/front-door/source?start=2026-11-20T10:31:06.25Z&stop=2026-11-20T10:33:41Z";

/// The settings that a URI stands for.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(text: &str) -> Result<Settings, String> {
    let foreign = || format!("{text:?} is not such a URI: {EXAMPLE}");
    let rest = text
        .strip_prefix(PROTOCOL)
        .and_then(|rest| rest.strip_prefix("://"))
        .ok_or_else(foreign)?;
    if rest.contains('#') {
        return Err(format!("{text:?} has a fragment, which means nothing here"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let host = place.split('/').next().unwrap_or_default();
    if !host.is_empty() {
        return Err(format!(
            "{text:?} names a host, {host:?}; an archive is a folder here: {EXAMPLE}"
        ));
    }
    let (location, stream, variant) = names(text, place)?;
    let mut settings = Settings {
        location: Some(location),
        stream: Some(stream),
        variant,
        ..Settings::default()
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut settings, &decoded(key)?, decoded(value)?)?;
    }
    for (key, value) in [("start", &settings.start), ("stop", &settings.stop)] {
        let value = value
            .as_deref()
            .ok_or_else(|| format!("{text:?} has no {key}; one that has: {EXAMPLE}"))?;
        UtcNs::parse(value).map_err(|error| format!("{key}: {error}"))?;
    }
    Ok(settings)
}

/// The folder of the archive, the stream and the variant: the last two elements of the path.
fn names(text: &str, path: &str) -> Result<(PathBuf, String, String), String> {
    let short = || format!("{text:?} lacks a folder, a stream or a variant, as in {EXAMPLE}");
    let path = path.strip_suffix('/').unwrap_or(path);
    let (rest, variant) = path.rsplit_once('/').ok_or_else(short)?;
    let (folder, stream) = rest.rsplit_once('/').ok_or_else(short)?;
    if stream.is_empty() || variant.is_empty() {
        return Err(short());
    }
    let folder = match folder {
        "" => "/".to_owned(),
        folder => decoded(folder)?,
    };
    Ok((folder.into(), decoded(stream)?, decoded(variant)?))
}

fn set(settings: &mut Settings, key: &str, value: String) -> Result<(), String> {
    match key {
        "start" => settings.start = Some(value),
        "stop" => settings.stop = Some(value),
        "type" => {
            let kind: cut::Type = value
                .parse()
                .map_err(|error: cut::UnknownType| error.to_string())?;
            settings.kind = kind.into();
        }
        "allow-holes" => {
            settings.allow_holes = match value.as_str() {
                "true" | "1" | "yes" | "" => true,
                "false" | "0" | "no" => false,
                _ => return Err(format!("allow-holes is true or false, not {value:?}")),
            };
        }
        _ => {
            return Err(format!(
                "{key:?} means nothing here; start, stop, type and allow-holes do"
            ));
        }
    }
    Ok(())
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| format!("{text:?} is not UTF-8, percent-encoded"))?;
    Ok(decoded.into_owned())
}

/// The URI that stands for the settings, if they name a stream of an archive.
pub fn of(settings: &Settings) -> Option<String> {
    let escaped = |text: &str, set| utf8_percent_encode(text, set).to_string();
    let folder = settings.location.as_ref()?.to_str()?.trim_end_matches('/');
    let folder = escaped(folder, PATH);
    let stream = escaped(settings.stream.as_ref()?, ELEMENT);
    let variant = escaped(&settings.variant, ELEMENT);
    let mut query: Vec<String> = Vec::new();
    for (key, value) in [("start", &settings.start), ("stop", &settings.stop)] {
        let value = value.as_ref().map(|value| escaped(value, VALUE));
        query.extend(value.map(|value| format!("{key}={value}")));
    }
    if settings.kind != Type::default() {
        query.push(format!("type={}", cut::Type::from(settings.kind)));
    }
    if settings.allow_holes {
        query.push("allow-holes=true".to_owned());
    }
    let mark = if query.is_empty() { "" } else { "?" };
    let query = query.join("&");
    Some(format!(
        "{PROTOCOL}://{folder}/{stream}/{variant}{mark}{query}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_what_the_properties_say_and_is_made_of_them_again() {
        let uri = "archive:///srv/an%20archive/front%3Fdoor/h%C3%BCtte\
            ?start=2026-11-20T10:31:06.25Z&stop=2026-11-20T11:33:41+01:00&type=copy&allow-holes=true";
        let settings = parse(uri).expect("it is one");
        assert_eq!(settings.location, Some("/srv/an archive".into()));
        assert_eq!(settings.stream.as_deref(), Some("front?door"));
        assert_eq!(settings.variant, "hütte");
        assert_eq!(settings.start.as_deref(), Some("2026-11-20T10:31:06.25Z"));
        assert_eq!(settings.stop.as_deref(), Some("2026-11-20T11:33:41+01:00"));
        assert_eq!(settings.kind, Type::Copy);
        assert!(settings.allow_holes);
        let again = of(&settings).expect("it has all");
        assert_eq!(parse(&again), Ok(settings), "{again}");
    }

    #[test]
    fn what_is_wrong_with_a_uri_is_said() {
        let times = "start=2026-11-20T10:31:06Z&stop=2026-11-20T10:33:41Z";
        for (uri, said) in [
            (format!("archive://host/a/cam/source?{times}"), "host"),
            (format!("archive:///cam?{times}"), "stream"),
            (format!("archive:////?{times}"), "stream"),
            (format!("archive:///a//source?{times}"), "stream"),
            ("archive:///a/cam/source".to_owned(), "no start"),
            (
                "archive:///a/cam/source?start=2026-11-20T10:31:06Z".to_owned(),
                "no stop",
            ),
            (
                "archive:///a/cam/source?start=now&stop=2026-11-20T10:31:06Z".to_owned(),
                "start: \"now\"",
            ),
            (format!("archive:///a/cam/source?{times}&type=best"), "best"),
            (
                format!("archive:///a/cam/source?{times}&allow-holes=perhaps"),
                "perhaps",
            ),
            (
                format!("archive:///a/cam/source?{times}&end=2"),
                "\"end\" means nothing",
            ),
            (
                format!("archive:///a/%FF/source?{times}"),
                "percent-encoded",
            ),
        ] {
            let error = parse(&uri).expect_err(&uri);
            assert!(error.contains(said), "{uri}: {error}");
        }
    }
}
