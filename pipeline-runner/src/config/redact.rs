// SPDX-License-Identifier: MPL-2.0
//! Takes secrets out of texts that are shown.
//!
//! Cameras carry their password in the URI, cloud elements in properties; both end up in errors,
//! logs and graphs unless every text goes through here. Secrets that come while the program runs
//! (a session's keys and tokens) are learned, and taken out wherever they stand.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use gstawscreds::session::Secret;

use super::launch::{escaped, wrapped};

/// Secrets are forgotten when so many newer ones have come: those have expired long ago.
const MAX_LEARNED: usize = 256;
/// What is shorter is no secret, and would be found everywhere.
const MIN_LEARNED_BYTES: usize = 8;

/// The secrets that were learned, in each way of writing them, the newest first.
static LEARNED: RwLock<VecDeque<Secret>> = RwLock::new(VecDeque::new());

/// Names of properties whose value is a secret, in any element.
const SECRET_NAMES: [&str; 6] = [
    "user-id",
    "proxy-id",
    "access-key",
    "access-key-id",
    "secret-key",
    "secret-access-key",
];
/// Ends of such names.
const SECRET_ENDS: [&str; 6] = ["-pw", "password", "passwd", "passphrase", "secret", "token"];

/// What GStreamer's parser logs each value behind, without its name, up to the end of the line.
const NAMELESS: &str = "gst_parse_unescape: unescaping ";

/// What stands in place of a secret.
const MASK: char = '*';

/// `text` with `***` in place of user names and passwords in URIs and of the values of
/// properties such as `user-pw=` and `secret-key=`.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in secrets(text) {
        out.push_str(text.get(from..start).unwrap_or_default());
        out.push_str("***");
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// From now on no text shows this secret, in any of the ways in which elements write it.
pub fn learn_secret(secret: &str) {
    if secret.len() < MIN_LEARNED_BYTES {
        return;
    }
    let percent: String = secret.bytes().map(percent_encoded).collect();
    let mut forms = vec![
        secret.to_owned(),
        escaped(secret),
        wrapped(secret),
        serialized(secret),
        percent,
    ];
    forms.dedup();
    let mut learned = LEARNED.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if !learned.iter().any(|known| known.expose() == form) {
            learned.push_front(Secret::from(form));
        }
    }
    learned.truncate(MAX_LEARNED);
}

