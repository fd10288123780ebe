// SPDX-License-Identifier: MPL-2.0
//! Streams and variants that the command line names, in the archive; and if one is not there, what
//! is.

use gstsegmenter::archive::{Archive, name};

use super::failure::Failure;
use super::text;

/// Names less alike than this (1 is equal) are no help.
const ALIKE: f64 = 0.5;
/// More names than this are not listed in an error.
const MOST_LISTED: usize = 12;

/// Reads the name of a stream; a value parser.
pub(super) fn stream_name(text: &str) -> Result<String, String> {
    folder_name("stream", text)
}

/// Reads the name of a variant; a value parser.
pub(super) fn variant_name(text: &str) -> Result<String, String> {
    folder_name("variant", text)
}

fn folder_name(what: &'static str, text: &str) -> Result<String, String> {
    match name::check_folder_name(what, text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The variants to look at: of one stream or all, the one named or all.
pub(super) fn variants(
    archive: &Archive,
    stream: Option<&str>,
    variant: Option<&str>,
) -> Result<Vec<(String, String)>, Failure> {
    let streams = match stream {
        Some(stream) => vec![existing_stream(archive, stream)?],
        None => archive.streams()?,
    };
    let mut found = Vec::new();
    for stream in streams {
        let variants = match variant {
            Some(variant) => vec![existing_variant(archive, &stream, variant)?],
            None => archive.variants(&stream)?,
        };
        found.extend(
            variants
                .into_iter()
                .map(|variant| (stream.clone(), variant)),
        );
    }
    Ok(found)
}

/// `stream`, if there is one of that name.
pub(super) fn existing_stream(archive: &Archive, stream: &str) -> Result<String, Failure> {
    let place = text::path(archive.root());
    among("stream", stream, &place, archive.streams()?)
}

/// `variant`, if the stream has one of that name.
pub(super) fn existing_variant(
    archive: &Archive,
    stream: &str,
    variant: &str,
) -> Result<String, Failure> {
    let place = format!("stream `{stream}`");
    among("variant", variant, &place, archive.variants(stream)?)
}

fn among(what: &str, wanted: &str, place: &str, names: Vec<String>) -> Result<String, Failure> {
    if names.iter().any(|name| name == wanted) {
        return Ok(wanted.to_owned());
    }
    let mut message = format!("there is no {what} `{wanted}` in {place}");
    if let Some(nearest) = nearest(wanted, &names) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    } else {
        message.push(';');
    }
    message.push_str(&match names.as_slice() {
        [] => format!(" there is no {what} at all"),
        _ => format!(" there {}", listed(&names)),
    });
    Err(Failure::Message(message))
}

fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let alike = |name: &String| {
        let name = name.to_lowercase();
        let cut_short = wanted.len() >= 3 && name.starts_with(&wanted);
        let edits = strsim::normalized_damerau_levenshtein(&wanted, &name);
        edits.max(if cut_short { ALIKE } else { 0.0 })
    };
    let near = names.iter().map(|name| (alike(name), name));
    let near = near.filter(|(alike, _)| *alike >= ALIKE);
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    best.map(|(_, name)| name.as_str())
}

/// `is `a``; `are `a` and `b``; `are `a`, `b` and 3 more`.
fn listed(names: &[String]) -> String {
    let mut quoted: Vec<String> = names
        .iter()
        .take(MOST_LISTED)
        .map(|name| format!("`{}`", text::clean(name)))
        .collect();
    let left = names.len() - quoted.len();
    if left > 0 {
        quoted.push(format!("{left} more"));
    }
    match quoted.split_last() {
        Some((only, [])) => format!("is {only}"),
        Some((last, rest)) => format!("are {} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
