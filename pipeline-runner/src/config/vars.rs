// SPDX-License-Identifier: MPL-2.0
//! `${VARIABLES}`: which there are, and whether they are set.
//!
//! The YAML reader puts the values in, each within its scalar, so that a value can never become
//! YAML; but it takes an unset variable for an empty one. This room looks at them first: all that
//! are missing are reported at once, and only those that the file names are read from the
//! environment at all.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use serde_saphyr::Spanned;

use super::problem::{Problem, Source};
use super::redact::{is_secret, redact};
use super::tokens;
use super::tree::{Node, Text};

/// Defaults within defaults are followed this deep.
const MAX_DEPTH: usize = 16;

/// The variables that a tree names and their values, and what is wrong with them.
pub(super) struct Variables {
    /// Values of those that are set.
    pub values: HashMap<String, String>,
    /// What is wrong, with its place.
    pub problems: Vec<Problem>,
    /// The scalars in which something is wrong.
    pub broken: Vec<Range<usize>>,
    /// The names of those that hold secrets: no worker needs them in its environment.
    pub secret: BTreeSet<String>,
}

impl Variables {
    /// The file's text with what is wrong made harmless, nothing moved: the YAML reader stops at
    /// a bad variable even in a section that it is told to skip. What stands for an access token
    /// is hidden from it.
    pub(super) fn harmless(&self, source: &Source) -> String {
        let within = |at: usize| self.broken.iter().any(|scalar| scalar.contains(&at));
        let text = tokens::hidden(&source.text);
        text.char_indices()
            .map(|(at, character)| match character {
                '$' if within(at) => '_',
                other => other,
            })
            .collect()
    }
}

/// Looks up the variables that `tree` names, in `environment`.
pub(super) fn look_up(
    source: &Source,
    tree: &Spanned<Node>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Variables {
    let mut found = Variables {
        values: HashMap::new(),
        problems: Vec::new(),
        broken: Vec::new(),
        secret: BTreeSet::new(),
    };
    for text in Node::texts(tree) {
        let scalar = source.range(text.at);
        let mut look = Look {
            environment,
            values: &mut found.values,
            named: Vec::new(),
            wrong: Vec::new(),
        };
        look.text(&tokens::hidden(text.text), MAX_DEPTH);
        let Look { named, wrong, .. } = look;
        let secret = named
            .into_iter()
            .filter(|(_, value)| hold_secret(&text, value));
        found.secret.extend(secret.map(|(name, _)| name));
        if !wrong.is_empty() {
            found.broken.push(scalar.clone());
        }
        for wrong in wrong {
            let at = within(source, &scalar, &wrong.token);
            found
                .problems
                .push(Problem::new(at, wrong.message).help(wrong.help));
        }
    }
    found
}

/// Where `token` stands within a scalar; the whole scalar if it does not stand there literally.
pub(super) fn within(source: &Source, scalar: &Range<usize>, token: &str) -> Range<usize> {
    let text = source.text.get(scalar.clone()).unwrap_or_default();
    match text.find(token) {
        Some(offset) => {
            let start = scalar.start + offset;
            start..start + token.len()
        }
        None => scalar.clone(),
    }
}

struct Wrong {
    token: String,
    message: String,
    help: String,
}

/// Whether the value of a variable in this text is a secret: by the key it is for, or by itself.
fn hold_secret(text: &Text, value: &str) -> bool {
    text.keys.last().is_some_and(|key| is_secret(key)) || redact(value) != value
}

struct Look<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    values: &'a mut HashMap<String, String>,
    /// The variables of this text, with their values.
    named: Vec<(String, String)>,
    wrong: Vec<Wrong>,
}

