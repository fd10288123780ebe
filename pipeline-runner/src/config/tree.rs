// SPDX-License-Identifier: MPL-2.0
//! The YAML as it stands, before it means anything: keys and texts with their places.
//!
//! The typed reader stops at its first error, so what concerns the file as a whole (its keys, its
//! variables) is checked on this tree, and the typed reader then goes over one section at a time.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A node of the YAML.
#[derive(Debug)]
pub(super) enum Node {
    /// A mapping.
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    /// A list.
    List(Vec<Spanned<Node>>),
    /// A text, its variables not put in.
    Text(String),
    /// A number, `true`, `false` or nothing.
    Other,
}

impl Node {
    /// The entries, if it is a mapping.
    pub(super) fn entries(&self) -> &[(Spanned<String>, Spanned<Self>)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key, if it is a mapping and has it.
    pub(super) fn get(&self, key: &str) -> Option<&Spanned<Self>> {
        let entry = self.entries().iter().find(|(name, _)| name.value == key);
        entry.map(|(_, value)| value)
    }

    /// All texts below `node`, each with the keys that lead to it and its place.
    pub(super) fn texts(node: &Spanned<Self>) -> Vec<Text<'_>> {
        let mut found = Vec::new();
        let mut waiting = vec![(node, Vec::new())];
        while let Some((node, keys)) = waiting.pop() {
            match &node.value {
                Self::Text(text) => found.push(Text {
                    text,
                    keys,
                    at: node.defined,
                }),
                Self::List(items) => waiting.extend(items.iter().map(|item| (item, keys.clone()))),
                Self::Map(entries) => waiting.extend(entries.iter().map(|(key, value)| {
                    let mut keys = keys.clone();
                    keys.push(key.value.as_str());
                    (value, keys)
                })),
                Self::Other => {}
            }
        }
        found
    }
}

/// A text of the YAML.
pub(super) struct Text<'n> {
    /// Its variables not put in.
    pub text: &'n str,
    /// The keys that lead to it from the top; items of lists count for nothing.
    pub keys: Vec<&'n str>,
    /// Where it is written.
    pub at: Location,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}
