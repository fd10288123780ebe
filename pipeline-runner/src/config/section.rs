// SPDX-License-Identifier: MPL-2.0
//! Reads one section of the YAML into its type, and says its errors in the words of this project.
//!
//! Going over the file once per section lets every broken pipeline be reported in one run, though
//! the reader stops at the first error it meets.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::{
    DefaultMessageFormatter, Error, Location, MessageFormatter, Options, PropertySyntax, Spanned,
};

use super::nearest::suggestion;
use super::problem::{Problem, Source};
use super::tree::Node;

/// The file as a tree.
pub(super) fn tree(source: &Source) -> Result<Spanned<Node>, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(&source.text, options).map_err(|why| explain(source, &why))
}

/// The section at `path` of `text` (that of `source`, its faults made harmless), with variables
/// put in. The section must be there.
pub(super) fn section<T: for<'de> Deserialize<'de>>(
    source: &Source,
    text: &str,
    variables: &Rc<HashMap<String, String>>,
    path: &[&str],
) -> Result<T, Problem> {
    let read = serde_saphyr::with_deserializer_from_str_with_options(
        text,
        options(variables),
        |deserializer| Only::new(path).deserialize(deserializer),
    );
    match read {
        Ok(Some(section)) => Ok(section),
        Ok(None) => Err(Problem::new(
            0..0,
            format!("missing key `{}`", path.join(".")),
        )),
        Err(why) => Err(explain(source, &why)),
    }
}

fn options(variables: &Rc<HashMap<String, String>>) -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        property_syntax: PropertySyntax::DockerCompose,
        property_map: Some(variables.clone()),
    }
}

/// Reads what is at a path of keys and skips everything else.
struct Only<'a, T> {
    path: &'a [&'a str],
    what: PhantomData<T>,
}

impl<'a, T> Only<'a, T> {
    fn new(path: &'a [&'a str]) -> Self {
        let what = PhantomData;
        Self { path, what }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Only<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        match self.path {
            [] => T::deserialize(deserializer).map(Some),
            _ => deserializer.deserialize_map(self),
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(key) = entries.next_key::<String>()? {
            match self.path.split_first() {
                Some((wanted, rest)) if *wanted == key => {
                    found = entries.next_value_seed(Only::new(rest))?;
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The reader's error in our words, at its place.
fn explain(source: &Source, why: &Error) -> Problem {
    let why = why.without_snippet();
    if let Error::AliasError { error, .. } = why {
        let mut problem = explain(source, error);
        problem.at = Some(source.range(place(why)));
        return problem;
    }
    let at = place(why);
    let (message, help) = words(source, why, at);
    let mut problem = Problem::new(source.range(at), message);
    problem.help = help;
    problem
}

fn place(why: &Error) -> Location {
    why.location().unwrap_or(Location::UNKNOWN)
}

fn words(source: &Source, why: &Error, at: Location) -> (String, Option<String>) {
    let found = source.snippet(at);
    match why {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown_key(field, expected),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown_choice(variant, expected),
        Error::SerdeMissingField { field, .. } => (format!("missing key `{field}`"), None),
        Error::InvalidScalar { ty, .. } => {
            (format!("expected {}, found `{found}`", kind(ty)), None)
        }
        Error::Unexpected { expected, .. } => (
            format!("expected {}", kind(expected)),
            wrong_kind(expected, found),
        ),
        Error::NullIntoString { .. } => ("a value is missing".to_owned(), None),
        Error::DuplicateMappingKey { key, .. } => (
            format!(
                "the key `{}` is given twice",
                key.as_deref().unwrap_or(found)
            ),
            Some("keep one of them; under `pipelines`, give each its own name".to_owned()),
        ),
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => (
            format!("`{found}` is one too many: only one kind can stand here"),
            Some("keep one of them".to_owned()),
        ),
        Error::ExpectedStringKeyForExternallyTaggedEnum { .. }
        | Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => (
            "expected a kind and its settings".to_owned(),
            Some("such as `source: { rtsp: { uri: … } }` or `- archive: {}`".to_owned()),
        ),
        Error::UnknownAnchor { .. } => (
            "this alias names no anchor".to_owned(),
            Some("an anchor (`&name`) must stand before its alias (`*name`)".to_owned()),
        ),
        Error::MultipleDocuments { .. } => (
            "a second document begins here".to_owned(),
            Some("one file is one definition: remove the `---`".to_owned()),
        ),
        Error::Eof { .. } => ("the file is empty".to_owned(), None),
        other => (
            DefaultMessageFormatter.format_message(other).into_owned(),
            None,
        ),
    }
}

fn unknown_key(key: &str, known: &[&str]) -> (String, Option<String>) {
    let help = suggestion(key, "known keys", known.iter().copied());
    (format!("unknown key `{key}`"), help)
}

fn unknown_choice(choice: &str, known: &[&str]) -> (String, Option<String>) {
    let help = suggestion(choice, "known here", known.iter().copied());
    (format!("unknown name `{choice}`"), help)
}

/// What the reader wanted, in the words of a person.
fn kind(expected: &str) -> &str {
    match expected {
        "bool" | "boolean" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" => "a whole number",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "floating point" => "a number",
        "mapping start" => "a mapping (`key: value`)",
        "sequence start" => "a list (`- item`)",
        "string scalar" | "scalar" => "a text",
        other => other,
    }
}

fn wrong_kind(expected: &str, found: &str) -> Option<String> {
    match (expected, found.chars().next()?) {
        ("mapping start", '[') => Some("this is a list: remove the `[` and `]`".to_owned()),
        ("sequence start", '{') => Some("this is a mapping: write `- ` before it".to_owned()),
        _ => None,
    }
}
