// SPDX-License-Identifier: MPL-2.0
//! The grammar of names: streams, variants, hour folders, segments.
//!
//! The names *are* the index, so what is written here must be read back exactly, and what others
//! wrote (wubloader: more or fewer digits) must be understood. Parsing allocates nothing unless it
//! fails: a query may look at tens of thousands of names. It is stricter than wubloader's parser
//! where that one is lenient by accident (any separator between minute and second, `1e0`, `inf`,
//! padded or overlong base64), because such names never come from a writer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::utc::{HOUR_NS, SECOND_NS, UtcNs};

/// The extension of the file that hides every segment with the same stem.
pub const TOMBSTONE_EXTENSION: &str = "tombstone";

const MICROSECOND_NS: i64 = 1_000;
const HASH_BYTES: usize = 32;
/// What unpadded base64 makes of [`HASH_BYTES`].
const HASH_CHARS: usize = 43;

/// How much a segment may be trusted.
///
/// Ordered from the least to the most wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Being written, or left behind by a crash.
    Temp,
    /// Known to lack something, like the end that a crash took.
    Partial,
    /// Complete as far as the writer can tell, but something was odd while recording.
    Suspect,
    /// Complete.
    Full,
}

impl Kind {
    /// The word in file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Temp => "temp",
            Self::Partial => "partial",
            Self::Suspect => "suspect",
            Self::Full => "full",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "temp" => Self::Temp,
            "partial" => Self::Partial,
            "suspect" => Self::Suspect,
            "full" => Self::Full,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What holds the media: the extension of a segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Container {
    /// Fragmented MP4.
    Mp4,
    /// MPEG transport stream.
    Ts,
}

impl Container {
    /// The extension, without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Ts => "ts",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.extension())
    }
}

impl FromStr for Container {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "mp4" => Ok(Self::Mp4),
            "ts" => Ok(Self::Ts),
            _ => Err(NameError::Container {
                name: text.to_owned(),
            }),
        }
    }
}

/// What tells segments of one start and duration apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// SHA-256 of the file's bytes.
    Hash([u8; HASH_BYTES]),
    /// Something unique, while the bytes are not final.
    Temp(Uuid),
}

/// Unpadded URL-safe base64 (RFC 4648 section 5), or a hyphenated UUID.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => {
                let mut text = [0; HASH_CHARS];
                let written = URL_SAFE_NO_PAD
                    .encode_slice(hash, &mut text)
                    .map_err(|_| fmt::Error)?;
                let text = text.get(..written).ok_or(fmt::Error)?;
                f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
            }
            Self::Temp(uuid) => uuid.fmt(f),
        }
    }
}

/// Everything the name of a segment's file says, with the hour of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentName {
    /// The moment of the first frame. Names hold microseconds; the rest is cut off.
    pub start: UtcNs,
    /// How long the media lasts; of a `temp`, how long it is meant to last.
    pub duration_ns: i64,
    /// How much it may be trusted.
    pub kind: Kind,
    /// [`Id::Temp`] if the kind is [`Kind::Temp`], else [`Id::Hash`].
    pub id: Id,
    /// The extension.
    pub container: Container,
}

impl SegmentName {
    /// Reads the name of a file in the folder of `hour`.
    ///
    /// # Errors
    /// Says which part of the name is wrong and what it should look like.
    pub fn parse(hour: UtcNs, file_name: &str) -> Result<Self, NameError> {
        parse_segment(hour, file_name).map_err(|reason| NameError::Segment {
            name: file_name.to_owned(),
            reason,
        })
    }