impl Look<'_> {
    fn text(&mut self, text: &str, depth: usize) {
        let mut rest = text;
        while let Some(after) = rest.find('$').and_then(|at| rest.get(at + 1..)) {
            rest = if let Some(escaped) = after.strip_prefix('$') {
                escaped
            } else if let Some(body) = after.strip_prefix('{') {
                self.braced(body, depth)
            } else {
                self.bare(after)
            };
        }
    }

    /// `$NAME`: refused, since half of the readers expect the value and half the dollar sign.
    fn bare<'t>(&mut self, after: &'t str) -> &'t str {
        let (name, rest) = split_name(after);
        if !name.is_empty() {
            self.wrong.push(Wrong {
                token: format!("${name}"),
                message: format!("`${name}` is ambiguous"),
                help: format!(
                    "write `${{{name}}}` for the variable, or `$${name}` for a dollar sign"
                ),
            });
        }
        rest
    }

    /// What follows `${`; returns what follows its `}`.
    fn braced<'t>(&mut self, body: &'t str, depth: usize) -> &'t str {
        let Some(end) = closing_brace(body) else {
            self.malformed(body.lines().next().unwrap_or_default(), "");
            return "";
        };
        let (inner, rest) = (body.get(..end).unwrap_or_default(), body.get(end + 1..));
        let (name, operation) = split_name(inner);
        if name.is_empty() {
            self.malformed(inner, "}");
        } else {
            self.operation(inner, name, operation, depth);
        }
        rest.unwrap_or_default()
    }

    fn operation(&mut self, inner: &str, name: &str, operation: &str, depth: usize) {
        let value = self.value(name);
        let (colon, operation) = match operation.strip_prefix(':') {
            Some(operation) => (true, operation),
            None => (false, operation),
        };
        let missing = value
            .as_deref()
            .is_none_or(|value| colon && value.is_empty());
        let mut characters = operation.chars();
        match (characters.next(), characters.as_str()) {
            (None, _) if !colon => {
                if value.is_none() {
                    let help =
                        format!("set it in the environment, or give a default: `${{{name}:-…}}`");
                    self.missing(inner, format!("the variable `{name}` is not set"), help);
                }
            }
            (Some('?'), hint) => {
                if missing {
                    let state = if value.is_some() { "empty" } else { "not set" };
                    let help = if hint.is_empty() {
                        "set it in the environment"
                    } else {
                        hint
                    };
                    let message = format!("the variable `{name}` is {state}");
                    self.missing(inner, message, help.to_owned());
                }
            }
            (Some('-'), default) => {
                if missing {
                    self.nested(default, depth);
                }
            }
            (Some('+'), alternative) => {
                if !missing {
                    self.nested(alternative, depth);
                }
            }
            _ => self.malformed(inner, "}"),
        }
    }

    fn nested(&mut self, text: &str, depth: usize) {
        if let Some(depth) = depth.checked_sub(1) {
            self.text(text, depth);
        }
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.environment)(name)?;
        self.values.insert(name.to_owned(), value.clone());
        self.named.push((name.to_owned(), value.clone()));
        Some(value)
    }

    fn missing(&mut self, inner: &str, message: String, help: String) {
        self.wrong.push(Wrong {
            token: format!("${{{inner}}}"),
            message,
            help,
        });
    }

    fn malformed(&mut self, inner: &str, brace: &str) {
        let token = format!("${{{inner}{brace}");
        self.wrong.push(Wrong {
            message: format!("`{token}` is no variable"),
            token,
            help: "write `${NAME}`, `${NAME:-default}` or `${NAME:?what to set it to}`; \
                   `$$` is a dollar sign"
                .to_owned(),
        });
    }
}

/// The index of the `}` that ends the body of a `${`, on the same line.
fn closing_brace(body: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in body.char_indices() {
        match character {
            '\n' => return None,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A variable's name at the start of `text`, and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let starts = |c: char| c == '_' || c.is_ascii_alphabetic();
    let length = if text.starts_with(starts) {
        text.find(|c: char| !(starts(c) || c.is_ascii_digit()))
            .unwrap_or(text.len())
    } else {
        0
    };
    text.split_at(length)
}
