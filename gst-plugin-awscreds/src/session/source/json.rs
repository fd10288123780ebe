// SPDX-License-Identifier: MPL-2.0
//! Answers in JSON whose content must not get into a message: what `serde_json` says of a wrong
//! value quotes it, so only the place is kept.

use std::time::SystemTime;

use serde::de::DeserializeOwned;

/// # Errors
/// Where the text is not what was expected, for messages that begin with who said it.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "lacks a field, or has one of the wrong kind,",
            _ => "is no JSON",
        };
        format!("{what} at line {} column {}", error.line(), error.column())
    })
}

/// RFC 3339.
///
/// # Errors
/// It is no such time. The text is no secret.
pub fn time(text: &str) -> Result<SystemTime, String> {
    text.parse::<jiff::Timestamp>()
        .map(SystemTime::from)
        .map_err(|_| format!("has an expiration that is no time: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_wrong_answer_does_not_quote_it() {
        let error = parse::<Vec<u32>>(br#"["hunter2"]"#).unwrap_err();
        assert!(
            error.contains("line 1") && !error.contains("hunter2"),
            "{error}"
        );
        let error = parse::<String>(b"\"hunter2").unwrap_err();
        assert!(
            error.starts_with("is no JSON") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
