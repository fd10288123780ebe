// SPDX-License-Identifier: MPL-2.0
//! Encoding what the plans say has to be: a few pictures at each end of a clip.
//!
//! All pieces are known beforehand and none needs another, so as many are made at a time as there
//! are processors.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::encode::{self, Encoder, Feed, Job};
use super::error::CutError;
use super::footage::Footage;
use super::names;
use super::pictures::Planned;
use super::plan::Piece;
use super::reader::Reader;
use super::recipes::{self, Recipe, RecipeError};
use super::request::Type;
use super::sample_entries::SampleEntries;
use crate::media::Frame;
use crate::media::assembly::{Part, SourceFile};
use crate::media::nal::Sets;
use crate::media::restart;

/// How pictures are encoded where they have to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The element that encodes; by default x264enc or x265enc.
    pub encoder: Option<String>,
    /// The element that decodes; by default libav's.
    pub decoder: Option<String>,
    /// Where what is too much for memory goes, in a file without a name; by default where the
    /// system puts temporary files.
    pub spool_folder: Option<PathBuf>,
}

/// Pictures that were encoded.
#[derive(Debug)]
pub struct EncodedPiece {
    /// Number of the source's description.
    pub description: u16,
    /// The parameter sets they need.
    pub sets: Sets,
    /// In the order of showing.
    pub frames: Vec<EncodedFrame>,
}

/// A picture that was encoded.
#[derive(Debug)]
pub struct EncodedFrame {
    /// Decoding can start here.
    pub is_entry: bool,
    /// Its bytes.
    pub bytes: EncodedBytes,
}

/// Where the bytes of a picture that was encoded are.
#[derive(Debug)]
pub enum EncodedBytes {
    /// Here.
    Held(Vec<u8>),
    /// In the spool.
    Spooled(Part),
}

/// All of a cut, by number of the clip and of the piece in its plan.
#[derive(Debug, Default)]
pub struct EncodedPieces {
    pieces: HashMap<(usize, usize), EncodedPiece>,
    order: Vec<(usize, usize)>,
    /// Where their bytes are.
    pub spool: Option<Arc<File>>,
}

impl EncodedPieces {
    /// A piece of a clip's plan.
    pub fn get(&self, clip: usize, piece: usize) -> Option<&EncodedPiece> {
        self.pieces.get(&(clip, piece))
    }

    /// In the order of the cut.
    pub fn pieces(&self) -> impl Iterator<Item = &EncodedPiece> {
        self.order.iter().filter_map(|key| self.pieces.get(key))
    }
}

/// A piece to encode.
struct Work {
    key: (usize, usize),
    description: u16,
    /// The source's sample entries.
    entries: Arc<[Arc<[u8]>]>,
    /// What stands for them.
    merged: Arc<SampleEntries>,
    timescale: u32,
    frames: Vec<(Frame, bool)>,
    /// For frames that are to be rewritten before they are decoded; otherwise empty.
    recipes: Vec<Option<Recipe>>,
}

