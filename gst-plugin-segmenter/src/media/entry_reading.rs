// SPDX-License-Identifier: MPL-2.0
//! Reading sample entries (ISO/IEC 14496-12 §8.5.2): the inverse of [`super::entry`].
//!
//! An entry is all that a cut has of a track's codec, and it may come from a hostile file. Fixed
//! fields are read at their places and boxes are walked by hand: `mp4-atom` would refuse an entry
//! for a compressor name that is no UTF-8, and its descriptors of `esds` decode descriptors inside
//! descriptors as deep as a file nests them.

use mp4_atom::{Dops, VpcC};

use super::aac::AudioSpecificConfig;
use super::boxes::{child, children, leaf};
use super::format::{Codec, Colour, OpusMapping, VideoFormat};

/// Size and kind of the box.
const HEADER_BYTES: usize = 8;
/// Fixed fields of a picture's entry (§12.1.3).
const VIDEO_BYTES: usize = 78;
/// Fixed fields of a sound's entry (§12.2.3).
const AUDIO_BYTES: usize = 28;

/// Why a sample entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// No codec that is known here.
    #[error(
        "sample entries of type {0:?} are not known; H.264, H.265, AV1, VP9, AAC, MP2, MP3, AC-3, \
             E-AC-3, Opus, FLAC, A-law and µ-law are"
    )]
    Unknown(String),
    /// A part of it is missing or cut off.
    #[error("the sample entry {kind:?} has no whole {part}")]
    Damaged {
        /// The entry's four characters.
        kind: String,
        /// What is not there.
        part: &'static str,
    },
}

/// The four characters of a sample entry: `avc1`, `mp4a`, …
pub fn entry_kind(entry: &[u8]) -> [u8; 4] {
    let kind = entry.get(4..HEADER_BYTES).and_then(<[u8]>::first_chunk);
    kind.copied().unwrap_or_default()
}

/// The configuration box of a sample entry (`avcC`, `hvcC`, `av1C`, `vpcC`, `esds`, `dac3`, `dec3`,
/// `dOps`, `dfLa`): its four characters and its body. A-law and µ-law have none.
pub fn entry_configuration(entry: &[u8], is_video: bool) -> Option<([u8; 4], &[u8])> {
    const CONFIGURATIONS: [&[u8; 4]; 9] = [
        b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds", b"dac3", b"dec3", b"dOps", b"dfLa",
    ];
    let fixed = if is_video { VIDEO_BYTES } else { AUDIO_BYTES };
    children(entry.get(HEADER_BYTES + fixed..)?)
        .find(|child| CONFIGURATIONS.contains(&&child.kind))
        .map(|child| (child.kind, child.body))
}

/// The codec and configuration of a sample entry, a whole box.
///
/// # Errors
/// If the codec is not known, or its configuration is not whole.
pub fn codec_of_entry(entry: &[u8]) -> Result<Codec, EntryError> {
    let entry = Entry(entry);
    match &entry_kind(entry.0) {
        b"avc1" | b"avc3" => entry.h264(),
        b"hvc1" | b"hev1" => entry.h265(),
        b"av01" => entry.av1(),
        b"vp09" => entry.vp9(),
        b"mp4a" => entry.mp4a(),
        b"ac-3" => entry.ac3(),
        b"ec-3" => entry.eac3(),
        b"Opus" => entry.opus(),
        b"fLaC" => entry.flac(),
        b"alaw" => {
            let (channels, rate, _) = entry.sound()?;
            Ok(Codec::Alaw { channels, rate })
        }
        b"ulaw" => {
            let (channels, rate, _) = entry.sound()?;
            Ok(Codec::Mulaw { channels, rate })
        }
        _ => Err(EntryError::Unknown(entry.kind())),
    }
}

/// A sample entry, a whole box.
#[derive(Clone, Copy)]
struct Entry<'a>(&'a [u8]);

impl<'a> Entry<'a> {
    fn kind(self) -> String {
        entry_kind(self.0).escape_ascii().to_string()
    }

    fn damaged(self, part: &'static str) -> EntryError {
        EntryError::Damaged {
            kind: self.kind(),
            part,
        }
    }

    fn u16_at(self, at: usize) -> Option<u16> {
        let bytes = self.0.get(HEADER_BYTES + at..)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    }

