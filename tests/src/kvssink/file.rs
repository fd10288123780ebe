// SPDX-License-Identifier: MPL-2.0
//! How kvssink reads the file of `credential-path`: one `fscanf` of five words, and what it makes
//! of them. The status codes are those of the SDK below it.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The file could not be opened.
pub const OPEN_FAILED: u32 = 0x1500_0022;
/// 10,000 bytes or more.
pub const INVALID_LENGTH: u32 = 0x1500_0023;
/// It does not begin with `CREDENTIALS`.
pub const INVALID_FORMAT: u32 = 0x1500_0024;
/// No access key, or no secret key.
pub const INVALID_AUTH_LEN: u32 = 0x5200_0018;
/// Four words: an expiry, but no token.
pub const NO_TOKEN: u32 = 0x0000_0002;
/// The expiry is over.
pub const EXPIRED: u32 = 0x1500_0017;
/// The expiry does not have 20 characters.
pub const TIMESTAMP_LENGTH: u32 = 0x1600_0005;
/// A character of the expiry that should be a digit is none.
pub const TIMESTAMP_DIGIT: u32 = 0x4000_0002;
/// A header with the token would be too long for the SDK.
pub const HEADER_TOO_LONG: u32 = 0x1500_000b;

/// From so long before the expiry on, the file is read again.
pub const GRACE: Duration = Duration::from_secs(38);
/// No credentials are kept longer than this.
pub const LONGEST: Duration = Duration::from_secs(40 * 60);

/// What a file held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The access key's name, which is no secret.
    pub access_key_id: String,
    /// When kvssink takes them to end.
    pub expiration: SystemTime,
    /// Whether the file said when: else it was taken for keys that last.
    pub rotating: bool,
}

/// Reads the file as kvssink does.
///
/// # Errors
/// The SDK's status code.
pub fn read(path: &Path, now: SystemTime) -> Result<Read, u32> {
    let bytes = std::fs::read(path).map_err(|_| OPEN_FAILED)?;
    parse(&bytes, now)
}

/// What the bytes of a file are to kvssink.
///
/// # Errors
/// The SDK's status code.
pub fn parse(bytes: &[u8], now: SystemTime) -> Result<Read, u32> {
    if bytes.len() >= 10_000 {
        return Err(INVALID_LENGTH);
    }
    let [marker, access_key, third, fourth, token] = scan(bytes);
    let rotating = !fourth.is_empty();
    if marker != b"CREDENTIALS" {
        return Err(INVALID_FORMAT);
    }
    let said = if rotating {
        timestamp(third, now)?
    } else {
        now + LONGEST
    };
    let secret_key = if rotating { fourth } else { third };
    if access_key.is_empty() || secret_key.is_empty() {
        return Err(INVALID_AUTH_LEN);
    }
    if rotating && token.is_empty() {
        return Err(NO_TOKEN);
    }
    // The SDK takes 2048 characters from the file, and sends no header that long.
    if token.len() >= 2048 {
        return Err(HEADER_TOO_LONG);
    }
    Ok(Read {
        access_key_id: String::from_utf8_lossy(access_key).into_owned(),
        expiration: said.min(now + LONGEST),
        rotating,
    })
}

/// `fscanf("%11s %128s %128s %128s %2048s")`: what is longer than a field goes on in the next.
fn scan(bytes: &[u8]) -> [&[u8]; 5] {
    let mut rest = bytes;
    [11, 128, 128, 128, 2048].map(|width| {
        let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let start = rest.iter().position(|b| !space(b)).unwrap_or(rest.len());
        rest = rest.split_at(start).1;
        let end = rest.iter().position(space).unwrap_or(rest.len()).min(width);
        let (word, after) = rest.split_at(end);
        rest = after;
        word
    })
}