    /// Whether `file_name`, of which this was read, is what a writer would write: a quick way to
    /// compare it with the [`Display`](fmt::Display)ed name.
    pub(super) fn is_written_as(&self, file_name: &str) -> bool {
        let mut parts = file_name.splitn(4, '-');
        let (Some(time), Some(duration), _, Some(id)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let Some((whole, fraction)) = duration.split_once('.') else {
            return false;
        };
        let is_usual_id = match self.kind {
            Kind::Temp => {
                let uuid = id.split_once('.').map_or(id, |(uuid, _)| uuid);
                uuid.len() == 36 && !uuid.bytes().any(|byte| byte.is_ascii_uppercase())
            }
            _ => true,
        };
        time.len() == "MM:SS.ffffff".len()
            && (whole == "0" || !whole.is_empty() && !whole.starts_with('0'))
            && (fraction.len() == 1
                || (2..=9).contains(&fraction.len()) && !fraction.ends_with('0'))
            && is_usual_id
    }

    /// The moment after the last frame.
    pub fn end(&self) -> UtcNs {
        self.start + self.duration_ns
    }

    /// The name of the folder that holds this segment.
    pub fn hour_folder(&self) -> String {
        hour_folder(self.start)
    }
}

/// The writer's form: six digits of the start's fraction, as many of the duration's as it needs,
/// but at least one.
impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_hour_ns = self.start.0.rem_euclid(HOUR_NS);
        let minute = in_hour_ns / (60 * SECOND_NS);
        let second = in_hour_ns / SECOND_NS % 60;
        let microsecond = in_hour_ns % SECOND_NS / MICROSECOND_NS;
        write!(f, "{minute:02}:{second:02}.{microsecond:06}-")?;
        write_duration(f, self.duration_ns)?;
        write!(f, "-{}-{}.{}", self.kind, self.id, self.container)
    }
}

fn write_duration(f: &mut fmt::Formatter<'_>, duration_ns: i64) -> fmt::Result {
    let duration_ns = duration_ns.max(0);
    write!(f, "{}.", duration_ns / SECOND_NS)?;
    let (mut fraction, mut digits) = (duration_ns % SECOND_NS, 9);
    while digits > 1 && fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    write!(f, "{fraction:0digits$}")
}

fn parse_segment(hour: UtcNs, file_name: &str) -> Result<SegmentName, &'static str> {
    let (stem, extension) = file_name
        .rsplit_once('.')
        .ok_or("there is no extension, which is mp4 or ts")?;
    let container = extension
        .parse()
        .map_err(|_| "the extension is neither mp4 nor ts")?;
    let mut parts = stem.splitn(4, '-');
    let (Some(time), Some(duration), Some(kind), Some(id)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("there are fewer than four parts between dashes");
    };
    let in_hour_ns = parse_time(time).ok_or("the time is not MM:SS.ffffff")?;
    let duration_ns =
        parse_duration(duration).ok_or("the duration is not a decimal number of seconds")?;
    let kind = Kind::parse(kind).ok_or("the type is none of full, suspect, partial, temp")?;
    let id = match kind {
        Kind::Temp => Id::Temp(Uuid::try_parse(id).map_err(|_| "a temp's id is not a UUID")?),
        _ => Id::Hash(parse_hash(id).ok_or("the hash is not 43 characters of base64url")?),
    };
    Ok(SegmentName {
        start: hour + in_hour_ns,
        duration_ns,
        kind,
        id,
        container,
    })
}

/// `MM:SS`, and a fraction of up to six digits if there is one.
fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (minute, second) = clock.split_once(':')?;
    let minute = two_digits(minute).filter(|&minute| minute < 60)?;
    let second = two_digits(second).filter(|&second| second < 60)?;
    let fraction_ns = match fraction.len() {
        0..=6 => fraction_ns(fraction)?,
        _ => return None,
    };
    Some((minute * 60 + second) * SECOND_NS + fraction_ns)
}

