// SPDX-License-Identifier: MPL-2.0
//! How frames are to be copied where a copy begins at a keyframe that leans on what was before
//! (see [`crate::media::restart`]): for each such frame, which bytes are new.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use super::footage::Footage;
use super::pictures::Planned;
use super::plan::{Piece, Start};
use super::reader::Reader;
use crate::media::configuration::sets_of;
use crate::media::restart::h264::Rewriter;
use crate::media::restart::{Part, RestartError, h265};
use crate::media::{Frame, FrameKind};

/// What a frame is made of.
pub type Recipe = Vec<Part>;

/// How much of a frame is read at first: mostly its headers are within.
const FIRST_BYTES: u32 = 512;

/// The recipes of all clips.
#[derive(Debug, Default)]
pub struct Recipes {
    /// By clip and frame. Only those behind a restart have one, so most frames find that out fast.
    frames: BTreeMap<(usize, u32), Recipe>,
}

/// Why there are none.
#[derive(Debug)]
pub enum RecipeError {
    /// A segment cannot be read.
    Io(io::Error),
    /// The stream uses something that cannot be rewritten.
    Unsupported,
}

impl From<io::Error> for RecipeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Recipes {
    /// The recipe of a frame of a clip; none if it is copied as it is.
    pub fn get(&self, clip: usize, frame: u32) -> Option<&Recipe> {
        self.frames.get(&(clip, frame))
    }

    /// The recipes that the plans ask for.
    pub fn of(
        footage: &Footage,
        number: usize,
        planned: &[Planned<'_>],
    ) -> Result<Self, RecipeError> {
        let mut recipes = Self::default();
        let mut reader = Reader::new(Arc::from(&*footage.files));
        for planned in planned {
            let Some(clip) = footage.clips.get(planned.clip) else {
                continue;
            };
            let held = &*clip.pictures;
            for piece in &planned.plan.pieces {
                let Piece::Copy {
                    frames,
                    start: Start::Restart,
                } = piece
                else {
                    continue;
                };
                let pictures = Pictures {
                    footage,
                    number,
                    clip: planned.clip,
                    held,
                };
                recipes.add(&pictures, frames, &mut reader)?;
            }
        }
        Ok(recipes)
    }

    fn add(
        &mut self,
        pictures: &Pictures<'_>,
        frames: &[u32],
        reader: &mut Reader,
    ) -> Result<(), RecipeError> {
        let Some(first) = frames.first() else {
            return Ok(());
        };
        let recipes = pictures.recipes(*first, frames, reader)?;
        let keyed = recipes
            .into_iter()
            .map(|(frame, recipe)| ((pictures.clip, frame), recipe));
        self.frames.extend(keyed);
        Ok(())
    }
}

/// The recipes of pictures that are to be decoded from `frames`' first on; none are needed if that
/// is an IDR picture. Both the numbers and the recipes are those of a clip's pictures.
pub fn of_feed(
    footage: &Footage,
    number: usize,
    clip: usize,
    frames: &[u32],
    reader: &mut Reader,
) -> Result<HashMap<u32, Recipe>, RecipeError> {
    let held = footage.clips.get(clip);
    let pictures = Pictures {
        footage,
        number,
        clip,
        held: held.map_or(&[][..], |clip| &clip.pictures),
    };
    match frames.first() {
        Some(first) if pictures.kind(*first) == Some(FrameKind::OpenGop) => {
            pictures.recipes(*first, frames, reader)
        }
        _ => Ok(HashMap::new()),
    }
}

/// The pictures of a clip.
struct Pictures<'a> {
    footage: &'a Footage,
    number: usize,
    clip: usize,
    held: &'a [Frame],
}