/// `YYYY-MM-DDTHH:MM:SSZ`: 20 characters, whose separators nobody looks at.
fn timestamp(text: &[u8], now: SystemTime) -> Result<SystemTime, u32> {
    if text.len() != 20 {
        return Err(TIMESTAMP_LENGTH);
    }
    let number = |range: std::ops::Range<usize>| -> Result<i64, u32> {
        text[range].iter().try_fold(0, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
            Ok(sum * 10 + digit.ok_or(TIMESTAMP_DIGIT)?)
        })
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    if at < now { Err(EXPIRED) } else { Ok(at) }
}

/// Days since 1970 of a date (Gregorian, as Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T10:31:00Z.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_170_660)
    }

    fn status(text: &str) -> Option<u32> {
        parse(text.as_bytes(), now()).err()
    }

    #[test]
    fn both_forms_are_read_with_any_space_between_words() {
        let rotating = "CREDENTIALS AKIA 2026-11-20T10:41:00Z secret token";
        for text in [
            rotating.to_owned(),
            rotating.replace(' ', "\t\n"),
            format!("\n{rotating}\r\n more"),
        ] {
            let read = parse(text.as_bytes(), now()).expect("kvssink reads it");
            assert_eq!(read.expiration, now() + Duration::from_secs(600));
            assert_eq!(read.access_key_id, "AKIA");
        }
        let read = parse(b"CREDENTIALS AKIA secret", now()).expect("kvssink reads it");
        assert_eq!((read.rotating, read.expiration), (false, now() + LONGEST));
    }

    #[test]
    fn nothing_is_kept_longer_than_forty_minutes() {
        let read = parse(b"CREDENTIALS AKIA 9999-01-01T00:00:00Z secret token", now());
        assert_eq!(read.map(|read| read.expiration), Ok(now() + LONGEST));
    }

    #[test]
    fn a_file_torn_after_three_words_is_taken_for_keys_that_last() {
        let read = parse(b"CREDENTIALS AKIA 2026-11-20T10:41:00Z", now());
        assert!(read.is_ok_and(|read| !read.rotating));
    }

    #[test]
    fn what_is_wrong_has_the_status_code_that_kvssink_shows() {
        assert_eq!(status(""), Some(INVALID_FORMAT));
        assert_eq!(status("# CREDENTIALS"), Some(INVALID_FORMAT));
        assert_eq!(
            status("[default]\naws_access_key_id=x"),
            Some(INVALID_FORMAT)
        );
        assert_eq!(status("CREDENTIALS"), Some(INVALID_AUTH_LEN));
        assert_eq!(status("CREDENTIALS AKIA"), Some(INVALID_AUTH_LEN));
        assert_eq!(
            status("CREDENTIALS AKIA 2026-11-20T10:41:00Z secret"),
            Some(NO_TOKEN)
        );
        assert_eq!(
            status("CREDENTIALS AKIA 2026-11-20T10:30:59Z s t"),
            Some(EXPIRED)
        );
        assert_eq!(
            status("CREDENTIALS AKIA 2026-11-20T10:41:00.5Z s t"),
            Some(TIMESTAMP_LENGTH)
        );
        assert_eq!(
            status("CREDENTIALS AKIA 2026-11-20T10:41:00+00:00 s t"),
            Some(TIMESTAMP_LENGTH)
        );
        assert_eq!(
            status("CREDENTIALS AKIA 2026-1x-20T10:41:00Z s t"),
            Some(TIMESTAMP_DIGIT)
        );
        let with_token = |length| {
            format!(
                "CREDENTIALS AKIA 2026-11-20T10:41:00Z s {}",
                "t".repeat(length)
            )
        };
        assert_eq!(status(&with_token(2047)), None);
        assert_eq!(status(&with_token(2048)), Some(HEADER_TOO_LONG));
        assert_eq!(status(&with_token(3000)), Some(HEADER_TOO_LONG));
        assert_eq!(status(&with_token(10_000)), Some(INVALID_LENGTH));
        assert_eq!(read(Path::new("/nowhere"), now()), Err(OPEN_FAILED));
    }
}
