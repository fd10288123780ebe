// SPDX-License-Identifier: MPL-2.0
//! A string that is shown to nobody by accident.
//!
//! `secrecy` wipes the memory when the value goes and redacts `Debug`. What is added here is
//! equality and hashing, so that sessions with equal settings can be found to be the same, and a
//! way in from a `String` that leaves no copy behind.

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret: wiped when dropped, `***` in `Debug`, readable only by [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself. Every call is a place to look at when something leaks.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<String> for Secret {
    /// Wipes the string given: shrinking it in place could leave the secret in freed memory.
    fn from(mut text: String) -> Self {
        let secret = Secret::from(text.as_str());
        text.zeroize();
        secret
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(SecretString::from(Box::<str>::from(text)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Secret::from)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Compares what this process was given with what it was given; nobody outside can ask, so the
/// time it takes tells nobody anything.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        let secret = Secret::from("hunter2hunter2".to_string());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "*** Some(\n    ***,\n)"
        );
        assert_eq!(secret.expose(), "hunter2hunter2");
    }

    #[test]
    fn secrets_are_equal_when_their_text_is() {
        assert_eq!(Secret::from("a"), Secret::from("a".to_string()));
        assert_ne!(Secret::from("a"), Secret::from("b"));
    }
}