impl Pictures<'_> {
    fn kind(&self, frame: u32) -> Option<FrameKind> {
        self.held.get(frame as usize).map(|held| held.kind)
    }

    /// The recipes of `frames`, of which `first` is the keyframe.
    fn recipes(
        &self,
        first: u32,
        frames: &[u32],
        reader: &mut Reader,
    ) -> Result<HashMap<u32, Recipe>, RecipeError> {
        match self.kind(first) {
            Some(FrameKind::Cra) => {
                let recipe = self.made(first, reader, h265::enter)?;
                Ok(HashMap::from([(first, recipe)]))
            }
            Some(FrameKind::OpenGop) => self.open_gop(first, frames, reader),
            _ => Err(RecipeError::Unsupported),
        }
    }

    /// H.264: every picture from the keyframe to the next IDR. The rewriter is told of all pictures
    /// from the keyframe before on, so that it knows what the keyframe leaves behind.
    fn open_gop(
        &self,
        first: u32,
        frames: &[u32],
        reader: &mut Reader,
    ) -> Result<HashMap<u32, Recipe>, RecipeError> {
        let keyframe = self.held.get(first as usize);
        let sets = keyframe.and_then(|held| sets_of(self.entry(held)));
        let mut rewriter = Rewriter::new(&sets.ok_or(RecipeError::Unsupported)?);
        let before = self.held.get(..first as usize).unwrap_or_default();
        let known = before.iter().rposition(|held| held.kind.is_entry());
        let known = known.and_then(|at| u32::try_from(at).ok()).unwrap_or(first);
        let mut description = keyframe.map(|held| held.description);
        for frame in known..first {
            self.learn(&mut rewriter, frame, &mut description);
            self.made(frame, reader, |read, bytes, _| {
                rewriter.follow(read, bytes).map(|()| Vec::new())
            })?;
        }
        let mut recipes = HashMap::new();
        let last = frames.last().copied().unwrap_or(first);
        for frame in first..=last {
            let is_wanted = frames.binary_search(&frame).is_ok();
            self.learn(&mut rewriter, frame, &mut description);
            let recipe = self.made(frame, reader, |read, bytes, _| {
                if frame == first {
                    rewriter.enter(read, bytes)
                } else if is_wanted {
                    rewriter.rewrite(read, bytes)
                } else {
                    rewriter.follow(read, bytes).map(|()| Vec::new())
                }
            })?;
            if rewriter.is_done() {
                break;
            }
            if is_wanted {
                recipes.insert(frame, recipe);
            }
        }
        Ok(recipes)
    }

    /// Tells the rewriter of the parameter sets of a frame, where they are others than before.
    fn learn(&self, rewriter: &mut Rewriter, frame: u32, before: &mut Option<u16>) {
        if let Some(held) = self.held.get(frame as usize)
            && before.replace(held.description) != Some(held.description)
            && let Some(sets) = sets_of(self.entry(held))
        {
            rewriter.learn(&sets);
        }
    }

    /// Makes a recipe of as much of a frame as that needs.
    fn made(
        &self,
        frame: u32,
        reader: &mut Reader,
        mut make: impl FnMut(&[u8], usize, usize) -> Result<Recipe, RestartError>,
    ) -> Result<Recipe, RecipeError> {
        let held = self
            .held
            .get(frame as usize)
            .ok_or(RecipeError::Unsupported)?;
        let entry = self.entry(held);
        let sets = sets_of(entry).ok_or(RecipeError::Unsupported)?;
        let mut wanted = FIRST_BYTES;
        loop {
            let read = reader.start(held, entry, wanted)?;
            match make(&read, held.bytes as usize, sets.length_bytes) {
                Ok(recipe) => return Ok(recipe),
                Err(RestartError::Short { needs }) if needs > read.len() => {
                    wanted = u32::try_from(needs).unwrap_or(u32::MAX);
                    if wanted > held.bytes {
                        return Err(RecipeError::Unsupported);
                    }
                }
                Err(_) => return Err(RecipeError::Unsupported),
            }
        }
    }

    fn entry(&self, held: &Frame) -> &[u8] {
        let entries = self
            .footage
            .tracks
            .get(self.number)
            .map(|format| &format.descriptions);
        let entry = entries.and_then(|entries| entries.get(usize::from(held.description)));
        entry.map_or(&[], Vec::as_slice)
    }
}
