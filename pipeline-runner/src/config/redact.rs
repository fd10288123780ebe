// SPDX-License-Identifier: MPL-2.0
//! Takes secrets out of texts that are shown.
//!
//! Cameras carry their password in the URI, cloud elements in properties; both end up in errors,
//! logs and graphs unless every text goes through here.

/// Properties whose value is a secret, in any element.
const SECRET_PROPERTIES: [&str; 14] = [
    "user-pw",
    "user-id",
    "password",
    "passwd",
    "pass",
    "passphrase",
    "secret",
    "secret-key",
    "secret-access-key",
    "access-key",
    "access-key-id",
    "session-token",
    "token",
    "proxy-pw",
];

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

/// Byte ranges of the secrets in `text`, in order, not overlapping.
fn secrets(text: &str) -> Vec<(usize, usize)> {
    let mut found = user_infos(text);
    found.extend(property_values(text));
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

/// The `user:password` between `://` and the last `@` of each authority (RFC 3986, 3.2.1; a
/// password with a bare `@` in it is not valid there, but common).
fn user_infos(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        let rest = text.get(start..).unwrap_or_default();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
            .unwrap_or(rest.len());
        if let Some(length) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            found.push((start, start + length));
        }
        from = start;
    }
    found
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
        let name = before
            .get(name_start..)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .replace('_', "-");
        if SECRET_PROPERTIES.contains(&name.as_str()) {
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
            let length = value
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | '&' | ';'))
                .unwrap_or(value.len());
            (start, start + length)
        }
    };
    (end > start).then_some((start, end))
}
