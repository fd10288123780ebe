// SPDX-License-Identifier: MPL-2.0
//! One elementary stream: its PES packets (ISO/IEC 13818-1 §2.4.3.6), cut into transport packets.

use mpeg2ts::es::{StreamId, StreamType};
use mpeg2ts::pes::PesHeader;
use mpeg2ts::time::{ClockReference, Timestamp};
use mpeg2ts::ts::payload::{Bytes, Pes as PesStart};
use mpeg2ts::ts::{
    AdaptationField, ContinuityCounter, Descriptor, Pid, TransportScramblingControl, TsHeader,
    TsPacket, TsPacketWriter, TsPayload, WriteTsPacket,
};

use super::TsSample;
use super::error::TsWriteError;
use super::form::Form;

/// The longest that sound waits to share a PES packet, and the longest such a packet lasts.
pub const HELD_90K: i64 = 9000;
/// How far the time of a frame may be from where the frames before it end: they share one PTS.
const TOLERANCE_90K: i64 = 90;
/// The streams' PIDs count from here.
const FIRST_PID: u16 = 0x100;
/// Bytes of a transport packet behind its header.
const PAYLOAD_BYTES: usize = TsPacket::SIZE - 4;
/// Bytes of the length and flags of an adaptation field, and of a clock reference in it.
const ADAPTATION_BYTES: usize = 2;
const CLOCK_BYTES: usize = 6;
/// Bytes of a PES header that the length in it does not count.
const UNCOUNTED_BYTES: usize = 6;
/// The rest of a PES header: flags, then a time or two.
const FLAGS_BYTES: usize = 3;
const TIME_BYTES: usize = 5;
/// What fits into a PES packet that says its length.
const MOST_COUNTED_BYTES: usize = u16::MAX as usize - FLAGS_BYTES - 2 * TIME_BYTES;
/// Times have 33 bits, and wrap.
const TIME_MASK: i64 = (1 << 33) - 1;

/// One elementary stream.
#[derive(Debug)]
pub struct Stream {
    track: usize,
    pid: Pid,
    id: StreamId,
    counter: ContinuityCounter,
    /// By description.
    forms: Vec<Form>,
    /// The description of the sample appended last.
    latest: Option<usize>,
    held: Held,
}

/// Frames of sound that will share a PES packet.
#[derive(Debug, Default)]
struct Held {
    payload: Vec<u8>,
    description: usize,
    is_entry: bool,
    /// Of the first frame.
    pts_90k: i64,
    dts_90k: i64,
    /// Where the last one ends.
    end_90k: i64,
}

/// A PES packet.
#[derive(Clone, Copy, Debug)]
pub struct Pes<'a> {
    pub pts_90k: i64,
    pub dts_90k: i64,
    /// The clock when its first byte arrives, if this stream carries it.
    pub clock_90k: Option<i64>,
    pub is_entry: bool,
    pub payload: &'a [u8],
}

