// SPDX-License-Identifier: MPL-2.0
//! Whether what was played is what was asked for.

use gstsegmenter::cut::{Summary, Type};

use super::archived::Archived;
use super::played::{Packet, Played};
use super::source::{CHANNELS, GOP, SAMPLES_PER_PACKET, SAMPLES_PER_SECOND, Source};

/// How good pictures are that were encoded anew.
const LEAST_PSNR_DB: f64 = 45.0;
/// What rounding to ticks may make of a time: one tick of 90 kHz, and a nanosecond.
const ROUNDING_NS: i64 = 11_112;
/// Pictures that are shown between one that is copied and one that need not be: those of a
/// pyramid of three B-frames, on both sides.
const REORDERED: usize = 8;
/// What rounding may make of a sample.
const MOST_DIFFERENCE: u16 = 1;
const SECOND_NS: i64 = 1_000_000_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// MP4: starts at zero, and edit lists hide what is not asked for.
    Mp4,
    /// MPEG transport stream: starts anywhere, and sound begins with a whole packet.
    Ts,
}

/// A cut, and what there should be of it.
pub struct Case<'a> {
    /// What was recorded.
    pub archived: &'a Archived,
    /// How it was cut.
    pub kind: Type,
    /// Into what.
    pub output: Output,
    /// For each range, the numbers of its pictures.
    pub expected: Vec<Vec<usize>>,
    /// What the cut says it is.
    pub summary: Summary,
}

type Verdict = Result<(), String>;

