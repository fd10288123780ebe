// SPDX-License-Identifier: MPL-2.0
//! MPEG audio of layers II and III: samples keep the header.

use super::super::mpeg_audio::{HEADER_BYTES, Header};
use super::sounds::{Configuration, Found, Sound};

/// What starts with these bytes. Frames of free bit rate, whose length nothing says, are none.
pub fn find(bytes: &[u8]) -> Found {
    if bytes.len() < HEADER_BYTES {
        return if is_sync(bytes) {
            Found::Part
        } else {
            Found::Nothing
        };
    }
    let Some(header) = Header::parse(bytes) else {
        return Found::Nothing;
    };
    let Header { channels, rate, .. } = header;
    let configuration = match header.layer {
        2 => Configuration::Mp2 { channels, rate },
        3 => Configuration::Mp3 { channels, rate },
        _ => return Found::Unsuited("MPEG audio of layer I"),
    };
    if bytes.len() < header.frame_bytes {
        return Found::Part;
    }
    Found::Frame(Sound {
        header_bytes: 0,
        coded_bytes: header.frame_bytes,
        sample_bytes: header.frame_bytes,
        samples: header.samples,
        configuration,
    })
}

/// As far as they go, the bytes are a sync word.
fn is_sync(bytes: &[u8]) -> bool {
    let is = |at: usize, mask: u8| bytes.get(at).is_none_or(|byte| byte & mask == mask);
    is(0, 0xFF) && is(1, 0xE0)
}
