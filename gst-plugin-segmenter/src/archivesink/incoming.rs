// SPDX-License-Identifier: MPL-2.0
//! From a buffer to what the recorder needs of it.

use super::caps::Kind;
use super::recorder::Incoming;
use super::stamps::RawStamps;
use crate::utc::UtcNs;

/// A time of a segment in running time, in nanoseconds; negative before its start.
pub fn running_ns(
    segment: &gst::FormattedSegment<gst::ClockTime>,
    time: Option<gst::ClockTime>,
) -> Option<i64> {
    let signed = segment.to_running_time_full(time?)?;
    let ns = i64::try_from(signed.abs().nseconds()).ok()?;
    Some(if signed.is_positive() { ns } else { -ns })
}

/// What the recorder needs of a buffer; `None` for one that holds no frame.
pub fn incoming(
    buffer: gst::Buffer,
    kind: Kind,
    segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
) -> Option<Incoming> {
    let flags = buffer.flags();
    // FLAC repeats its stream header as buffers; the segments have it from the caps.
    let header = kind == Kind::Audio && flags.contains(gst::BufferFlags::HEADER);
    if buffer.size() == 0 || header {
        return None;
    }
    let on_axis = |time| segment.and_then(|segment| running_ns(segment, time));
    let raw = RawStamps {
        pts_ns: on_axis(buffer.pts()),
        dts_ns: on_axis(buffer.dts()),
        duration_ns: buffer
            .duration()
            .and_then(|duration| duration.nseconds().try_into().ok()),
    };
    Some(Incoming {
        raw,
        sync: kind == Kind::Audio || !flags.contains(gst::BufferFlags::DELTA_UNIT),
        is_makeshift: false,
        reference: reference_time(&buffer),
        buffer,
    })
}

/// When the frame was captured, by the source's own clock.
fn reference_time(buffer: &gst::BufferRef) -> Option<UtcNs> {
    /// From 1900, where NTP counts from, to 1970 (RFC 5905, figure 4).
    const NTP_TO_UNIX_NS: i128 = 2_208_988_800 * 1_000_000_000;
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find_map(|meta| {
            let ns = i128::from(meta.timestamp().nseconds());
            let unix_ns = match meta.reference().structure(0)?.name().as_str() {
                "timestamp/x-unix" => ns,
                "timestamp/x-ntp" => ns - NTP_TO_UNIX_NS,
                _ => return None,
            };
            i64::try_from(unix_ns).ok().map(UtcNs)
        })
}