impl Case<'_> {
    /// What is wrong with the cut as ffmpeg played it.
    ///
    /// # Errors
    /// A sentence.
    pub fn judge(&self, played: &Played) -> Verdict {
        if !played.said.is_empty() {
            return Err(format!("ffmpeg says: {}", played.said.trim()));
        }
        self.summary_is_right()?;
        self.picture_times_are_right(played)?;
        self.pictures_are_right(played)?;
        packets_are_in_order("pictures", &played.picture_packets)?;
        packets_are_in_order("sound", &played.sound_packets)?;
        self.sound_packets_are_right(played)?;
        match (self.output, self.expected.len()) {
            (Output::Mp4, 1) => self.samples_are_right(played),
            _ => Ok(()),
        }
    }

    /// What is wrong with the pictures as GStreamer played them.
    ///
    /// # Errors
    /// A sentence.
    pub fn judge_pictures(&self, played: &Played) -> Verdict {
        let shown = || {
            if !played.said.is_empty() {
                return Err(played.said.clone());
            }
            self.picture_times_are_right(played)?;
            self.pictures_are_right(played)
        };
        shown().map_err(|fault| format!("GStreamer: {fault}"))
    }

    /// What is wrong with the file's head, by what ffprobe reads of it.
    ///
    /// # Errors
    /// A sentence.
    pub fn judge_probed(&self, probed: &serde_json::Value) -> Verdict {
        let seconds = |value: &serde_json::Value| value.as_str().and_then(|text| text.parse().ok());
        // A transport stream starts one reorder delay after zero, and does not tell how long its
        // last packets last.
        let (latest_start, tolerated) = match self.output {
            Output::Mp4 => (0.0, 0.022),
            Output::Ts => (0.2, 0.044),
        };
        let streams = probed["streams"].as_array().into_iter().flatten();
        let told = streams.filter(|stream| {
            self.output == Output::Mp4 || stream["codec_type"].as_str() == Some("video")
        });
        for (what, of) in std::iter::once(("the file", &probed["format"]))
            .chain(told.map(|stream| (stream["codec_type"].as_str().unwrap_or("?"), stream)))
        {
            let (start, duration): (Option<f64>, Option<f64>) =
                (seconds(&of["start_time"]), seconds(&of["duration"]));
            let right = self.duration_ns() as f64 / SECOND_NS as f64;
            let is_right = duration.is_some_and(|duration| (duration - right).abs() < tolerated);
            let starts = start.is_some_and(|start| (0.0..=latest_start).contains(&start));
            if !starts || !is_right {
                return Err(format!(
                    "ffprobe: {what} starts at {start:?} and lasts {duration:?} s, not {right} s"
                ));
            }
        }
        Ok(())
    }

    fn source(&self) -> &Source {
        &self.archived.source
    }

    /// All pictures, in the order of the ranges.
    fn pictures(&self) -> Vec<usize> {
        self.expected.concat()
    }

    /// Where each range stands, as pictures from the start of the cut on, and its first picture.
    fn placed(&self) -> Vec<(usize, usize)> {
        let mut at = 0;
        let ranges = self.expected.iter().filter_map(|pictures| {
            let placed = (at, *pictures.first()?);
            at += pictures.len();
            Some(placed)
        });
        ranges.collect()
    }

    fn duration_ns(&self) -> i64 {
        self.source().time_ns(self.pictures().len())
    }

    fn summary_is_right(&self) -> Verdict {
        let (summary, pictures) = (&self.summary, self.pictures());
        let start = pictures.first().map(|first| self.archived.time(*first));
        let end = pictures.last().map(|last| self.archived.time(last + 1));
        expect("the start it tells", &Some(summary.start), &start)?;
        expect("the end it tells", &Some(summary.end), &end)?;
        expect(
            "the duration it tells",
            &summary.duration_ns,
            &self.duration_ns(),
        )?;
        let told = summary.copied + summary.encoded;
        expect("the pictures it tells", &told, &pictures.len())?;
        expect("the holes it tells", &summary.holes, &Vec::new())?;
        let most = match self.kind {
            Type::Copy | Type::Rough => 0,
            Type::Full => pictures.len(),
            Type::Smart => self.expected.iter().map(|range| most_encoded(range)).sum(),
        };
        let least = if self.kind == Type::Full { most } else { 0 };
        if !(least..=most).contains(&summary.encoded) {
            return Err(format!(
                "it encoded {} pictures, not {least} to {most}",
                summary.encoded
            ));
        }
        Ok(())
    }

    fn picture_times_are_right(&self, played: &Played) -> Verdict {
        let (times, count) = (&played.picture_times_ns, self.pictures().len());
        expect("the number of pictures", &times.len(), &count)?;
        let first_ns = match self.output {
            Output::Mp4 => 0,
            Output::Ts => times.first().copied().unwrap_or(0),
        };
        for (number, time_ns) in times.iter().enumerate() {
            let right_ns = first_ns + self.source().time_ns(number);
            if (time_ns - right_ns).abs() > ROUNDING_NS {
                return Err(format!(
                    "picture {number} is shown at {time_ns} ns, not {right_ns} ns"
                ));
            }
        }
        Ok(())
    }

    /// Copied ones bit by bit, in one run for each range; the others, at its ends, nearly.
    fn pictures_are_right(&self, played: &Played) -> Verdict {
        let (mut at, mut copied) = (0, 0);
        for range in &self.expected {
            let (mut run, mut longest) = (0, 0);
            for number in range {
                let (shown, right) = (played.picture(at), self.source().picture(*number));
                run = if shown == right { run + 1 } else { 0 };
                longest = longest.max(run);
                if shown != right {
                    let alike = self.is_like(shown, *number);
                    alike.map_err(|fault| format!("picture {at} {fault}"))?;
                }
                at += 1;
            }
            copied += longest;
        }
        if copied < self.summary.copied {
            let told = self.summary.copied;
            return Err(format!(
                "{told} pictures are said to be copied, {copied} are the source's"
            ));
        }
        Ok(())
    }

    /// Whether a picture is the source's, but for what encoding takes.
    fn is_like(&self, shown: &[u8], number: usize) -> Verdict {
        let like_db = psnr_db(shown, self.source().picture(number));
        if like_db >= LEAST_PSNR_DB {
            return Ok(());
        }
        let numbers = 0..self.source().pictures();
        let psnrs = numbers.map(|number| (psnr_db(shown, self.source().picture(number)), number));
        let nearest = psnrs.max_by(|one, other| one.0.total_cmp(&other.0));
        Err(format!(
            "is not the source's {number}: {like_db:.1} dB, nearest is {nearest:?}"
        ))
    }

    /// Every packet is one of the source's, in its place to within a packet, and none is missing.
    fn sound_packets_are_right(&self, played: &Played) -> Verdict {
        let first_picture_ns = played.picture_times_ns.first().copied().unwrap_or(0);
        let packet_ns = packet_ns();
        let is_one_range = self.placed().len() == 1;
        let tolerated_ns = if is_one_range {
            2 * ROUNDING_NS
        } else {
            packet_ns
        };
        let mut covered_ns: Option<i64> = None;
        for (number, packet) in played.sound_packets.iter().enumerate() {
            let at_ns = packet.pts_ns - first_picture_ns;
            let off_ns = self.off_by_ns(packet, at_ns);
            match off_ns {
                None => return Err(format!("packet {number} of sound is not the source's")),
                Some(off_ns) if off_ns.abs() > tolerated_ns => {
                    return Err(format!(
                        "packet {number} of sound, at {at_ns} ns, is off by {off_ns} ns"
                    ));
                }
                Some(_) => (),
            }
            let missing_ns = covered_ns.map_or(0, |end_ns| at_ns - end_ns);
            let is_recorded = !self.follows_the_recording(at_ns);
            if missing_ns.abs() > 2 * ROUNDING_NS && (is_recorded || missing_ns > 2 * packet_ns) {
                return Err(format!(
                    "packet {number} of sound follows after {missing_ns} ns"
                ));
            }
            covered_ns = Some(at_ns + packet_ns);
        }
        let late_ns = played
            .sound_packets
            .first()
            .map(|first| first.pts_ns - first_picture_ns);
        let early_ns = covered_ns.map(|end_ns| self.sound_end_ns() - end_ns);
        // A transport stream has no edit list: its sound begins and ends with the nearest packet.
        let tolerated_ns = match self.output {
            Output::Mp4 => 2 * ROUNDING_NS,
            Output::Ts => packet_ns,
        };
        match (late_ns, early_ns) {
            (Some(late_ns), Some(early_ns)) if late_ns.max(early_ns) <= tolerated_ns => Ok(()),
            _ => Err(format!(
                "sound begins {late_ns:?} ns late, ends {early_ns:?} ns early"
            )),
        }
    }

    /// Whether the range before this moment ends with the recording, whose sound ends earlier than
    /// its pictures.
    fn follows_the_recording(&self, at_ns: i64) -> bool {
        let source = self.source();
        let mut placed = self.placed().into_iter().skip(1).zip(&self.expected);
        placed.any(|((at, _), before)| {
            let is_near = (source.time_ns(at) - at_ns).abs() < packet_ns();
            is_near && before.last() == Some(&(source.pictures() - 1))
        })
    }

    /// When the sound ends: with the pictures, or with the recording.
    fn sound_end_ns(&self) -> i64 {
        let placed = self.placed();
        let recorded_ns = placed.last().map_or(0, |(at, first)| {
            let source = self.source();
            source.time_ns(*at) + source.sound_end_ns() - source.time_ns(*first)
        });
        self.duration_ns().min(recorded_ns)
    }

    /// By how much a packet is from where it belongs.
    fn off_by_ns(&self, packet: &Packet, at_ns: i64) -> Option<i64> {
        let alike = self
            .source()
            .sound_packets()
            .iter()
            .filter(|held| held.md5 == packet.md5);
        let placed = self.placed();
        let off = alike.flat_map(|held| {
            placed.iter().map(move |(at, first)| {
                let into_ns = held.pts_ns - self.source().time_ns(*first);
                at_ns - (self.source().time_ns(*at) + into_ns)
            })
        });
        off.min_by_key(|off_ns| off_ns.abs())
    }

    /// Sample by sample: what is heard when the first picture is shown is what was.
    fn samples_are_right(&self, played: &Played) -> Verdict {
        let Some((_, first)) = self.placed().first().copied() else {
            return Ok(());
        };
        let length = samples_of(self.sound_end_ns());
        let right = self.source().sound_from(first);
        let right = right.get(..length * CHANNELS).unwrap_or(right);
        if played.sound.len() < right.len() {
            let missing = right.len() - played.sound.len();
            return Err(format!("{missing} samples of sound are missing"));
        }
        let too_many =
            (played.sound.len() / CHANNELS).saturating_sub(samples_of(self.duration_ns()));
        if too_many > SAMPLES_PER_PACKET {
            return Err(format!("{too_many} samples of sound too many"));
        }
        // Before the first packet that was recorded is none that it could be decoded with.
        let skipped = if first == 0 {
            SAMPLES_PER_PACKET * CHANNELS
        } else {
            0
        };
        let pairs = played.sound.iter().zip(right).enumerate().skip(skipped);
        let mut differing =
            pairs.filter(|(_, (shown, right))| shown.abs_diff(**right) > MOST_DIFFERENCE);
        match differing.next() {
            None => Ok(()),
            Some((at, _)) => {
                let (at, more) = (at / CHANNELS, differing.count());
                Err(format!(
                    "sample {at} of the sound and {more} more are not the source's"
                ))
            }
        }
    }
}

