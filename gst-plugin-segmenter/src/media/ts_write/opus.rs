// SPDX-License-Identifier: MPL-2.0
//! Opus in MPEG-TS: a draft of Opus' makers ("Encapsulation of Opus in MPEG-TS",
//! opus-codec.org), which ffmpeg, GStreamer and VLC read.

use mpeg2ts::ts::Descriptor;

use crate::media::OpusMapping;

/// The orders of channels that a number stands for: streams, coupled ones, and the decoded channel
/// of each output channel, for 1 to 8 channels (RFC 7845 §5.1.1.2).
const VORBIS_ORDERS: [(u8, u8, &[u8]); 8] = [
    (1, 0, &[0]),
    (1, 1, &[0, 1]),
    (2, 1, &[0, 2, 1]),
    (2, 2, &[0, 1, 2, 3]),
    (3, 2, &[0, 4, 1, 2, 3]),
    (4, 2, &[0, 4, 1, 2, 3, 5]),
    (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
    (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
];

/// The `channel_config_code`; `None` if there is none for this order of channels.
pub fn channel_config(channels: u8, mapping: Option<&OpusMapping>) -> Option<u8> {
    match mapping {
        None => (1..=2).contains(&channels).then_some(channels),
        Some(mapping) => {
            let index = usize::from(channels).checked_sub(1)?;
            let (streams, coupled, order) = VORBIS_ORDERS.get(index)?;
            let is_vorbis = mapping.family == 1
                && mapping.streams == *streams
                && mapping.coupled == *coupled
                && mapping.channels == *order;
            is_vorbis.then_some(channels)
        }
    }
}

/// What the programme map says of such a stream: its registration, and an extension descriptor
/// (ETSI EN 300 468 §6.2.16) with the channels.
pub fn descriptors(channel_config: u8) -> Vec<Descriptor> {
    const REGISTRATION: u8 = 0x05;
    const EXTENSION: u8 = 0x7f;
    const EXTENSION_OPUS: u8 = 0x80;
    vec![
        Descriptor {
            tag: REGISTRATION,
            data: b"Opus".to_vec(),
        },
        Descriptor {
            tag: EXTENSION,
            data: vec![EXTENSION_OPUS, channel_config],
        },
    ]
}

/// Appends a packet with its control header: a prefix of 11 bits, no trimming, and the length in
/// the manner of Ogg's lacing.
pub fn append(packet: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x7f, 0xe0]);
    let mut left = packet.len();
    while let Some(less) = left.checked_sub(255) {
        out.push(255);
        left = less;
    }
    out.push(left as u8);
    out.extend_from_slice(packet);
}

/// Samples at 48 kHz in a packet (RFC 6716 §3.1, §3.2); 0 if it is empty.
pub fn samples(packet: &[u8]) -> u32 {
    let Some(&toc) = packet.first() else {
        return 0;
    };
    let frame = match toc >> 3 {
        // SILK: 10, 20, 40, 60 ms.
        mode @ 0..12 => [480, 960, 1920, 2880].get(usize::from(mode & 3)),
        // Hybrid: 10, 20 ms.
        mode @ 12..16 => [480, 960].get(usize::from(mode & 1)),
        // CELT: 2.5, 5, 10, 20 ms.
        mode => [120, 240, 480, 960].get(usize::from(mode & 3)),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1).map_or(0, |count| count & 0x3f)),
    };
    frame.copied().unwrap_or(0) * frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_laced() {
        for (bytes, lacing) in [
            (0, &[0][..]),
            (254, &[254]),
            (255, &[255, 0]),
            (600, &[255, 255, 90]),
        ] {
            let mut out = Vec::new();
            append(&vec![7; bytes], &mut out);
            let header = [&[0x7f, 0xe0], lacing].concat();
            assert_eq!(out, [header, vec![7; bytes]].concat());
        }
    }

    #[test]
    fn a_packet_tells_how_long_it_lasts() {
        // 20 ms of CELT in one frame; 60 ms of SILK in one; 3 frames of 20 ms; nothing.
        assert_eq!(samples(&[31 << 3]), 960);
        assert_eq!(samples(&[3 << 3]), 2880);
        assert_eq!(samples(&[(31 << 3) | 3, 3]), 2880);
        assert_eq!(samples(&[]), 0);
        assert_eq!(samples(&[3]), 0);
    }

    #[test]
    fn only_orders_of_channels_that_have_a_number_are_taken() {
        let mut mapping = OpusMapping {
            family: 1,
            streams: 4,
            coupled: 2,
            channels: vec![0, 4, 1, 2, 3, 5],
        };
        assert_eq!(channel_config(2, None), Some(2));
        assert_eq!(channel_config(3, None), None);
        assert_eq!(channel_config(6, Some(&mapping)), Some(6));
        mapping.channels.reverse();
        assert_eq!(channel_config(6, Some(&mapping)), None);
        assert_eq!(channel_config(0, Some(&mapping)), None);
        assert_eq!(channel_config(255, Some(&mapping)), None);
    }
}
