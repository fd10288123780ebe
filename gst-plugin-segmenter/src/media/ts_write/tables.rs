// SPDX-License-Identifier: MPL-2.0
//! PAT and PMT (ISO/IEC 13818-1 §2.4.4): the same in every place, so they are made once.

use mpeg2ts::ts::payload::{Pat, Pmt};
use mpeg2ts::ts::{
    ContinuityCounter, EsInfo, Pid, ProgramAssociation, TransportScramblingControl, TsHeader,
    TsPacket, TsPacketWriter, TsPayload, VersionNumber, WriteTsPacket,
};

use super::error::TsWriteError;
use super::stream::Stream;

const PID_PMT: u16 = 0x1000;
const PROGRAMME: u16 = 1;
/// What a programme map takes beside its streams: pointer, header, clock PID, lengths, checksum.
const MAP_BYTES: usize = 17;
const STREAM_BYTES: usize = 5;

/// One packet of each table.
#[derive(Debug)]
pub struct Tables {
    packets: Vec<u8>,
    /// Both are written together, so one counter does.
    counter: ContinuityCounter,
}

impl Tables {
    pub fn new(streams: &[Stream], clock_pid: Pid) -> Result<Self, TsWriteError> {
        let streams_bytes = streams.iter().map(|stream| {
            let descriptors = stream.descriptors();
            let bytes = descriptors.iter().map(|one| 2 + one.data.len());
            STREAM_BYTES + bytes.sum::<usize>()
        });
        if MAP_BYTES + streams_bytes.sum::<usize>() > TsPacket::SIZE - 4 {
            return Err(TsWriteError::TooManyTracks(streams.len()));
        }
        let map_pid = Pid::new(PID_PMT)?;
        let association = Pat {
            transport_stream_id: 1,
            version_number: VersionNumber::new(),
            table: vec![ProgramAssociation {
                program_num: PROGRAMME,
                program_map_pid: map_pid,
            }],
        };
        let map = Pmt {
            program_num: PROGRAMME,
            pcr_pid: Some(clock_pid),
            version_number: VersionNumber::new(),
            program_info: Vec::new(),
            es_info: streams.iter().filter_map(es_info).collect(),
        };
        let mut packets = Vec::new();
        let mut writer = TsPacketWriter::new(&mut packets);
        writer.write_ts_packet(&packet(Pid::new(Pid::PAT)?, TsPayload::Pat(association)))?;
        writer.write_ts_packet(&packet(map_pid, TsPayload::Pmt(map)))?;
        Ok(Self {
            packets,
            counter: ContinuityCounter::new(),
        })
    }

    /// Appends them.
    pub fn append(&mut self, out: &mut Vec<u8>) {
        for packet in self.packets.as_chunks_mut::<{ TsPacket::SIZE }>().0 {
            packet[3] = (packet[3] & 0xf0) | self.counter.as_u8();
            out.extend_from_slice(packet);
        }
        self.counter.increment();
    }
}

fn es_info(stream: &Stream) -> Option<EsInfo> {
    Some(EsInfo {
        stream_type: stream.stream_type()?,
        elementary_pid: stream.pid(),
        descriptors: stream.descriptors(),
    })
}

fn packet(pid: Pid, payload: TsPayload) -> TsPacket {
    TsPacket {
        header: TsHeader {
            transport_error_indicator: false,
            transport_priority: false,
            pid,
            transport_scrambling_control: TransportScramblingControl::NotScrambled,
            continuity_counter: ContinuityCounter::new(),
        },
        adaptation_field: None,
        payload: Some(payload),
    }
}