/// Encodes all pieces that have to be.
///
/// # Errors
/// If a codec is not encoded here, something cannot be read, or the encoder fails.
pub(super) fn encode(
    footage: &Footage,
    track: (usize, &SampleEntries),
    planned: &[Planned<'_>],
    kind: Type,
    options: &Options,
) -> Result<EncodedPieces, CutError> {
    let files: Arc<[SourceFile]> = Arc::from(&*footage.files);
    let work = work(footage, track, planned, Reader::new(Arc::clone(&files)))?;
    let spool = match kind {
        Type::Full => Some(Spool::new(options)?),
        _ => None,
    };
    let done = Mutex::new(EncodedPieces {
        order: work.iter().map(|work| work.key).collect(),
        spool: spool.as_ref().map(|spool| Arc::clone(&spool.file)),
        ..EncodedPieces::default()
    });
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let one_after_the_other = || {
        while let Some(work) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            match encode_piece(work, &files, spool.as_ref(), options) {
                Ok(piece) => {
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.pieces.insert(work.key, piece);
                }
                Err(error) => {
                    next.store(work_end(), Ordering::Relaxed);
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..processors.min(work.len()) {
            scope.spawn(one_after_the_other);
        }
        one_after_the_other();
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// A number beyond that of any piece, from which counting on does no harm.
fn work_end() -> usize {
    usize::MAX / 2
}

fn work(
    footage: &Footage,
    (number, merged): (usize, &SampleEntries),
    planned: &[Planned<'_>],
    mut reader: Reader,
) -> Result<Vec<Work>, CutError> {
    let Some(format) = footage.tracks.get(number) else {
        return Ok(Vec::new());
    };
    let shared = format.descriptions.iter().map(|entry| Arc::from(&**entry));
    let entries: Arc<[Arc<[u8]>]> = shared.collect();
    let merged = Arc::new(merged.clone());
    let mut work = Vec::new();
    for planned in planned {
        let Some(clip) = footage.clips.get(planned.clip) else {
            continue;
        };
        let held = &*clip.pictures;
        for (at, piece) in planned.plan.pieces.iter().enumerate() {
            let Piece::Encode { feed, keep } = piece else {
                continue;
            };
            let mut kept = keep.clone();
            kept.sort_unstable();
            let fed = feed.iter().filter_map(|frame| {
                let held = held.get(*frame as usize)?;
                Some((*held, kept.binary_search(frame).is_ok()))
            });
            let frames: Vec<(Frame, bool)> = fed.collect();
            let recipes = match recipes::of_feed(footage, number, planned.clip, feed, &mut reader) {
                Ok(recipes) => feed
                    .iter()
                    .map(|frame| recipes.get(frame).cloned())
                    .collect(),
                // Then the decoder has to cope.
                Err(RecipeError::Unsupported) => Vec::new(),
                Err(RecipeError::Io(error)) => return Err(error.into()),
            };
            let description = keep
                .first()
                .and_then(|first| held.get(*first as usize))
                .map_or(0, |held| held.description);
            let entry = format.descriptions.get(usize::from(description));
            check(entry.map_or(&[], Vec::as_slice), keep.len())?;
            work.push(Work {
                key: (planned.clip, at),
                description,
                entries: Arc::clone(&entries),
                merged: Arc::clone(&merged),
                timescale: format.timescale,
                frames,
                recipes,
            });
        }
    }
    Ok(work)
}

/// Refuses codecs that are not encoded here.
fn check(entry: &[u8], frames: usize) -> Result<(), CutError> {
    let kind = entry.get(4..8).unwrap_or_default();
    if [&b"avc1"[..], b"avc3", b"hvc1", b"hev1"].contains(&kind) {
        return Ok(());
    }
    Err(CutError::Unfit {
        what: format!(
            "{frames} pictures at the edges would have to be encoded, and {} is not encoded here",
            names::codec(kind)
        ),
        remedy: "types copy and rough encode nothing".to_owned(),
    })
}

fn encode_piece(
    work: &Work,
    files: &Arc<[SourceFile]>,
    spool: Option<&Spool>,
    options: &Options,
) -> Result<EncodedPiece, CutError> {
    let job = Job {
        entry: work.merged.merged(work.description),
        timescale: work.timescale,
        options: encode::Options {
            encoder: options.encoder.clone(),
            decoder: options.decoder.clone(),
            keyframe_interval: spool.and_then(|_| work.keyframe_interval()),
            taken_ids: work.merged.h264_ids(),
            ..encode::Options::default()
        },
    };
    let mut encoder = Encoder::start(job, work.feed(files))?;
    let mut frames = Vec::with_capacity(work.frames.len());
    while let Some(frame) = encoder.next()? {
        frames.push(EncodedFrame {
            is_entry: frame.is_entry,
            bytes: match spool {
                Some(spool) => EncodedBytes::Spooled(spool.add(&frame.sample)?),
                None => EncodedBytes::Held(frame.sample),
            },
        });
    }
    Ok(EncodedPiece {
        description: work.description,
        sets: encoder.sets().cloned().unwrap_or_default(),
        frames,
    })
}

impl Work {
    /// What the decoder is fed with.
    fn feed(&self, files: &Arc<[SourceFile]>) -> impl Iterator<Item = io::Result<Feed>> + use<> {
        let mut reader = Reader::new(Arc::clone(files));
        let entries = Arc::clone(&self.entries);
        let merged = Arc::clone(&self.merged);
        let mut number = merged.number(self.description);
        let mut before = None;
        let recipes = self
            .recipes
            .clone()
            .into_iter()
            .chain(std::iter::repeat(None));
        let frames = self.frames.clone().into_iter().zip(recipes);
        frames.map(move |((held, keep), recipe)| {
            let is_keyframe = held.kind.is_entry();
            let source = held.description;
            let is_new =
                std::mem::replace(&mut number, merged.number(source)) != merged.number(source);
            let sets = merged.in_front(source, before.replace(source), is_keyframe);
            let sample = reader.whole(&held, &entry_of(&entries, source))?;
            let mut sample = rewritten(sample, recipe);
            if let Some(sets) = sets {
                sample.splice(0..0, sets);
            }
            Ok(Feed {
                pts: held.pts,
                dts: held.dts,
                duration: held.duration,
                is_entry: is_keyframe,
                keep,
                sample,
                entry: is_new.then(|| Arc::from(merged.merged(source))),
            })
        })
    }

    /// How many pictures make two seconds.
    fn keyframe_interval(&self) -> Option<u32> {
        let ticks: u64 = self
            .frames
            .iter()
            .map(|(held, _)| u64::from(held.duration))
            .sum();
        let average = ticks / u64::try_from(self.frames.len().max(1)).ok()?;
        u32::try_from(2 * u64::from(self.timescale) / average.max(1)).ok()
    }
}

fn entry_of(entries: &[Arc<[u8]>], description: u16) -> Arc<[u8]> {
    let entry = entries.get(usize::from(description));
    entry.map_or_else(|| Arc::from(&[][..]), Arc::clone)
}

/// A sample as its recipe has it.
fn rewritten(sample: Vec<u8>, recipe: Option<Recipe>) -> Vec<u8> {
    let Some(recipe) = recipe else {
        return sample;
    };
    let mut new = Vec::with_capacity(sample.len() + 16);
    for part in &recipe {
        match part {
            restart::Part::Bytes(bytes) => new.extend_from_slice(bytes),
            restart::Part::Source(range) => {
                new.extend_from_slice(sample.get(range.clone()).unwrap_or_default());
            }
        }
    }
    new
}

/// A file without a name, for more than fits into memory.
struct Spool {
    file: Arc<File>,
    bytes: AtomicU64,
}

impl Spool {
    fn new(options: &Options) -> io::Result<Self> {
        let file = match &options.spool_folder {
            Some(folder) => tempfile::tempfile_in(folder)?,
            None => tempfile::tempfile()?,
        };
        Ok(Self {
            file: Arc::new(file),
            bytes: AtomicU64::new(0),
        })
    }

    fn add(&self, sample: &[u8]) -> io::Result<Part> {
        let offset = self.bytes.fetch_add(sample.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(sample, offset)?;
        Ok(Part::Spool {
            offset,
            bytes: u32::try_from(sample.len()).unwrap_or(u32::MAX),
        })
    }
}
