// SPDX-License-Identifier: MPL-2.0
//! H.264: an I picture becomes an IDR picture, and what follows counts from it.
//!
//! After an IDR picture frame numbers and picture order begin at zero (H.264 §7.4.3, §8.2.1), and
//! a decoder keeps nothing from before to refer to. So slice headers after it are written anew,
//! up to the next IDR picture of the source:
//!
//! - `frame_num` counts the references that the copy has; leading ones are missing in it,
//! - `pic_order_cnt_lsb` counts from the new IDR picture,
//! - the marking of references names those that the copy has and no others (`marking`),
//! - each index of a reference list means the picture that it meant (`lists`).
//!
//! For that, the references of both streams are followed (`dpb`), as far as slice headers tell.
//! No picture after the keyframe in both orders refers to one before in either; that is what a
//! recovery point of zero frames promises (§D.2.8). Slice data do not change.

mod dpb;
mod header;
mod lists;
mod marking;
mod sei;
mod sets;
mod splice;

use h264_reader::nal::slice::{DecRefPicMarking, SliceFamily};

use self::dpb::{Coded, Dpb, NAMES_PER_PICTURE, Name, Picture, Rules};
use self::header::Slice;
use self::sets::Known;
use super::sample::{Recipe, Sample, Unit};
use super::{Part, RestartError, Unsupported};
use crate::media::nal::{Sets, h264 as nal};

/// Neighbouring IDR pictures must differ in this (§7.4.3). Encoders count from zero.
const IDR_PIC_ID: u32 = 0x4321;

/// NAL units that say of the next one how it fits into layers or views (§7.4.1.2.6); without
/// them it is a plain slice.
const PREFIX: u8 = 14;
/// Data partitions (§7.3.2.9).
const PARTITIONS: std::ops::RangeInclusive<u8> = 2..=4;
/// Auxiliary pictures, further layers and views (table 7-1).
const FURTHER: std::ops::RangeInclusive<u8> = 19..=21;

/// Rewrites the pictures of an H.264 track from a keyframe on that is no IDR picture.
///
/// It is told every picture of the source in decoding order: [`follow`](Self::follow) those that
/// are not copied, then [`enter`](Self::enter) the keyframe, then [`rewrite`](Self::rewrite) or
/// `follow` what comes after. A picture before the keyframe that is not told does no harm as long
/// as nothing odd follows; from the keyframe before this one on is enough to be sure.
pub struct Rewriter {
    length_bytes: usize,
    known: Known,
    state: State,
}

/// What changes with every picture.
#[derive(Clone, Default)]
struct State {
    next_name: Name,
    /// What the source's decoder keeps; `None` before the first picture.
    source: Option<Dpb>,
    /// What the copy's decoder keeps; `None` before the keyframe and from an IDR picture on.
    copy: Option<Dpb>,
    /// Picture order in the source less that in the copy.
    order_shift: i64,
    /// The keyframe's order in the source, until the source counts anew.
    entry_order: Option<i64>,
}

/// What becomes of a picture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Left,
    Entry,
    Trailing,
}

/// The picture whose slices are being read.
struct Current {
    rules: Rules,
    coded: Coded,
    /// In the source; the references there while it is decoded, and after it.
    picture: Picture,
    during: Dpb,
    after: Dpb,
    /// Everything counts anew after it (`memory_management_control_operation` 5).
    is_reset: bool,
    copy: Option<Copied>,
}

/// The same in the copy.
struct Copied {
    coded: Coded,
    picture: Picture,
    during: Dpb,
    after: Dpb,
}

impl Rewriter {
    /// For a track with these parameter sets. A set that cannot be read matters only to the
    /// pictures that use it.
    pub fn new(sets: &Sets) -> Self {
        Self {
            length_bytes: sets.length_bytes,
            known: Known::new(sets),
            state: State::default(),
        }
    }

    /// Takes note of the picture parameter sets that are in force from the next picture on.
    pub fn learn(&mut self, sets: &Sets) {
        sets.pps.iter().for_each(|set| self.known.put_pps(set));
    }

