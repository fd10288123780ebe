// SPDX-License-Identifier: MPL-2.0
//! The words of a `gst-launch-1.0` text: which are elements, which properties and values.
//!
//! GStreamer's own parser names the first thing that is wrong and not where it stands. This one
//! builds nothing: it finds the words so that each can be asked about. It follows GStreamer's
//! lexer (`gst/parse/parse.l`) and lets pass what it does not know: the last word is GStreamer's.

use std::iter::Peekable;
use std::str::CharIndices;

/// An element of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element<'t> {
    /// Its type, such as `videotestsrc`.
    pub factory: &'t str,
    /// Where the type stands, in bytes.
    pub at: usize,
    /// What is set on it.
    pub properties: Vec<Property<'t>>,
}

/// `name=value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Property<'t> {
    pub name: &'t str,
    /// Where the name stands, in bytes.
    pub at: usize,
    /// As written, with quotes and escapes.
    pub raw: &'t str,
    /// Where the value stands, in bytes.
    pub raw_at: usize,
}

impl Property<'_> {
    /// The value without quotes and escapes, as GStreamer sees it.
    pub(super) fn value(&self) -> String {
        let inner = ['"', '\''].iter().find_map(|quote| {
            let inner = self.raw.strip_prefix(*quote)?.strip_suffix(*quote)?;
            Some(inner)
        });
        unescaped(inner.unwrap_or(self.raw))
    }
}

/// Removes backslashes as `gst_parse_unescape` does: within double quotes they stay.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    let (mut quoted, mut last) = (false, None);
    while let Some(mut character) = characters.next() {
        if character == '\\' && !quoted {
            let Some(escaped) = characters.next() else {
                break;
            };
            character = escaped;
        } else if character == '"' && (!quoted || last != Some('\\')) {
            quoted = !quoted;
        }
        out.push(character);
        last = Some(character);
    }
    out
}

