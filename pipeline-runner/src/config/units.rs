// SPDX-License-Identifier: MPL-2.0
//! Durations and sizes as people write them: `30s`, `30d`, `500GiB`.
//!
//! A bare number is refused for a duration: nobody remembers whether it means seconds or
//! milliseconds.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A duration with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(text.trim())
            .map(Self)
            .map_err(|why| {
                D::Error::custom(format_args!(
                    "`{text}` is no duration ({why}); write a number and a unit, \
                     such as `500ms`, `2s`, `5m`, `12h` or `30d`"
                ))
            })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.trim()
            .parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_| {
                D::Error::custom(format_args!(
                    "`{text}` is no size; write a number and a unit, \
                     such as `500GiB`, `10GB` or `512MiB`"
                ))
            })
    }
}

/// Frames per second, whole or as a fraction: `30`, `30000/1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framerate {
    pub frames: u32,
    pub seconds: u32,
}

impl<'de> Deserialize<'de> for Framerate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (frames, seconds) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
        match (frames.parse(), seconds.parse()) {
            (Ok(frames @ 1..=240_000), Ok(seconds @ 1..=1001)) => Ok(Self { frames, seconds }),
            _ => Err(D::Error::custom(format_args!(
                "`{text}` is no frame rate; write frames per second, such as `30`, `25` or \
                 `30000/1001`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Result<Duration, String> {
        let parsed: Result<Time, _> = serde_saphyr::from_str(text);
        parsed.map(|time| time.0).map_err(|why| why.to_string())
    }

    fn bytes(text: &str) -> Result<u64, String> {
        let parsed: Result<Bytes, _> = serde_saphyr::from_str(text);
        parsed.map(|bytes| bytes.0).map_err(|why| why.to_string())
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(time("30d"), Ok(Duration::from_secs(30 * 86400)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        for wrong in [
            "30",
            "-1s",
            "soon",
            "2 parsecs",
            "99999999999999999999d",
            "''",
        ] {
            let said = time(wrong).expect_err(wrong);
            assert!(
                said.contains("no duration") && said.contains("`30d`"),
                "{said}"
            );
        }
    }

    #[test]
    fn sizes_know_decimal_and_binary_units() {
        assert_eq!(bytes("500GiB"), Ok(500 << 30));
        assert_eq!(bytes("10GB"), Ok(10_000_000_000));
        assert_eq!(bytes("1.5 MiB"), Ok(3 << 19));
        assert_eq!(bytes("4096"), Ok(4096));
        for wrong in ["ten", "10 GQ", "-1GB", "''"] {
            let said = bytes(wrong).expect_err(wrong);
            assert!(
                said.contains("no size") && said.contains("`500GiB`"),
                "{said}"
            );
        }
    }
}