    /// Takes note of a picture that is not copied: one before the keyframe, or a leading one.
    ///
    /// # Errors
    /// If more of the sample must be read; after the keyframe also if it cannot be followed.
    pub fn follow(&mut self, read: &[u8], sample_bytes: usize) -> Result<(), RestartError> {
        match self.picture(read, sample_bytes, Role::Left) {
            Ok(_) => Ok(()),
            Err(RestartError::Unsupported(_)) if self.state.copy.is_none() => {
                self.state.source = None;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The recipe for the keyframe, as an IDR picture.
    ///
    /// # Errors
    /// If more of the sample must be read, or this picture cannot be a start.
    pub fn enter(&mut self, read: &[u8], sample_bytes: usize) -> Result<Vec<Part>, RestartError> {
        self.picture(read, sample_bytes, Role::Entry)
    }

    /// The recipe for a picture after the keyframe in both orders. From an IDR picture of the
    /// source on, the recipe is the sample as it is.
    ///
    /// # Errors
    /// If more of the sample must be read, or the picture cannot be rewritten.
    pub fn rewrite(&mut self, read: &[u8], sample_bytes: usize) -> Result<Vec<Part>, RestartError> {
        if self.is_done() {
            return Ok(vec![Part::Source(0..sample_bytes)]);
        }
        self.picture(read, sample_bytes, Role::Trailing)
    }

    /// Nothing needs to be rewritten any more: the source has had an IDR picture.
    pub fn is_done(&self) -> bool {
        self.state.copy.is_none()
    }

    /// On an error nothing has changed, but that a picture that cannot be followed may have brought
    /// parameter sets.
    fn picture(
        &mut self,
        read: &[u8],
        sample_bytes: usize,
        role: Role,
    ) -> Result<Vec<Part>, RestartError> {
        let sample = Sample {
            read,
            bytes: sample_bytes,
            length_bytes: self.length_bytes,
        };
        let (mut known, mut state) = (self.known.clone(), self.state.clone());
        let made = self.units(sample, role, &mut known, &mut state);
        if !matches!(made, Err(RestartError::Short { .. })) {
            self.known = known;
        }
        let parts = made?;
        self.known.awaits_idr = false;
        self.state = state;
        Ok(parts)
    }

    fn units(
        &self,
        sample: Sample,
        role: Role,
        known: &mut Known,
        state: &mut State,
    ) -> Result<Vec<Part>, RestartError> {
        let mut recipe = Recipe::default();
        let mut current = None;
        for unit in sample.units() {
            let unit = unit?;
            match nal::kind(unit.read) {
                nal::IDR if role == Role::Trailing => {
                    *state = State::default();
                    return Ok(vec![Part::Source(0..sample.bytes)]);
                }
                nal::SLICE | nal::IDR => {
                    self.slice(&unit, role, known, state, &mut current, &mut recipe)?;
                }
                nal::SPS => {
                    known.put_sps(whole(&unit)?);
                    recipe.source(unit.whole);
                }
                nal::PPS => {
                    known.put_pps(whole(&unit)?);
                    recipe.source(unit.whole);
                }
                nal::SEI if role != Role::Left => self.messages(&unit, role, &mut recipe)?,
                PREFIX => {}
                kind if PARTITIONS.contains(&kind) || FURTHER.contains(&kind) => {
                    return Err(Unsupported::NalUnit(kind).into());
                }
                _ => recipe.source(unit.whole),
            }
        }
        let current = current.ok_or(Unsupported::Damaged("it has no slice"))?;
        state.end(current, role);
        Ok(recipe.parts())
    }

    fn slice(
        &self,
        unit: &Unit,
        role: Role,
        known: &Known,
        state: &mut State,
        current: &mut Option<Current>,
        recipe: &mut Recipe,
    ) -> Result<(), RestartError> {
        let mut slice = Slice::read(&known.context, unit)?;
        if known.awaits_idr && !slice.is_idr() {
            return Err(Unsupported::ParameterSets.into());
        }
        if role == Role::Entry {
            check_entry(&slice)?;
        }
        let current = match current {
            Some(current) if current.coded != Coded::new(&slice) => {
                return Err(Unsupported::Damaged("its slices are of several pictures").into());
            }
            Some(current) => current,
            None => current.insert(state.begin(&slice, role)?),
        };
        let Some(copied) = &current.copy else {
            recipe.source(unit.whole.clone());
            return Ok(());
        };
        let nal = if role == Role::Entry {
            (slice.nal & 0xe0) | nal::IDR
        } else {
            slice.nal
        };
        copied.write(current, &mut slice, role)?;
        let header = slice.written(nal);
        if nal == slice.nal && header == slice.bits {
            recipe.source(unit.whole.clone());
            return Ok(());
        }
        let spliced = splice::splice(&slice, unit, nal, header)?;
        recipe
            .unit(self.length_bytes, &spliced.head, spliced.rest)
            .ok_or(Unsupported::Damaged("a slice has become too long").into())
    }

    fn messages(&self, unit: &Unit, role: Role, recipe: &mut Recipe) -> Result<(), RestartError> {
        let unwanted: &[u32] = match role {
            Role::Entry => &[sei::RECOVERY_POINT, sei::MARKING_REPETITION],
            _ => &[sei::MARKING_REPETITION],
        };
        let end = unit.place.end;
        match sei::without(whole(unit)?, unwanted) {
            None => recipe.source(unit.whole.clone()),
            Some(without) if without.is_empty() => {}
            Some(without) => recipe
                .unit(self.length_bytes, &without, end..end)
                .ok_or(Unsupported::Damaged("messages have become too long"))?,
        }
        Ok(())
    }
}

/// All of a NAL unit.
fn whole<'a>(unit: &Unit<'a>) -> Result<&'a [u8], RestartError> {
    if unit.is_whole() {
        Ok(unit.read)
    } else {
        Err(unit.short(unit.place.len()))
    }
}

fn check_entry(slice: &Slice) -> Result<(), Unsupported> {
    if slice.header.slice_type.family != SliceFamily::I {
        Err(Unsupported::NotAnEntry("it has slices that are not intra"))
    } else if slice.is_idr() {
        Err(Unsupported::NotAnEntry("it is an IDR picture already"))
    } else if !slice.is_reference() {
        Err(Unsupported::NotAnEntry("nothing may refer to it"))
    } else {
        Ok(())
    }
}

impl State {
    /// Begins a picture with its first slice.
    fn begin(&mut self, slice: &Slice, role: Role) -> Result<Current, Unsupported> {
        let rules = Rules::new(slice.sps);
        let coded = Coded::new(slice);
        self.next_name += NAMES_PER_PICTURE;
        let name = self.next_name;
        let before = match self.source.take() {
            Some(dpb) => dpb,
            None => Dpb::before(&rules, &coded),
        };
        let mut during = before.clone();
        let picture = during.begin(&rules, &coded, name)?;
        let marking = slice.header.dec_ref_pic_marking.as_ref();
        let mut after = during.clone();
        after.end(&rules, &picture, marking)?;
        let mut current = Current {
            rules,
            coded,
            picture,
            during,
            after,
            is_reset: marking.is_some_and(marking::is_reset),
            copy: None,
        };
        let copy = match role {
            Role::Left => None,
            Role::Entry => Some((Dpb::default(), self.entry(&current))),
            Role::Trailing => match self.copy.take() {
                Some(dpb) => {
                    let coded = self.trailing(&current, &before, &dpb)?;
                    Some((dpb, coded))
                }
                None => None,
            },
        };
        if let Some((dpb, coded)) = copy {
            current.copy = Some(Copied::new(&current, marking, dpb, coded)?);
            self.check_order(&current)?;
        }
        Ok(current)
    }