impl Stream {
    pub fn new(track: usize, descriptions: &[Vec<u8>]) -> Result<Self, TsWriteError> {
        let forms = descriptions.iter().map(|entry| Form::new(track, entry));
        let forms = forms.collect::<Result<Vec<Form>, _>>()?;
        let first = forms.first();
        let first = first.ok_or(TsWriteError::UnknownDescription {
            track,
            description: 0,
        })?;
        let named = |form: &Form| (form.stream_type(), form.descriptors());
        if forms.iter().any(|form| named(form) != named(first)) {
            return Err(TsWriteError::Changes { track });
        }
        let number = u16::try_from(track).map_err(|_| TsWriteError::TooManyTracks(track))?;
        Ok(Self {
            track,
            pid: Pid::new(FIRST_PID.saturating_add(number))?,
            id: stream_id(first, track),
            counter: ContinuityCounter::new(),
            forms,
            latest: None,
            held: Held::default(),
        })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn is_video(&self) -> bool {
        self.forms.first().is_some_and(Form::is_video)
    }

    pub fn stream_type(&self) -> Option<StreamType> {
        self.forms.first().map(Form::stream_type)
    }

    pub fn descriptors(&self) -> Vec<Descriptor> {
        self.forms
            .first()
            .map(Form::descriptors)
            .unwrap_or_default()
    }

    fn form(&self, description: usize) -> Result<&Form, TsWriteError> {
        let track = self.track;
        let form = self.forms.get(description);
        form.ok_or(TsWriteError::UnknownDescription { track, description })
    }

    /// Appends a sample in the form that a PES packet holds. Its parameter sets go with it where it
    /// is an entry, and wherever the description is another than before.
    pub fn append(
        &mut self,
        sample: &TsSample<'_>,
        unit: &mut Vec<u8>,
    ) -> Result<(), TsWriteError> {
        let is_new = self.latest.replace(sample.description) != Some(sample.description);
        let form = self.form(sample.description)?;
        if !form.append(sample.bytes, sample.is_entry || is_new, unit) {
            return Err(self.too_long(sample.bytes.len()));
        }
        Ok(())
    }

    fn too_long(&self, bytes: usize) -> TsWriteError {
        TsWriteError::FrameTooLong {
            track: self.track,
            bytes,
        }
    }

    /// Whether the held sound has waited long enough, or would come after its time.
    pub fn is_due(&self, now_90k: i64, clock_90k: i64) -> bool {
        let since_90k = self.held.dts_90k;
        let is_late = clock_90k > since_90k || now_90k.saturating_sub(since_90k) >= HELD_90K;
        !self.held.payload.is_empty() && is_late
    }

    /// Keeps a frame of sound for a PES packet with others; appends to `out` those it does not go
    /// with.
    pub fn hold(&mut self, sample: &TsSample<'_>, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        let duration_90k = self.form(sample.description)?.duration_90k(sample.bytes);
        let end_90k = sample.pts_90k.saturating_add(duration_90k);
        if !self.held.goes_with(sample, end_90k) {
            self.release(out)?;
        }
        let mut payload = std::mem::take(&mut self.held.payload);
        let before = payload.len();
        let appended = self.append(sample, &mut payload);
        let bytes = payload.len() - before;
        if appended.is_err() || bytes > MOST_COUNTED_BYTES {
            payload.truncate(before);
        }
        self.held.payload = payload;
        appended?;
        if bytes > MOST_COUNTED_BYTES {
            return Err(self.too_long(bytes));
        }
        if before == 0 {
            self.held.description = sample.description;
            self.held.is_entry = sample.is_entry;
            self.held.pts_90k = sample.pts_90k;
            self.held.dts_90k = sample.dts_90k;
            self.held.end_90k = sample.pts_90k;
        }
        self.held.end_90k = self.held.end_90k.saturating_add(duration_90k);
        Ok(())
    }

    /// Writes the held sound.
    pub fn release(&mut self, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        let mut held = std::mem::take(&mut self.held);
        if held.payload.is_empty() {
            return Ok(());
        }
        let pes = Pes {
            pts_90k: held.pts_90k,
            dts_90k: held.dts_90k,
            clock_90k: None,
            is_entry: held.is_entry,
            payload: &held.payload,
        };
        self.write(&pes, out)?;
        held.payload.clear();
        self.held.payload = held.payload;
        Ok(())
    }

    /// Writes a PES packet.
    pub fn write(&mut self, pes: &Pes<'_>, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        let mut writer = TsPacketWriter::new(out);
        let adaptation = pes.adaptation_field()?;
        let header = pes.header(self.id)?;
        let room = PAYLOAD_BYTES
            - adaptation.as_ref().map_or(0, |field| {
                ADAPTATION_BYTES + field.pcr.map_or(0, |_| CLOCK_BYTES)
            })
            - UNCOUNTED_BYTES
            - counted_bytes(&header);
        let (first, rest) = pes.payload.split_at(room.min(pes.payload.len()));
        let start = TsPayload::PesStart(PesStart {
            pes_packet_len: pes.counted(&header),
            header,
            data: Bytes::new(first)?,
        });
        writer.write_ts_packet(&self.packet(adaptation, Some(start)))?;
        for part in rest.chunks(PAYLOAD_BYTES) {
            let part = TsPayload::PesContinuation(Bytes::new(part)?);
            writer.write_ts_packet(&self.packet(None, Some(part)))?;
        }
        Ok(())
    }

    /// Writes a packet with the clock and nothing else.
    pub fn write_clock(&mut self, clock_90k: i64, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        let adaptation = adaptation_field(Some(clock_90k), false)?;
        let packet = self.packet(Some(adaptation), None);
        Ok(TsPacketWriter::new(out).write_ts_packet(&packet)?)
    }

    /// A transport packet. The counter counts those with a payload; the others have the number of
    /// the one before (§2.4.3.3).
    fn packet(&mut self, field: Option<AdaptationField>, payload: Option<TsPayload>) -> TsPacket {
        let mut counter = self.counter;
        if payload.is_some() {
            self.counter.increment();
        } else {
            counter = previous(counter);
        }
        TsPacket {
            header: TsHeader {
                transport_error_indicator: false,
                transport_priority: false,
                pid: self.pid,
                transport_scrambling_control: TransportScramblingControl::NotScrambled,
                continuity_counter: counter,
            },
            adaptation_field: field,
            payload,
        }
    }
}

impl Held {
    /// Whether a frame may share the PES packet of those that are held.
    fn goes_with(&self, sample: &TsSample<'_>, end_90k: i64) -> bool {
        let gap_90k = sample.pts_90k.saturating_sub(self.end_90k);
        let bytes = self.payload.len() + sample.bytes.len() + sample.bytes.len() / 255;
        // An ADTS header, or the control header of Opus and the last byte of its length.
        const MOST_HEADER_BYTES: usize = 7;
        self.payload.is_empty()
            || self.description == sample.description
                && (-TOLERANCE_90K..=TOLERANCE_90K).contains(&gap_90k)
                && end_90k.saturating_sub(self.pts_90k) <= HELD_90K
                && bytes + MOST_HEADER_BYTES <= MOST_COUNTED_BYTES
    }
}

impl Pes<'_> {
    fn header(&self, stream_id: StreamId) -> Result<PesHeader, TsWriteError> {
        let is_reordered = self.dts_90k != self.pts_90k;
        let dts = is_reordered.then(|| timestamp(self.dts_90k)).transpose()?;
        Ok(PesHeader {
            stream_id,
            priority: false,
            data_alignment_indicator: true,
            copyright: false,
            original_or_copy: false,
            pts: Some(timestamp(self.pts_90k)?),
            dts,
            escr: None,
        })
    }

