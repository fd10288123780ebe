// SPDX-License-Identifier: MPL-2.0
//! `${credentials.NAME.access_token}`: the access token of a session, which is known only when a
//! pipeline starts, and another one after each renewal.
//!
//! So a definition keeps a mark in its place, in texts and in headers alike; the worker puts the
//! token in when it builds the pipeline. A mark is made of characters that mean nothing in YAML,
//! in URIs or in the syntax of `gst-launch-1.0`.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use super::nearest::suggestion;
use super::problem::{Problem, Source};
use super::tree::{Node, Text};
use super::vars;

const OPEN: &str = "${credentials.";
/// As long as `${`, so that hiding moves nothing.
const HIDDEN: &str = "§credentials.";
const MARK: &str = "%credentials.";
const FIELD: &str = ".access_token";
/// Kinds of sessions that have an access token.
const KINDS: [&str; 2] = ["oauth2", "token"];

/// `text` with each `${credentials.…}` made invisible to a reader of variables.
pub(super) fn hidden(text: &str) -> String {
    text.replace(OPEN, HIDDEN)
}

/// The names of the sessions whose tokens a hidden text wants, and the text with marks.
pub(super) fn marked(text: &str) -> (BTreeSet<String>, String) {
    let mut names = BTreeSet::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(HIDDEN) {
        out.push_str(before);
        let name = after.split_once('}').and_then(|(inner, after)| {
            let name = inner.strip_suffix(FIELD)?;
            Some((name, after))
        });
        match name {
            Some((name, after)) => {
                names.insert(name.to_owned());
                out.push_str(&mark(name));
                rest = after;
            }
            None => {
                out.push_str(HIDDEN);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    (names, out)
}

/// What stands in a definition for the token of a session.
pub fn mark(session: &str) -> String {
    format!("{MARK}{session}{FIELD}%")
}

/// `text` with tokens in place of their marks.
pub fn put_in(text: &str, tokens: &BTreeMap<String, String>) -> String {
    let mut out = text.to_owned();
    for (session, token) in tokens {
        out = out.replace(&mark(session), token);
    }
    out
}

/// Whether a token can stand in a header and in a text: RFC 6750, 2.1 (`b64token`).
pub fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    !body.is_empty() && body.chars().all(allowed)
}

/// What is wrong with the `${credentials.…}` of a file.
pub(super) fn problems(source: &Source, tree: &Spanned<Node>) -> Vec<Problem> {
    let sessions = Sessions::of(tree);
    let texts = Node::texts(tree);
    let wanting = texts.iter().filter(|text| text.text.contains(OPEN));
    wanting
        .flat_map(|text| in_text(source, &sessions, text))
        .collect()
}

/// The sessions of a file, with their kinds.
struct Sessions<'n>(Vec<(&'n str, &'n str)>);

impl<'n> Sessions<'n> {
    fn of(tree: &'n Spanned<Node>) -> Self {
        let entries = tree.value.get("credentials");
        let entries = entries.map_or(&[][..], |node| node.value.entries());
        let kind = |node: &'n Spanned<Node>| {
            let kind = node.value.entries().first();
            kind.map_or("", |(kind, _)| kind.value.as_str())
        };
        let named = entries
            .iter()
            .map(|(name, node)| (name.value.as_str(), kind(node)));
        Self(named.collect())
    }
}

fn in_text(source: &Source, sessions: &Sessions, text: &Text) -> Vec<Problem> {
    let scalar = source.range(text.at);
    let mut problems = Vec::new();
    for inner in text.text.split(OPEN).skip(1) {
        let inner = inner.split_once('}').map_or(inner, |(inner, _)| inner);
        let inner = inner.lines().next().unwrap_or_default();
        let at = vars::within(source, &scalar, &format!("{OPEN}{inner}}}"));
        let mut wrong = |message: String, help: String| {
            problems.push(Problem::new(at.clone(), message).help(help));
        };
        let Some(name) = inner.strip_suffix(FIELD) else {
            let message = format!("`{OPEN}{inner}}}` is nothing that a session has");
            wrong(message, format!("write `{OPEN}NAME{FIELD}}}`"));
            continue;
        };
        match sessions.0.iter().find(|(known, _)| *known == name) {
            None => {
                let names = sessions.0.iter().filter(|(_, kind)| KINDS.contains(kind));
                let names: Vec<&str> = names.map(|(name, _)| *name).collect();
                let help = suggestion(name, "sessions with an access token", names)
                    .unwrap_or_else(|| "add it: `credentials: { NAME: { oauth2: … } }`".to_owned());
                wrong(format!("there is no session `{name}`"), help);
            }
            Some((_, kind)) if !KINDS.contains(kind) => wrong(
                format!("the session `{name}` has no access token"),
                "sessions of the kinds `oauth2` and `token` have one".to_owned(),
            ),
            Some(_) if !may_stand(&text.keys) => wrong(
                "an access token cannot stand here".to_owned(),
                "it can stand in `launch`, and in the `uri`, `headers`, `user` and `password` of a source"
                    .to_owned(),
            ),
            Some(_) => {}
        }
    }
    problems
}

/// Whether a token is put in at the text that these keys lead to.
fn may_stand(keys: &[&str]) -> bool {
    matches!(
        keys,
        ["pipelines", _, "launch"]
            | ["pipelines", _, "source", "uri", "uri"]
            | ["pipelines", _, "source", "uri", "headers", _]
            | [
                "pipelines",
                _,
                "source",
                "rtsp",
                "uri" | "user" | "password"
            ]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_to_stand_where_the_definition_wants_it() {
        let text = "https://x/?a=${credentials.sat.access_token}&b=${credentials.c-2.access_token}";
        assert_eq!(hidden(text).len(), text.len());
        let (names, text) = marked(&hidden(text));
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["c-2", "sat"]);
        let tokens = [("sat", "AAA"), ("c-2", "BB=")];
        let tokens = tokens.map(|(name, token)| (name.to_owned(), token.to_owned()));
        assert_eq!(put_in(&text, &tokens.into()), "https://x/?a=AAA&b=BB=");
    }

    #[test]
    fn what_could_break_out_of_a_header_or_a_text_is_no_token() {
        for token in ["eyJh.eyJz-_.x", "a+/b==", "~"] {
            assert!(is_token(token), "{token}");
        }
        for token in ["", "=", "a b", "a\nb", "a\"b", "a!b", "é", "a=b"] {
            assert!(!is_token(token), "{token}");
        }
    }
}