/// Samples of sound in a time.
fn samples_of(ns: i64) -> usize {
    let per_second = i64::try_from(SAMPLES_PER_SECOND).expect("small");
    usize::try_from(ns * per_second / SECOND_NS).expect("not negative")
}

/// How many pictures of a range have to be encoded at most: those before the first keyframe, and a
/// few that are reordered.
fn most_encoded(range: &[usize]) -> usize {
    let before_keyframe = range
        .iter()
        .take_while(|number| **number % GOP != 0)
        .count();
    (before_keyframe + REORDERED).min(range.len())
}

fn packet_ns() -> i64 {
    let samples = i64::try_from(SAMPLES_PER_PACKET).expect("small");
    samples * SECOND_NS / i64::try_from(SAMPLES_PER_SECOND).expect("small")
}

fn packets_are_in_order(what: &str, packets: &[Packet]) -> Verdict {
    for (number, pair) in packets.windows(2).enumerate() {
        if pair[0].dts_ns >= pair[1].dts_ns {
            return Err(format!(
                "decoding times of {what} do not increase after packet {number}"
            ));
        }
    }
    match packets
        .iter()
        .position(|packet| packet.dts_ns > packet.pts_ns)
    {
        Some(number) => Err(format!(
            "packet {number} of {what} is shown before it is decoded"
        )),
        None => Ok(()),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, should_be: &T) -> Verdict {
    if is == should_be {
        return Ok(());
    }
    Err(format!("{what}: {is:?} instead of {should_be:?}"))
}

/// Peak signal to noise of all samples of a picture, luma and chroma alike.
pub fn psnr_db(shown: &[u8], right: &[u8]) -> f64 {
    if shown.len() != right.len() || right.is_empty() {
        return 0.0;
    }
    let pairs = shown.iter().zip(right);
    let squares = pairs.map(|(shown, right)| u64::from(shown.abs_diff(*right)).pow(2));
    let mean = squares.sum::<u64>() as f64 / right.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}