/// As in the text of a structure, without its quotes.
fn serialized(secret: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+/:.".contains(c);
    let mut text = String::new();
    for character in secret.chars() {
        if !plain(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// RFC 3986, 2.1 and 2.3.
fn percent_encoded(byte: u8) -> String {
    match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    }
}

/// `text` with each byte of a secret replaced by `*`: positions stay where they are.
pub(super) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in secrets(text) {
        out.push_str(text.get(from..start).unwrap_or_default());
        out.extend(std::iter::repeat_n(MASK, end - start));
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Whether the values of a property of this name are secrets.
pub(super) fn is_secret(property: &str) -> bool {
    let name = property.to_ascii_lowercase().replace('_', "-");
    SECRET_NAMES.contains(&name.as_str()) || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Byte ranges of the secrets in `text`, in order, not overlapping.
fn secrets(text: &str) -> Vec<(usize, usize)> {
    let mut found = user_infos(text);
    found.extend(property_values(text));
    found.extend(learned(text));
    found.extend(text.match_indices(NAMELESS).map(|(at, marker)| {
        let start = at + marker.len();
        let line = text.get(start..).and_then(|rest| rest.lines().next());
        (start, start + line.map_or(0, str::len))
    }));
    found.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in found {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// The secrets that were learned.
fn learned(text: &str) -> Vec<(usize, usize)> {
    let learned = LEARNED.read().unwrap_or_else(PoisonError::into_inner);
    let places = learned.iter().flat_map(|secret| {
        let places = text.match_indices(secret.expose());
        places.map(|(at, found)| (at, at + found.len()))
    });
    places.collect()
}

/// The `user:password` of each URI (RFC 3986, 3.2.1).
fn user_infos(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let uri = text.get(start..).unwrap_or_default();
        let uri = uri
            .get(..word_length(uri, &['"', '\'']))
            .unwrap_or_default();
        let authority = uri.split(['/', '?', '#']).next().unwrap_or_default();
        // A password with a bare `/` or `@` in it is not valid there, but common: what looks like
        // a port and is no number is taken for the beginning of one.
        let port = authority
            .rsplit(':')
            .next()
            .filter(|_| authority.contains(':'));
        let no_port = port.is_some_and(|port| port.chars().any(|c| !c.is_ascii_digit()));
        let end = match authority.rfind('@') {
            None if no_port => uri.rfind('@'),
            in_authority => in_authority,
        };
        found.extend(end.map(|length| (start, start + length)));
    }
    found
}

/// How long the word at the start of `text` is: up to a blank or one of `ends`, escaped ones not.
fn word_length(text: &str, ends: &[char]) -> usize {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let is_end = !escaped && (c.is_whitespace() || ends.contains(&c));
        escaped = c == '\\' && !escaped;
        is_end
    });
    end.unwrap_or(text.len())
}

/// The values of secret properties: `name=value`, `name="a value"`, `name: value`.
fn property_values(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['=', ':']) {
        let before = text.get(..at).unwrap_or_default().trim_end();
        let name_start = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
            .map_or(0, |i| {
                i + before
                    .get(i..)
                    .and_then(|s| s.chars().next())
                    .map_or(1, char::len_utf8)
            });
        if is_secret(before.get(name_start..).unwrap_or_default()) {
            found.extend(value_range(text, at + 1));
        }
    }
    found
}

/// The range of the value that begins after `from`, without its quotes.
fn value_range(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let start = from + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    let value = text.get(start..)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, end) = match quote {
        Some(quote) => {
            let mut escaped = false;
            let inner = value.get(1..)?;
            let length = inner
                .find(|c: char| {
                    let ends = c == quote && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })
                .unwrap_or(inner.len());
            (start + 1, start + 1 + length)
        }
        None => {
            let length = word_length(value, &[',', '}', '&', ';']);
            (start, start + length)
        }
    };
    let value = text.get(start..end)?;
    (!value.is_empty() && !is_no_secret(value)).then_some((start, end))
}

/// Whether a value of a definition only says where the secret is: a variable, or settings within.
fn is_no_secret(value: &str) -> bool {
    let variable = value.strip_prefix("${");
    let variable = variable.map(|rest| rest.strip_suffix('}').unwrap_or(rest));
    let name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    matches!(value, "{" | "[") || variable.is_some_and(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_survives_in_any_way_of_writing_it() {
        for text in [
            "rtspsrc location=rtsp://admin:hunter2@10.0.0.1/stream ! fakesink",
            "location=\"rtsp://admin:hunter2@cam:554/a?b=c\"",
            "rtsp://hunter2@cam/",
            "rtsp://admin:hun/hunter2@cam/x",
            "rtsp://admin:p@hunter2@cam/x",
            "rtsp://admin:hunter2\\ hunter2@cam/x",
            "rtspsrc user-id=hunter2 user-pw=hunter2 latency=1",
            "rtspsrc user-pw = \"hunter2 and \\\" hunter2\" ! x",
            "user-pw=hunter2\\ hunter2 ! x",
            "password: hunter2",
            "{ user: admin, password: \"hunter2\" }",
            "kvssink access-key='hunter2' secret-key=hunter2",
            "SESSION_TOKEN=hunter2",
            "https://x/y?token=hunter2&z=1",
            "DEBUG default types.h:97:gst_parse_unescape: unescaping hunter2\\ hunter2\nnext line",
        ] {
            let shown = redact(text);
            assert!(!shown.contains("hunter2"), "{text} -> {shown}");
            let masked = mask(text);
            assert!(!masked.contains("hunter2"), "{text} -> {masked}");
            assert_eq!(masked.len(), text.len(), "{masked}");
        }
    }

    #[test]
    fn what_was_learned_is_shown_nowhere_however_it_is_written() {
        learn_secret("wJalrXUtn/FEMI+K7MDENG=");
        for text in [
            "x-amz-security-token -> wJalrXUtn/FEMI+K7MDENG=",
            "extra-headers, Authorization=(string)\"Bearer\\ wJalrXUtn/FEMI+K7MDENG\\=\";",
            "\"wJalrXUtn\\/FEMI\\+K7MDENG\\=\"",
            "?t=wJalrXUtn%2FFEMI%2BK7MDENG%3D&x",
        ] {
            let shown = redact(text);
            assert!(!shown.contains("FEMI"), "{text} -> {shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "rtspsrc location=rtsp://cam:554/stream?channel=1 latency=200",
            "https://example.org/a@b?mail=c@d",
            "videotestsrc ! video/x-raw,width=640 ! x264enc pass=quant",
            "file:///srv/a@b.mp4",
            "access-key=",
            "bearer: { token: { access_token: \"${TOKEN}\" } }",
            "secret_access_key: ${KEY}",
        ] {
            assert_eq!(redact(text), text);
            assert_eq!(mask(text), text);
        }
    }
}