    /// The length that the header says: 0 if it does not fit, which is left to video
    /// (§2.4.3.7).
    fn counted(&self, header: &PesHeader) -> u16 {
        let bytes = counted_bytes(header) + self.payload.len();
        u16::try_from(bytes).unwrap_or(0)
    }

    fn adaptation_field(&self) -> Result<Option<AdaptationField>, TsWriteError> {
        if !self.is_entry && self.clock_90k.is_none() {
            return Ok(None);
        }
        adaptation_field(self.clock_90k, self.is_entry).map(Some)
    }
}

fn adaptation_field(
    clock_90k: Option<i64>,
    is_entry: bool,
) -> Result<AdaptationField, TsWriteError> {
    let pcr = clock_90k.map(|clock_90k| ClockReference::new(wrapped(clock_90k) * 300));
    Ok(AdaptationField {
        discontinuity_indicator: false,
        random_access_indicator: is_entry,
        es_priority_indicator: false,
        pcr: pcr.transpose()?,
        opcr: None,
        splice_countdown: None,
        transport_private_data: Vec::new(),
        extension: None,
    })
}

/// Bytes of a PES header that the length in it counts.
fn counted_bytes(header: &PesHeader) -> usize {
    let times = [header.pts, header.dts];
    FLAGS_BYTES + TIME_BYTES * times.iter().flatten().count()
}

fn wrapped(time_90k: i64) -> u64 {
    (time_90k & TIME_MASK).cast_unsigned()
}

fn timestamp(time_90k: i64) -> Result<Timestamp, TsWriteError> {
    Ok(Timestamp::new(wrapped(time_90k))?)
}

fn previous(counter: ContinuityCounter) -> ContinuityCounter {
    let number = counter.as_u8().wrapping_sub(1) & ContinuityCounter::MAX;
    ContinuityCounter::from_u8(number).unwrap_or_default()
}

/// Streams of a kind are numbered (table 2-22); Opus, AC-3 and E-AC-3 are private data.
fn stream_id(form: &Form, track: usize) -> StreamId {
    let number = |most: u8| track as u8 & most;
    StreamId::new(match form {
        Form::H264(_) | Form::H265(_) => StreamId::VIDEO_MIN | number(0x0f),
        Form::Aac { .. } | Form::MpegAudio { .. } => StreamId::AUDIO_MIN | number(0x1f),
        Form::Opus { .. } | Form::Ac3 { .. } | Form::Eac3 { .. } => StreamId::PRIVATE_STREAM_1,
    })
}
