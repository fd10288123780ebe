// SPDX-License-Identifier: MPL-2.0
//! AAC: what an AudioSpecificConfig says, and ADTS headers.

use super::bits::Bits;

/// Sampling frequencies by their index (ISO/IEC 14496-3 table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
];

/// The beginning of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// Audio object type: 2 is AAC LC. Of HE-AAC that of its core, which decodes by itself.
    pub object_type: u8,
    /// Samples per second.
    pub rate: u32,
    /// Channel configuration; 0 if a program config element lists the channels.
    pub channel_configuration: u8,
    /// Frames have 960 samples, not 1024 (`frameLengthFlag`); says nothing for other than AAC.
    pub has_short_frames: bool,
}

impl AudioSpecificConfig {
    /// `None` if it is cut off or names a reserved rate.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        /// SBR, and parametric stereo with it.
        const EXTENSIONS: [u8; 2] = [5, 29];
        let mut bits = Bits::new(bytes);
        let mut object_type = object_type(&mut bits)?;
        let rate = sampling_frequency(&mut bits)?;
        let channel_configuration = bits.byte(4)?;
        if EXTENSIONS.contains(&object_type) {
            sampling_frequency(&mut bits)?;
            object_type = self::object_type(&mut bits)?;
        }
        Some(Self {
            object_type,
            rate,
            channel_configuration,
            has_short_frames: bits.flag()?,
        })
    }
}

/// `GetAudioObjectType()` (§1.6.2.1).
fn object_type(bits: &mut Bits<'_>) -> Option<u8> {
    match bits.byte(5)? {
        31 => Some(32 + bits.byte(6)?),
        object_type => Some(object_type),
    }
}

fn sampling_frequency(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(4)? {
        15 => bits.take(24),
        index => RATES.get(index as usize).copied(),
    }
}

/// What goes in front of every frame in a stream of its own (ISO/IEC 14496-3 §1.A.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsHeader {
    profile: u8,
    rate_index: u8,
    channel_configuration: u8,
}

impl AdtsHeader {
    /// Bytes of a header without checksum.
    pub const BYTES: usize = 7;
    /// The length of a frame, header included, has 13 bits.
    const MOST_BYTES: usize = (1 << 13) - 1;

    /// # Errors
    /// Says what of the configuration has no place in the header.
    pub fn new(config: &AudioSpecificConfig) -> Result<Self, String> {
        let object_type = config.object_type;
        let profile = match object_type {
            1..=4 => object_type - 1,
            _ => {
                return Err(format!(
                    "audio object type {object_type}; ADTS headers know 1 to 4 (AAC Main, LC, SSR, LTP)"
                ));
            }
        };
        let rate_index = RATES.iter().position(|rate| *rate == config.rate);
        let rate_index = rate_index.and_then(|index| u8::try_from(index).ok());
        let Some(rate_index) = rate_index else {
            return Err(format!(
                "a rate of {} Hz, which ADTS headers have no number for",
                config.rate
            ));
        };
        match config.channel_configuration {
            0 => return Err("its channels listed beside the stream, not in it".to_owned()),
            8.. => return Err("more channels than ADTS headers can name".to_owned()),
            _ => {}
        }
        if config.has_short_frames {
            return Err("frames of 960 samples; those of ADTS have 1024".to_owned());
        }
        Ok(Self {
            profile,
            rate_index,
            channel_configuration: config.channel_configuration,
        })
    }

    /// The header of a frame; `None` if the frame is too long for one.
    pub fn of_frame(&self, frame_bytes: usize) -> Option<[u8; Self::BYTES]> {
        let bytes = frame_bytes.checked_add(Self::BYTES)?;
        let length = u32::try_from(bytes).ok();
        let length = length.filter(|_| bytes <= Self::MOST_BYTES)?;
        // Syncword, MPEG-4, layer 0, no checksum; then from the profile on 28 bits in which the
        // copyright bits are 0; fullness 0x7ff is a variable rate; one block in the frame.
        let fields = u64::from(self.profile) << 38
            | u64::from(self.rate_index) << 34
            | u64::from(self.channel_configuration) << 30
            | u64::from(length) << 13
            | 0x7ff << 2;
        let [_, _, _, a, b, c, d, e] = fields.to_be_bytes();
        Some([0xff, 0xf1, a, b, c, d, e])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_with_escapes_and_a_damaged_one_is_none() {
        let lc = AudioSpecificConfig {
            object_type: 2,
            rate: 48_000,
            channel_configuration: 2,
            has_short_frames: false,
        };
        assert_eq!(AudioSpecificConfig::parse(&[0x11, 0x90]), Some(lc));
        // Object type 42 (USAC) by the escape, 48 kHz by its index, configuration 2.
        let escaped = AudioSpecificConfig::parse(&[0xf9, 0x46, 0x40]).expect("it is whole");
        assert_eq!((escaped.object_type, escaped.rate), (42, 48_000));
        // AAC LC at a rate of its own: 48001 Hz in 24 bits.
        let odd = AudioSpecificConfig::parse(&[0x17, 0x80, 0x5d, 0xc0, 0x90]).expect("it is whole");
        assert_eq!((odd.rate, odd.channel_configuration), (48_001, 2));
        // HE-AAC: SBR of 48 kHz over a core of LC at 24 kHz, stereo.
        let he = AudioSpecificConfig::parse(&[0x2b, 0x11, 0x88, 0x00]).expect("it is whole");
        assert_eq!((he.object_type, he.rate), (2, 24_000));
        for short in [&[][..], &[0x11], &[0x17, 0x80, 0x5d]] {
            assert_eq!(AudioSpecificConfig::parse(short), None);
        }
        // Index 13 is reserved.
        assert_eq!(AudioSpecificConfig::parse(&[0x16, 0x90]), None);
    }

    #[test]
    fn a_header_says_what_the_configuration_says() {
        let config = AudioSpecificConfig::parse(&[0x11, 0x90]).expect("it is whole");
        let header = AdtsHeader::new(&config).expect("ADTS can say it");
        // What ffmpeg writes in front of an AAC LC frame of 371 bytes, 48 kHz, stereo.
        let bytes = header.of_frame(371);
        assert_eq!(bytes, Some([0xff, 0xf1, 0x4c, 0x80, 0x2f, 0x5f, 0xfc]));
        assert!(header.of_frame(8184).is_some());
        assert_eq!(header.of_frame(8185), None);
        assert_eq!(header.of_frame(usize::MAX), None);
    }

    #[test]
    fn what_adts_cannot_say_is_refused_with_the_reason() {
        let lc = AudioSpecificConfig {
            object_type: 2,
            rate: 48_000,
            channel_configuration: 2,
            has_short_frames: false,
        };
        let change = |change: &dyn Fn(&mut AudioSpecificConfig)| {
            let mut config = lc;
            change(&mut config);
            AdtsHeader::new(&config).expect_err("it has no place")
        };
        assert!(change(&|config| config.object_type = 42).contains("type 42"));
        assert!(change(&|config| config.rate = 48_001).contains("48001"));
        assert!(change(&|config| config.channel_configuration = 0).contains("channels"));
        assert!(change(&|config| config.channel_configuration = 11).contains("channels"));
        assert!(change(&|config| config.has_short_frames = true).contains("960"));
    }
}