fn two_digits(text: &str) -> Option<i64> {
    match *text.as_bytes() {
        [tens, ones] => Some(digit(tens)? * 10 + digit(ones)?),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// Digits, a point, digits; either side may be missing, not both. Python writes up to 17 digits,
/// of which those that matter to a nanosecond are kept.
fn parse_duration(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let seconds = whole.bytes().try_fold(0_i64, |seconds, byte| {
        seconds.checked_mul(10)?.checked_add(digit(byte)?)
    })?;
    seconds
        .checked_mul(SECOND_NS)?
        .checked_add(fraction_ns(fraction)?)
}

/// The digits behind a decimal point of seconds, rounded to nanoseconds.
fn fraction_ns(digits: &str) -> Option<i64> {
    let (mut ns, mut unit_ns) = (0, SECOND_NS);
    for (position, byte) in digits.bytes().enumerate() {
        let digit = digit(byte)?;
        unit_ns /= 10;
        ns += digit * unit_ns;
        if position == 9 && digit >= 5 {
            ns += 1;
        }
    }
    Some(ns)
}

fn parse_hash(text: &str) -> Option<[u8; HASH_BYTES]> {
    if text.len() != HASH_CHARS {
        return None;
    }
    // One byte more than a hash, because the estimate that the decoder wants room for is coarse.
    let mut bytes = [0; HASH_BYTES + 1];
    let decoded = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes.get(..decoded)?.try_into().ok()
}

/// The name of the folder that holds what starts in the hour of `moment`: `2026-11-20T10`.
pub fn hour_folder(moment: UtcNs) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(moment.hour().0)) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%dT%H").to_string(),
        Err(_) => String::from("out-of-range"),
    }
}

/// The start of the hour that a folder's name stands for.
///
/// # Errors
/// Says that the name is not of the form `YYYY-MM-DDTHH`.
pub fn parse_hour_folder(name: &str) -> Result<UtcNs, NameError> {
    parse_hour(name).ok_or_else(|| NameError::Hour {
        name: name.to_owned(),
    })
}

fn parse_hour(name: &str) -> Option<UtcNs> {
    let &[c0, c1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1] = name.as_bytes() else {
        return None;
    };
    let number = |tens, ones| two_digits(std::str::from_utf8(&[tens, ones]).ok()?);
    let year = number(c0, c1)? * 100 + number(y2, y3)?;
    let small = |tens, ones| number(tens, ones).and_then(|number| i8::try_from(number).ok());
    let (month, day, hour) = (small(m0, m1)?, small(d0, d1)?, small(h0, h1)?);
    let year = i16::try_from(year).ok()?;
    let civil = jiff::civil::DateTime::new(year, month, day, hour, 0, 0, 0).ok()?;
    let timestamp = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok().map(UtcNs)
}

/// Checks that `name` may be the folder of a stream or a variant (`what`).
///
/// # Errors
/// Names what is allowed.
pub fn check_folder_name(what: &'static str, name: &str) -> Result<(), NameError> {
    let refused = name.is_empty()
        || name.len() > 255
        || name.starts_with('.')
        || name.contains('/')
        || name.chars().any(char::is_control);
    if refused {
        return Err(NameError::Folder {
            what,
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// The folder of a variant; never outside of `root`.
///
/// # Errors
/// As [`check_folder_name`].
pub fn variant_folder(root: &Path, stream: &str, variant: &str) -> Result<PathBuf, NameError> {
    check_folder_name("stream", stream)?;
    check_folder_name("variant", variant)?;
    Ok(root.join(stream).join(variant))
}

/// A name that does not belong into an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the name of a stream or variant.
    #[error(
        "{name:?} cannot be the name of a {what}: 1 to 255 bytes are allowed, no slash, no control character, and no period at the start"
    )]
    Folder {
        /// `stream` or `variant`.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// Not the name of an hour folder.
    #[error("{name:?} is not an hour; one looks like 2026-11-20T10 (UTC)")]
    Hour {
        /// The name as found.
        name: String,
    },
    /// Not the name of a segment.
    #[error("{name:?} is not a segment: {reason}; one looks like 31:06.033333-2.0-full-HASH.mp4")]
    Segment {
        /// The name as found.
        name: String,
        /// The part that is wrong.
        reason: &'static str,
    },
    /// Not a container.
    #[error("{name:?} is not a container; mp4 and ts are")]
    Container {
        /// The word as given.
        name: String,
    },
}

impl From<NameError> for std::io::Error {
    fn from(error: NameError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
