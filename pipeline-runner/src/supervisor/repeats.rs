// SPDX-License-Identifier: MPL-2.0
//! One warning a packet is a flood in which nobody finds the one that matters: what a pipeline says
//! again and again is said once a minute, with how often.
//!
//! Warnings that differ in numbers alone (a sequence number, a time) are the same.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a warning that was said is not said again.
const SILENCE: Duration = Duration::from_secs(60);
/// So many different ones are remembered.
const MOST: usize = 64;

/// What one pipeline warned of lately.
#[derive(Debug, Default)]
pub struct Repeats(BTreeMap<String, Said>);

#[derive(Debug)]
struct Said {
    at: Duration,
    /// The last one that was kept back, and how many.
    kept_back: Option<(String, u64)>,
}

impl Repeats {
    /// What is to be said of this warning at `now`: itself, or nothing yet.
    pub fn heard(&mut self, message: String, now: Duration) -> Option<String> {
        let kind = message.chars().filter(|c| !c.is_ascii_digit()).collect();
        if let Some(said) = self.0.get_mut(&kind) {
            let count = said.kept_back.take().map_or(0, |(_, count)| count);
            said.kept_back = Some((message, count + 1));
            return None;
        }
        if self.0.len() < MOST {
            let said = Said {
                at: now,
                kept_back: None,
            };
            self.0.insert(kind, said);
        }
        Some(message)
    }

    /// What is to be said of those that were kept back and are due at `now`.
    pub fn due(&mut self, now: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        self.0.retain(|_, said| {
            if now < said.at + SILENCE {
                return true;
            }
            said.at = now;
            let Some((message, count)) = said.kept_back.take() else {
                return false;
            };
            lines.push(match count {
                1 => message,
                count => format!("{message} (and {} more like it)", count - 1),
            });
            true
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_warning_for_each_packet_is_one_line_a_minute_and_none_is_forgotten() {
        let mut repeats = Repeats::default();
        let said: Vec<_> = (0..1000)
            .filter_map(|n| repeats.heard(format!("packet {n} is bad"), at(n / 20)))
            .collect();
        assert_eq!(said, ["packet 0 is bad"]);
        let other = repeats.heard("the disk is slow".to_owned(), at(50));
        assert_eq!(other.as_deref(), Some("the disk is slow"));
        assert!(repeats.due(at(59)).is_empty());
        assert_eq!(
            repeats.due(at(60)),
            ["packet 999 is bad (and 998 more like it)"]
        );
        assert!(
            repeats
                .heard("packet 1000 is bad".to_owned(), at(61))
                .is_none()
        );
        assert_eq!(repeats.due(at(120)), ["packet 1000 is bad"]);
        // Calm for a minute: the next one is news.
        assert!(repeats.due(at(180)).is_empty());
        let again = repeats.heard("packet 7 is bad".to_owned(), at(181));
        assert_eq!(again.as_deref(), Some("packet 7 is bad"));
    }

    #[test]
    fn as_many_kinds_as_one_likes_take_no_more_memory() {
        let mut repeats = Repeats::default();
        for n in 0..1000_u32 {
            let letters: String = n.to_string().bytes().map(|b| char::from(b + 49)).collect();
            assert!(repeats.heard(letters, at(1)).is_some());
        }
        assert_eq!(repeats.0.len(), MOST);
    }
}
