// SPDX-License-Identifier: MPL-2.0
//! MPEG-TS (ISO/IEC 13818-1): its frames ([`ts_frames`]), samples out of it
//! ([`read_pes_sample`]), and how much of a file a crash left whole ([`measure_from`]).
//!
//! A file cut off after any packet of 188 bytes is still a transport stream, but a PES packet cut
//! in two leaves a damaged frame. So the cut goes back to the last packet that no PES packet of
//! the programme crosses. The end of a PES packet is known by its length, by the start of the
//! next of its PID, or by stuffing: an adaptation field is stuffed only where the payload ends
//! (§2.4.3.5). A video PES packet without a length that happens to fill its last packet exactly
//! is open until the next one begins; at the end of a file it is given up.
//!
//! PAT, PMT and PES headers are read by hand: the crate `mpeg2ts` gives up at a stream type it
//! does not know, collects payloads in memory and does not tell stuffing, where this must go on,
//! needs three header fields, and lives by the stuffing.

mod adts;
mod audio;
mod frames;
mod gather;
mod header;
mod latm;
mod mpeg_audio;
mod opus;
mod packet;
mod packets;
mod pes;
mod psi;
mod sample;
mod sounds;
mod video;

use std::io::{self, Read, Seek, SeekFrom};

pub use self::frames::{TsError, TsFrames, ts_frames};
pub use self::sample::{read_pes_sample, read_sample};

use self::packet::{PACKET_BYTES, Packet};
use self::pes::Streams;
use self::psi::Tables;
use super::measure::Measured;

/// Measures what can be read.
///
/// # Errors
/// If reading fails.
pub fn measure_from<R: Read + Seek>(mut reader: R) -> io::Result<Measured> {
    reader.seek(SeekFrom::Start(0))?;
    let mut reader = io::BufReader::with_capacity(PACKET_BYTES * 256, reader);
    let mut tables = Tables::default();
    let mut streams = Streams::default();
    let mut bytes = [0; PACKET_BYTES];
    while read_packet(&mut reader, &mut bytes)? {
        let Some(packet) = Packet::parse(&bytes) else {
            break;
        };
        if packet.is_damaged {
            break;
        }
        if tables.is_elementary(packet.pid) {
            if !streams.add(&packet) {
                break;
            }
        } else {
            tables.add(&packet);
        }
        streams.advance();
    }
    Ok(streams.finish())
}

/// Reads one whole packet; `false` at the end.
fn read_packet<R: Read>(reader: &mut R, bytes: &mut [u8; PACKET_BYTES]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