/// `value` as one word of a text, whatever is in it.
pub(super) fn escaped(value: &str) -> String {
    // Elements take the quotes off what begins with one, and GStreamer's lexer takes a blank after
    // a backslash for part of the word: such values are wrapped as GStreamer serializes strings.
    let wrap = value.is_empty() || value.starts_with('"') || value.ends_with('\\');
    let value = if wrap {
        wrapped(value)
    } else {
        value.to_owned()
    };
    let plain = |c: char| !c.is_ascii() || c.is_alphanumeric() || "-_./:@%+,=?&~*".contains(c);
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if !plain(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// A string in quotes, as `gst_string_wrap` writes it.
pub(super) fn wrapped(value: &str) -> String {
    let mut text = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(char::from(byte)),
            b' '..=b'~' => text.extend(['\\', char::from(byte)]),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// The elements of a text, in order.
pub(super) fn elements(text: &str) -> Vec<Element<'_>> {
    let mut lexer = Lexer {
        text,
        rest: text.char_indices().peekable(),
    };
    let mut found: Vec<Element> = Vec::new();
    while let Some(word) = lexer.next_word() {
        match word {
            Word::Element(factory, at) => found.push(Element {
                factory,
                at,
                properties: Vec::new(),
            }),
            Word::Property(property) => {
                if let Some(element) = found.last_mut() {
                    element.properties.push(property);
                }
            }
            Word::Bin(at) => found.push(Element {
                factory: "bin",
                at,
                properties: Vec::new(),
            }),
        }
    }
    found
}

enum Word<'t> {
    Element(&'t str, usize),
    Property(Property<'t>),
    /// A parenthesis: what is set next is set on the bin.
    Bin(usize),
}

struct Lexer<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
}

impl<'t> Lexer<'t> {
    fn next_word(&mut self) -> Option<Word<'t>> {
        loop {
            self.skip(char::is_whitespace);
            let (at, character) = *self.rest.peek()?;
            match character {
                '!' | ':' => {
                    self.rest.next();
                    self.skip(char::is_whitespace);
                    if self.caps_ahead() {
                        self.skip_caps();
                    }
                }
                '(' | '{' => {
                    self.rest.next();
                    return Some(Word::Bin(at));
                }
                ')' | '}' | ';' | ',' => {
                    self.rest.next();
                }
                c if c.is_ascii_alphanumeric() || c == '_' => {
                    if let Some(word) = self.identifier(at) {
                        return Some(word);
                    }
                }
                _ => {
                    self.skip_value();
                }
            }
        }
    }

    /// An element, a property, or something else that begins with a name.
    fn identifier(&mut self, at: usize) -> Option<Word<'t>> {
        if self.caps_ahead() {
            self.skip_caps();
            return None;
        }
        self.skip(|c| c.is_ascii_alphanumeric() || "-_%:".contains(c));
        let end = self.position();
        let name = self.text.get(at..end)?;
        match self.rest.peek().map(|(_, c)| *c) {
            // A reference to a pad, or `name.(`.
            Some('.') => {
                self.rest.next();
                self.skip(|c| c.is_ascii_alphanumeric() || "-_%".contains(c));
                None
            }
            // `scheme://…`
            Some('/') => {
                self.skip_value();
                None
            }
            _ => Some(self.property(name, at).unwrap_or(Word::Element(name, at))),
        }
    }

    /// The property `name`, if an `=` follows.
    fn property(&mut self, name: &'t str, at: usize) -> Option<Word<'t>> {
        let after = self.text.get(self.position()..)?;
        if !after.trim_start().starts_with('=') {
            return None;
        }
        self.skip(char::is_whitespace);
        self.rest.next();
        self.skip(char::is_whitespace);
        let raw_at = self.position();
        self.skip_value();
        Some(Word::Property(Property {
            name,
            at,
            raw: self.text.get(raw_at..self.position())?,
            raw_at,
        }))
    }

    /// Whether `type/subtype` comes next.
    fn caps_ahead(&self) -> bool {
        let rest = self.text.get(self.position()..).unwrap_or_default();
        let mime = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let word_end = rest.find(|c| !mime(c)).unwrap_or(rest.len());
        let after = rest.get(word_end..).unwrap_or_default();
        word_end > 0
            && after
                .strip_prefix('/')
                .is_some_and(|subtype| subtype.starts_with(mime))
    }

    /// Caps reach to the next link.
    fn skip_caps(&mut self) {
        let mut quote = false;
        while let Some((_, character)) = self.rest.next_if(|(_, c)| quote || *c != '!') {
            match character {
                '\\' => {
                    self.rest.next();
                }
                '"' => quote = !quote,
                _ => {}
            }
        }
    }

    /// A value: what is in quotes, or up to the next blank.
    fn skip_value(&mut self) {
        let start = self.position();
        let value = self.text.get(start..).unwrap_or_default();
        let length = (value.chars().next())
            .filter(|c| matches!(c, '"' | '\''))
            .and_then(|quote| quoted_length(value, quote))
            .unwrap_or_else(|| bare_length(value))
            .max(1);
        while self.rest.next_if(|(at, _)| *at < start + length).is_some() {}
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        while self.rest.next_if(|(_, c)| what(*c)).is_some() {}
    }

    fn position(&self) -> usize {
        self.rest
            .clone()
            .next()
            .map_or(self.text.len(), |(at, _)| at)
    }
}

/// How long a value in quotes is, with them, if it ends.
fn quoted_length(value: &str, quote: char) -> Option<usize> {
    let mut last = quote;
    for (at, character) in value.char_indices().skip(1) {
        if character == quote && last != '\\' {
            return Some(at + character.len_utf8());
        }
        last = character;
    }
    None
}

fn bare_length(value: &str) -> usize {
    let mut escaped = false;
    let end = value.find(|c: char| {
        let ends = c.is_whitespace() && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let named = |property: &Property| (property.name.to_owned(), property.value());
        (elements(text).iter())
            .map(|element| {
                let properties = element.properties.iter().map(named).collect();
                (element.factory.to_owned(), properties)
            })
            .collect()
    }

    fn names(text: &str) -> Vec<String> {
        words(text).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn elements_are_told_from_caps_references_and_values() {
        let text = "videotestsrc num-buffers=10 ! video/x-raw, format=(string)I420, \
                    framerate = 30/1 ! tee name=t ! queue ! x264enc t. ! queue ! fakesink \
                    t.src_1 ! mux.video_0 mp4mux name=mux ! filesink location=\"a ! b.mp4\"";
        assert_eq!(
            names(text),
            [
                "videotestsrc",
                "tee",
                "queue",
                "x264enc",
                "queue",
                "fakesink",
                "mp4mux",
                "filesink"
            ]
        );
    }

    #[test]
    fn values_lose_quotes_and_escapes_as_in_gstreamer() {
        let text = r#"a x="one two" y=one\ two z = 3 w='q "r"' v="a \"b\"" ! b"#;
        let found = words(text);
        assert_eq!(
            found.first().map(|(_, properties)| properties.clone()),
            Some(
                [
                    ("x", "one two"),
                    ("y", "one two"),
                    ("z", "3"),
                    ("w", "q \"r\""),
                    ("v", "a \"b\"")
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
            )
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn bins_and_uris_are_no_elements_of_their_own() {
        assert_eq!(
            names("( name=b videotestsrc ! fakesink )"),
            ["bin", "videotestsrc", "fakesink"]
        );
        assert_eq!(
            names("bin.( videotestsrc ! fakesink )"),
            ["bin", "videotestsrc", "fakesink"]
        );
        assert_eq!(names("https://example.org/a=b?c ! fakesink"), ["fakesink"]);
    }

    #[test]
    fn no_text_makes_the_lexer_stand_still() {
        for text in [
            "!",
            "a=",
            "\"",
            "a=\"",
            "=",
            ". .",
            "a\\",
            "ü ! é=ß",
            "a b=c\\",
            "@ # % ^",
        ] {
            elements(text);
        }
    }
}
