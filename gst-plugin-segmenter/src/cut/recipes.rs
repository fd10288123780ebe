// SPDX-License-Identifier: MPL-2.0
//! How frames are to be copied where a copy begins at a keyframe that leans on what was before
//! (see [`crate::media::restart`]): for each such frame, which bytes are new.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::compose::pictures_of;
use super::footage::{ClipFrame, Footage};
use super::pictures::Planned;
use super::plan::{Piece, Start};
use super::reader::Reader;
use crate::media::FrameKind;
use crate::media::restart::{Part, RestartError, h265};

/// What a frame is made of.
pub type Recipe = Vec<Part>;

/// How much of a frame is read at first: mostly its headers are within.
const FIRST_BYTES: u32 = 512;

/// The recipes of all clips.
#[derive(Debug, Default)]
pub struct Recipes {
    frames: HashMap<(usize, u32), Recipe>,
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
    pub fn of(footage: &Footage, number: usize, planned: &[Planned]) -> Result<Self, RecipeError> {
        let mut recipes = Self::default();
        let mut reader = Reader::new(Arc::from(&*footage.files));
        for planned in planned {
            let Some(clip) = footage.clips.get(planned.clip) else {
                continue;
            };
            let held = pictures_of(footage, clip);
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
        match pictures
            .held
            .get(*first as usize)
            .map(|held| held.frame.kind)
        {
            Some(FrameKind::Cra) => {
                let recipe = pictures.recipe(*first, reader, |read, bytes, lengths| {
                    h265::enter(read, bytes, lengths)
                })?;
                self.frames.insert((pictures.clip, *first), recipe);
                Ok(())
            }
            _ => Err(RecipeError::Unsupported),
        }
    }
}

/// The pictures of a clip.
struct Pictures<'a> {
    footage: &'a Footage,
    number: usize,
    clip: usize,
    held: &'a [ClipFrame],
}

impl Pictures<'_> {
    /// Makes a recipe of as much of a frame as that needs.
    fn recipe(
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
        let sets = super::line::sets_of(entry).ok_or(RecipeError::Unsupported)?;
        let mut wanted = FIRST_BYTES;
        loop {
            let read = reader.start(held, entry, wanted)?;
            match make(&read, held.frame.bytes as usize, sets.length_bytes) {
                Ok(recipe) => return Ok(recipe),
                Err(RestartError::Short { needs }) if needs > read.len() => {
                    wanted = u32::try_from(needs).unwrap_or(u32::MAX);
                    if wanted > held.frame.bytes {
                        return Err(RecipeError::Unsupported);
                    }
                }
                Err(_) => return Err(RecipeError::Unsupported),
            }
        }
    }

    fn entry(&self, held: &ClipFrame) -> &[u8] {
        let entries = self
            .footage
            .tracks
            .get(self.number)
            .map(|format| &format.descriptions);
        let entry = entries.and_then(|entries| entries.get(usize::from(held.frame.description)));
        entry.map_or(&[], Vec::as_slice)
    }
}