    /// The keyframe as an IDR picture: its earlier field has order zero (§8.2.1).
    fn entry(&mut self, current: &Current) -> Coded {
        self.order_shift = current.picture.order;
        self.entry_order = None;
        Coded {
            is_idr: true,
            frame_num: 0,
            order_lsb: current.picture.top - current.picture.order,
            ..current.coded
        }
    }

    fn trailing(&self, current: &Current, source: &Dpb, copy: &Dpb) -> Result<Coded, Unsupported> {
        let rules = &current.rules;
        if self
            .entry_order
            .is_some_and(|entry| current.picture.order <= entry)
        {
            return Err(Unsupported::Leading);
        }
        let steps = rules.steps(source.frame_num, current.coded.frame_num);
        let order = current.picture.top - self.order_shift;
        Ok(Coded {
            frame_num: rules.wrap(copy.frame_num.wrapping_add(steps)),
            order_lsb: rules.order_lsbs.map_or(0, |lsbs| order.rem_euclid(lsbs)),
            ..current.coded
        })
    }

    /// The copy's decoder counts picture order as it is meant.
    fn check_order(&self, current: &Current) -> Result<(), Unsupported> {
        let copied = current.copy.as_ref().map(|copied| copied.picture.order);
        if copied == Some(current.picture.order - self.order_shift) {
            Ok(())
        } else {
            Err(Unsupported::References("picture order leaps too far"))
        }
    }