    /// The body of a box behind the fixed fields.
    fn part(self, fixed: usize, kind: &'static str) -> Result<&'a [u8], EntryError> {
        let four: Option<&[u8; 4]> = kind.as_bytes().first_chunk();
        let boxes = self.0.get(HEADER_BYTES + fixed..);
        let found = boxes.zip(four).and_then(|(boxes, four)| child(boxes, four));
        found.ok_or_else(|| self.damaged(kind))
    }

    fn h264(self) -> Result<Codec, EntryError> {
        Ok(Codec::H264 {
            avcc: self.part(VIDEO_BYTES, "avcC")?.to_vec(),
            in_band: entry_kind(self.0) == *b"avc3",
            format: self.picture()?,
        })
    }

    fn h265(self) -> Result<Codec, EntryError> {
        Ok(Codec::H265 {
            hvcc: self.part(VIDEO_BYTES, "hvcC")?.to_vec(),
            in_band: entry_kind(self.0) == *b"hev1",
            format: self.picture()?,
        })
    }

    fn av1(self) -> Result<Codec, EntryError> {
        Ok(Codec::Av1 {
            av1c: self.part(VIDEO_BYTES, "av1C")?.to_vec(),
            format: self.picture()?,
        })
    }

    fn vp9(self) -> Result<Codec, EntryError> {
        let vpcc = leaf::<VpcC>(self.part(VIDEO_BYTES, "vpcC")?);
        let vpcc = vpcc.ok_or_else(|| self.damaged("vpcC"))?;
        let mut format = self.picture()?;
        let colour = Colour {
            primaries: vpcc.color_primaries.into(),
            transfer: vpcc.transfer_characteristics.into(),
            matrix: vpcc.matrix_coefficients.into(),
            full_range: vpcc.video_full_range_flag,
        };
        if format.colour.is_none() && !colour.is_unspecified() {
            format.colour = Some(colour);
        }
        Ok(Codec::Vp9 {
            profile: vpcc.profile,
            level: vpcc.level,
            bit_depth: vpcc.bit_depth,
            chroma_subsampling: vpcc.chroma_subsampling,
            format,
        })
    }

    fn mp4a(self) -> Result<Codec, EntryError> {
        let (channels, rate, fixed) = self.sound()?;
        // QuickTime has it in a box of boxes ("siDecompressionParam").
        let wave = self.part(fixed, "wave").ok();
        let in_wave = wave.and_then(|wave| child(wave, b"esds"));
        let esds = in_wave.map_or_else(|| self.part(fixed, "esds"), Ok)?;
        let (object, specific) = decoder_configuration(esds).ok_or_else(|| self.damaged("esds"))?;
        match object {
            // MPEG-4 audio, and MPEG-2 AAC Main, LC and SSR (mp4ra.org, "Object types").
            0x40 | 0x66..=0x68 => {
                let specific = specific.ok_or_else(|| self.damaged("AudioSpecificConfig"))?;
                // The field in the entry has no room for rates above 65535.
                let exact = AudioSpecificConfig::parse(specific).map(|config| config.rate);
                Ok(Codec::Aac {
                    audio_specific_config: specific.to_vec(),
                    channels,
                    rate: exact.filter(|exact| *exact > 65_535).unwrap_or(rate),
                })
            }
            // Whichever layer it is of: see `mpeg_audio`.
            0x69 | 0x6B => Ok(Codec::Mp3 { channels, rate }),
            _ => Err(EntryError::Unknown(format!(
                "{} with object type {object:#04x}",
                self.kind()
            ))),
        }
    }

    fn ac3(self) -> Result<Codec, EntryError> {
        let (channels, rate, fixed) = self.sound()?;
        Ok(Codec::Ac3 {
            dac3: self.part(fixed, "dac3")?.to_vec(),
            channels,
            rate,
        })
    }

    fn eac3(self) -> Result<Codec, EntryError> {
        let (channels, rate, fixed) = self.sound()?;
        Ok(Codec::Eac3 {
            dec3: self.part(fixed, "dec3")?.to_vec(),
            channels,
            rate,
        })
    }

    fn opus(self) -> Result<Codec, EntryError> {
        let (_, _, fixed) = self.sound()?;
        let dops = leaf::<Dops>(self.part(fixed, "dOps")?);
        let dops = dops.ok_or_else(|| self.damaged("dOps"))?;
        Ok(Codec::Opus {
            channels: dops.output_channel_count,
            pre_skip: dops.pre_skip,
            input_rate: dops.input_sample_rate,
            gain: dops.output_gain,
            mapping: dops.channel_mapping.map(|table| OpusMapping {
                family: table.family,
                streams: table.stream_count,
                coupled: table.coupled_count,
                channels: table.channel_mapping,
            }),
        })
    }

    /// The entry's own rate is halved until it fits; STREAMINFO has the true one (RFC 9639 §8.2:
    /// 20 bits of rate, 3 of channels and 5 of bits, 10 bytes into it).
    fn flac(self) -> Result<Codec, EntryError> {
        let (_, _, fixed) = self.sound()?;
        let metadata = self.part(fixed, "dfLa")?.get(4..).unwrap_or_default();
        let packed = metadata.get(14..18).and_then(<[u8]>::first_chunk::<4>);
        let packed = packed.ok_or_else(|| self.damaged("dfLa"))?;
        let packed = u32::from_be_bytes(*packed);
        let field = |shift: u32, bits: u32| (packed >> shift & ((1 << bits) - 1)) as u16 + 1;
        Ok(Codec::Flac {
            metadata: metadata.to_vec(),
            rate: packed >> 12,
            channels: field(9, 3),
            bits: field(4, 5),
        })
    }

    /// How a picture is to be shown.
    fn picture(self) -> Result<VideoFormat, EntryError> {
        let size = self.u16_at(24).zip(self.u16_at(26));
        let (width, height) = size.ok_or_else(|| self.damaged("picture size"))?;
        let pasp = self.part(VIDEO_BYTES, "pasp").ok();
        let aspect = pasp.and_then(|pasp| {
            let (horizontal, rest) = pasp.split_first_chunk::<4>()?;
            let vertical = rest.first_chunk::<4>()?;
            Some((
                u32::from_be_bytes(*horizontal),
                u32::from_be_bytes(*vertical),
            ))
        });
        let aspect = aspect.filter(|(horizontal, vertical)| *horizontal > 0 && *vertical > 0);
        Ok(VideoFormat {
            width: width.into(),
            height: height.into(),
            pixel_aspect: aspect.unwrap_or((1, 1)),
            colour: self.part(VIDEO_BYTES, "colr").ok().and_then(nclx),
            orientation: Default::default(),
        })
    }

    /// Channels, samples per second, and bytes of the fixed fields: QuickTime's entries of
    /// versions 1 and 2 have more of them (QuickTime File Format, "Sound Sample Descriptions").
    fn sound(self) -> Result<(u16, u32, usize), EntryError> {
        let fields = (|| {
            let more = match self.u16_at(8)? {
                1 => 16,
                2 => 36,
                _ => 0,
            };
            Some((self.u16_at(16)?, self.u16_at(24)?, AUDIO_BYTES + more))
        })();
        let (channels, rate, fixed) = fields.ok_or_else(|| self.damaged("sound format"))?;
        Ok((channels, rate.into(), fixed))
    }
}

impl Colour {
    fn is_unspecified(&self) -> bool {
        const UNSPECIFIED: u16 = 2;
        let codes = [self.primaries, self.transfer, self.matrix];
        codes == [UNSPECIFIED; 3] && !self.full_range
    }
}

/// `colr` of type `nclx` (ISO/IEC 14496-12 §12.1.5).
fn nclx(colr: &[u8]) -> Option<Colour> {
    let rest = colr.strip_prefix(b"nclx")?;
    let [p0, p1, t0, t1, m0, m1, range] = *rest.first_chunk::<7>()?;
    Some(Colour {
        primaries: u16::from_be_bytes([p0, p1]),
        transfer: u16::from_be_bytes([t0, t1]),
        matrix: u16::from_be_bytes([m0, m1]),
        full_range: range & 0x80 != 0,
    })
}

/// Object type and DecoderSpecificInfo of an `esds` box (ISO/IEC 14496-1 §7.2.6.5, §7.2.6.6).
fn decoder_configuration(esds: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC: u8 = 5;
    let stream = descriptor(esds.get(4..)?, ES)?;
    let ([_, _, flags], mut rest) = stream.split_first_chunk::<3>()?;
    if flags & 0x80 != 0 {
        rest = rest.get(2..)?;
    }
    if flags & 0x40 != 0 {
        let (url_bytes, after) = rest.split_first()?;
        rest = after.get(usize::from(*url_bytes)..)?;
    }
    if flags & 0x20 != 0 {
        rest = rest.get(2..)?;
    }
    let config = descriptor(rest, DECODER_CONFIG)?;
    let (object, _) = config.split_first()?;
    Some((*object, descriptor(config.get(13..)?, DECODER_SPECIFIC)))
}

/// The body of the first descriptor of a tag (ISO/IEC 14496-1 §7.2.2, §8.3.3).
fn descriptor(mut bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (tag, mut rest) = bytes.split_first()?;
        let mut length = 0;
        for _ in 0..4 {
            let (byte, after) = rest.split_first()?;
            rest = after;
            length = length << 7 | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (body, after) = rest.split_at_checked(length)?;
        if *tag == wanted {
            return Some(body);
        }
        bytes = after;
    }
}

#[cfg(test)]
mod tests;