    /// Ends a picture.
    fn end(&mut self, current: Current, role: Role) {
        if current.is_reset {
            self.order_shift = 0;
            self.entry_order = None;
        }
        if role == Role::Entry {
            let order = if current.is_reset {
                0
            } else {
                current.picture.order
            };
            self.entry_order = Some(order);
        }
        self.source = Some(current.after);
        if role != Role::Left {
            self.copy = current.copy.map(|copied| copied.after);
        } else if current.coded.is_idr {
            self.copy = None;
        }
    }
}

impl Copied {
    fn new(
        current: &Current,
        marking: Option<&DecRefPicMarking>,
        mut dpb: Dpb,
        coded: Coded,
    ) -> Result<Self, Unsupported> {
        let rules = &current.rules;
        let picture = dpb.begin(rules, &coded, current.picture.name)?;
        let mut copied = Self {
            coded,
            picture,
            after: dpb.clone(),
            during: dpb,
        };
        let is_in_source = |name: Name| current.during.find(name).is_some();
        if !copied
            .during
            .references
            .iter()
            .all(|each| is_in_source(each.name))
        {
            return Err(Unsupported::References("a leap of frame numbers differs"));
        }
        let marking = marking.map(|marking| copied.marking(current, marking));
        let marking = marking.transpose()?;
        copied.after.end(rules, &copied.picture, marking.as_ref())?;
        if marking::agree(
            &current.after,
            &copied.after,
            &copied.during,
            copied.picture.name,
        ) {
            Ok(copied)
        } else {
            Err(Unsupported::References("references would differ"))
        }
    }

    fn marking(
        &self,
        current: &Current,
        source: &DecRefPicMarking,
    ) -> Result<DecRefPicMarking, Unsupported> {
        if !self.coded.is_idr {
            let (after, during) = (&current.after, &self.during);
            return marking::marking(source, after, during, &current.rules, &self.picture);
        }
        let long_term = current
            .after
            .find(self.picture.name)
            .and_then(|each| each.long_term);
        match long_term {
            None | Some(0) => Ok(DecRefPicMarking::Idr {
                no_output_of_prior_pics_flag: false,
                long_term_reference_flag: long_term.is_some(),
            }),
            Some(_) => Err(Unsupported::References("a long-term reference moves")),
        }
    }

    /// Writes into a slice header what it is in the copy.
    fn write(&self, current: &Current, slice: &mut Slice, role: Role) -> Result<(), Unsupported> {
        let rules = &current.rules;
        let wanted = lists::lists(&current.during, rules, &current.picture, slice);
        let marking = slice.header.dec_ref_pic_marking.as_ref();
        let marking = marking.map(|marking| self.marking(current, marking));
        slice.header.dec_ref_pic_marking = marking.transpose()?;
        let ways = lists::modifications(&wanted, &self.during, rules, &self.picture, slice)?;
        slice.modify(ways);
        let frame_num = u16::try_from(self.coded.frame_num);
        slice.header.frame_num = frame_num.map_err(|_| Unsupported::Missing)?;
        let lsb = u32::try_from(self.coded.order_lsb);
        slice.set_order_lsb(lsb.map_err(|_| Unsupported::Damaged("picture order"))?);
        if role == Role::Entry {
            slice.header.idr_pic_id = Some(IDR_PIC_ID);
        }
        Ok(())
    }
}
