// SPDX-License-Identifier: MPL-2.0
//! The pictures that a decoder keeps to refer to, as far as slice headers tell (H.264 §8.2.1,
//! §8.2.4, §8.2.5): frames only, no fields.
//!
//! Two are followed: what the source's decoder keeps and what the copy's keeps. Frame numbers and
//! picture order differ between them, so a picture has a [`Name`] that is the same in both.

use h264_reader::nal::slice::{
    DecRefPicMarking, MemoryManagementControlOperation as Operation, PicOrderCountLsb, SliceHeader,
};
use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet};

use super::header::Slice;
use crate::media::restart::Unsupported;

/// A picture, whichever stream it is in; later ones are greater.
pub type Name = u64;

/// Names between two pictures, for the frames that a leap of frame numbers stands for.
pub const NAMES_PER_PICTURE: Name = 32;
/// More frames than any level lets a decoder keep (table A-1).
const MOST_REFERENCES: usize = 16;

/// What a sequence parameter set says of all its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `MaxFrameNum`.
    pub frame_numbers: u32,
    /// `MaxPicOrderCntLsb`; `None` where order follows from frame numbers (type 2).
    pub order_lsbs: Option<i64>,
    /// `max_num_ref_frames`, at least one.
    pub most_references: usize,
    /// `gaps_in_frame_num_value_allowed_flag`.
    pub may_leap: bool,
}

impl Rules {
    /// The rules of this set.
    pub fn new(sps: &SeqParameterSet) -> Self {
        let order_lsbs = match sps.pic_order_cnt {
            PicOrderCntType::TypeZero {
                log2_max_pic_order_cnt_lsb_minus4,
            } => Some(16 << log2_max_pic_order_cnt_lsb_minus4),
            _ => None,
        };
        Self {
            frame_numbers: 1 << sps.log2_max_frame_num(),
            order_lsbs,
            most_references: (sps.max_num_ref_frames as usize).clamp(1, MOST_REFERENCES),
            may_leap: sps.gaps_in_frame_num_value_allowed_flag,
        }
    }

    /// From one frame number to another, forwards.
    pub fn steps(&self, from: u32, to: u32) -> u32 {
        self.wrap(to.wrapping_sub(from))
    }

    /// A frame number within its range, which is a power of two.
    pub fn wrap(&self, frame_num: u32) -> u32 {
        frame_num & (self.frame_numbers - 1)
    }
}

/// What a slice header says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coded {
    /// IDR picture.
    pub is_idr: bool,
    /// Others may refer to it.
    pub is_reference: bool,
    /// `frame_num`.
    pub frame_num: u32,
    /// `pic_order_cnt_lsb`.
    pub order_lsb: i64,
    /// `delta_pic_order_cnt_bottom`.
    pub order_delta: i64,
}

impl Coded {
    /// From the header of any slice of it.
    pub fn new(slice: &Slice) -> Self {
        let header: &SliceHeader = &slice.header;
        let (order_lsb, order_delta) = match header.pic_order_cnt_lsb {
            Some(PicOrderCountLsb::Frame(lsb)) => (i64::from(lsb), 0),
            Some(PicOrderCountLsb::FieldsAbsolute {
                pic_order_cnt_lsb,
                delta_pic_order_cnt_bottom,
            }) => (pic_order_cnt_lsb.into(), delta_pic_order_cnt_bottom.into()),
            _ => (0, 0),
        };
        Self {
            is_idr: slice.is_idr(),
            is_reference: slice.is_reference(),
            frame_num: header.frame_num.into(),
            order_lsb,
            order_delta,
        }
    }
}

/// A picture being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Which.
    pub name: Name,
    /// `frame_num`.
    pub frame_num: u32,
    /// `TopFieldOrderCnt`.
    pub top: i64,
    /// `PicOrderCnt`: the earlier of both fields.
    pub order: i64,
}

/// A picture that may be referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which.
    pub name: Name,
    /// `FrameNum`.
    pub frame_num: u32,
    /// `PicOrderCnt`.
    pub order: i64,
    /// `LongTermFrameIdx`, if it is a long-term reference.
    pub long_term: Option<u32>,
    /// What it is to a decoder.
    pub kind: Kind,
}

/// Where a reference came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was decoded.
    Decoded,
    /// A leap of frame numbers stands for it ("non-existing", §8.2.5.2); nothing may refer to it.
    Leapt,
    /// It was before what is known of the stream; its numbers are a guess.
    Guessed,
}

/// What a decoder keeps, and what it remembers of the picture before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dpb {
    /// In decoding order.
    pub references: Vec<Reference>,
    /// `MaxLongTermFrameIdx` plus one; 0 for "no long-term frame indices".
    pub long_terms: u32,
    /// `PrevRefFrameNum` (§7.4.3).
    pub frame_num: u32,
    /// `prevFrameNum` and `prevFrameNumOffset` (§8.2.1.3).
    last_frame_num: u32,
    frame_num_offset: i64,
    /// `prevPicOrderCntMsb` and `prevPicOrderCntLsb` (§8.2.1.1).
    order_msb: i64,
    order_lsb: i64,
}

impl Dpb {
    /// Of a stream of which this picture is the first known one: full of pictures before it.
    pub fn before(rules: &Rules, first: &Coded) -> Self {
        let most = rules.most_references as u32;
        let guess = |back: u32| Reference {
            name: 0,
            frame_num: rules.wrap(first.frame_num.wrapping_sub(back)),
            order: first.order_lsb - 2 * i64::from(back),
            long_term: None,
            kind: Kind::Guessed,
        };
        let frame_num = rules.wrap(first.frame_num.wrapping_sub(1));
        Self {
            references: (1..=most).rev().map(guess).collect(),
            frame_num,
            last_frame_num: frame_num,
            // Near enough for the first picture to have an order close to its lsb.
            order_lsb: first.order_lsb,
            ..Self::default()
        }
    }

    /// The reference of this name.
    pub fn find(&self, name: Name) -> Option<&Reference> {
        self.references.iter().find(|each| each.name == name)
    }

    /// Begins a picture: fills a leap of frame numbers (§8.2.5.2) and counts picture order.
    pub fn begin(
        &mut self,
        rules: &Rules,
        coded: &Coded,
        name: Name,
    ) -> Result<Picture, Unsupported> {
        if coded.is_idr {
            *self = Self::default();
        } else {
            self.leap(rules, coded.frame_num, name)?;
            self.forget_guess(coded.frame_num);
        }
        let (top, order) = self.order(rules, coded);
        Ok(Picture {
            name,
            frame_num: coded.frame_num,
            top,
            order,
        })
    }

    fn leap(&mut self, rules: &Rules, frame_num: u32, name: Name) -> Result<(), Unsupported> {
        let steps = rules.steps(self.frame_num, frame_num);
        if steps <= 1 {
            return Ok(());
        }
        if !rules.may_leap {
            return Err(Unsupported::Missing);
        }
        // Only as many as can be kept are of any consequence.
        let missing = (steps - 1).min(rules.most_references as u32);
        for back in (1..=missing).rev() {
            let frame_num = rules.wrap(frame_num.wrapping_sub(back));
            self.slide(rules)?;
            self.forget_guess(frame_num);
            self.push(Reference {
                name: name.saturating_sub(back.into()),
                frame_num,
                order: 0,
                long_term: None,
                kind: Kind::Leapt,
            })?;
        }
        let last = rules.wrap(frame_num.wrapping_sub(1));
        if last < self.last_frame_num {
            self.frame_num_offset += i64::from(rules.frame_numbers);
        }
        self.last_frame_num = last;
        self.frame_num = last;
        Ok(())
    }

    /// `TopFieldOrderCnt` and `PicOrderCnt` (§8.2.1).
    fn order(&mut self, rules: &Rules, coded: &Coded) -> (i64, i64) {
        let Some(lsbs) = rules.order_lsbs else {
            return self.order_from_frame_num(rules, coded);
        };
        let mut msb = self.order_msb;
        if coded.order_lsb < self.order_lsb && self.order_lsb - coded.order_lsb >= lsbs / 2 {
            msb += lsbs;
        } else if coded.order_lsb > self.order_lsb && coded.order_lsb - self.order_lsb > lsbs / 2 {
            msb -= lsbs;
        }
        if coded.is_reference {
            self.order_msb = msb;
            self.order_lsb = coded.order_lsb;
        }
        let top = msb + coded.order_lsb;
        (top, top + coded.order_delta.min(0))
    }

    fn order_from_frame_num(&mut self, rules: &Rules, coded: &Coded) -> (i64, i64) {
        if coded.frame_num < self.last_frame_num {
            self.frame_num_offset += i64::from(rules.frame_numbers);
        }
        self.last_frame_num = coded.frame_num;
        let order = 2 * (self.frame_num_offset + i64::from(coded.frame_num));
        let order = order - i64::from(!coded.is_reference);
        (order, order)
    }

    /// Ends a picture: marks references (§8.2.5). `None` for a picture that is no reference.
    pub fn end(
        &mut self,
        rules: &Rules,
        picture: &Picture,
        marking: Option<&DecRefPicMarking>,
    ) -> Result<(), Unsupported> {
        let mut current = Reference {
            name: picture.name,
            frame_num: picture.frame_num,
            order: picture.order,
            long_term: None,
            kind: Kind::Decoded,
        };
        match marking {
            None => return Ok(()),
            Some(DecRefPicMarking::Idr {
                long_term_reference_flag,
                ..
            }) => {
                self.references.clear();
                self.long_terms = u32::from(*long_term_reference_flag);
                current.long_term = long_term_reference_flag.then_some(0);
            }
            Some(DecRefPicMarking::SlidingWindow) => self.slide(rules)?,
            Some(DecRefPicMarking::Adaptive(operations)) => {
                for operation in operations {
                    self.operate(rules, &mut current, picture, operation)?;
                }
                self.drop_guesses(rules)?;
            }
        }
        self.frame_num = current.frame_num;
        self.push(current)
    }

    /// No short-term reference has the number of the current frame (§7.4.3): a guess that has it
    /// was wrong, or has been left behind in a way we could not know.
    fn forget_guess(&mut self, frame_num: u32) {
        let stays = |each: &Reference| each.kind != Kind::Guessed || each.frame_num != frame_num;
        self.references.retain(stays);
    }

    fn push(&mut self, current: Reference) -> Result<(), Unsupported> {
        let is_twin = |each: &Reference| {
            let are_short = each.long_term.or(current.long_term).is_none();
            are_short && each.frame_num == current.frame_num
        };
        if self.references.iter().any(is_twin) {
            return Err(Unsupported::Damaged("two references have the same number"));
        }
        self.references.push(current);
        Ok(())
    }

    /// The oldest short-term reference, by `FrameNumWrap`: the one that a sliding window leaves
    /// behind (§8.2.5.3). As they stand in decoding order, it is the first.
    pub fn oldest(&self) -> Option<&Reference> {
        self.references.iter().find(|each| each.long_term.is_none())
    }

    /// All places are taken.
    pub fn is_full(&self, rules: &Rules) -> bool {
        self.references.len() >= rules.most_references
    }

    fn slide(&mut self, rules: &Rules) -> Result<(), Unsupported> {
        while self.is_full(rules) {
            let oldest = self.oldest().ok_or(Unsupported::References(
                "a sliding window has nothing to leave behind",
            ))?;
            let oldest = oldest.name;
            let at = self.references.iter().position(|each| each.name == oldest);
            at.map(|at| self.references.remove(at));
        }
        Ok(())
    }

    /// Operations that took away pictures we only guess at cannot be followed, but what they
    /// left room for can.
    fn drop_guesses(&mut self, rules: &Rules) -> Result<(), Unsupported> {
        while self.is_full(rules) {
            let is_guess = |each: &Reference| each.kind == Kind::Guessed;
            let Some(at) = self.references.iter().position(is_guess) else {
                return Err(Unsupported::Damaged("more references than allowed"));
            };
            self.references.remove(at);
        }
        Ok(())
    }

    /// One memory management control operation (§8.2.5.4).
    fn operate(
        &mut self,
        rules: &Rules,
        current: &mut Reference,
        picture: &Picture,
        operation: &Operation,
    ) -> Result<(), Unsupported> {
        match *operation {
            Operation::ShortTermUnusedForRef {
                difference_of_pic_nums_minus1,
            } => {
                let at = self.short_term(rules, picture, difference_of_pic_nums_minus1);
                at.map(|at| self.references.remove(at));
            }
            Operation::LongTermUnusedForRef { long_term_pic_num } => {
                self.free_long_term(long_term_pic_num);
            }
            Operation::ShortTermUsedForLongTerm {
                difference_of_pic_nums_minus1,
                long_term_frame_idx,
            } => {
                self.free_long_term(long_term_frame_idx);
                let at = self.short_term(rules, picture, difference_of_pic_nums_minus1);
                if let Some(reference) = at.and_then(|at| self.references.get_mut(at)) {
                    reference.long_term = Some(long_term_frame_idx);
                }
            }
            Operation::MaxUsedLongTermFrameRef {
                max_long_term_frame_idx_plus1: count,
            } => {
                let stays = |each: &Reference| each.long_term.is_none_or(|index| index < count);
                self.references.retain(stays);
                self.long_terms = count;
            }
            Operation::AllRefPicturesUnused => {
                self.references.clear();
                self.long_terms = 0;
                // The picture counts as the first one from here on (§8.2.1, §7.4.3).
                current.frame_num = 0;
                current.order = 0;
                self.last_frame_num = 0;
                self.frame_num_offset = 0;
                self.order_msb = 0;
                self.order_lsb = picture.top - picture.order;
            }
            Operation::CurrentUsedForLongTerm {
                long_term_frame_idx,
            } => {
                self.free_long_term(long_term_frame_idx);
                current.long_term = Some(long_term_frame_idx);
            }
        }
        Ok(())
    }

    fn free_long_term(&mut self, index: u32) {
        self.references.retain(|each| each.long_term != Some(index));
    }

    fn short_term(&self, rules: &Rules, picture: &Picture, minus1: u32) -> Option<usize> {
        let frame_num = rules.wrap(picture.frame_num.wrapping_sub(minus1).wrapping_sub(1));
        let is_it = |each: &Reference| each.long_term.is_none() && each.frame_num == frame_num;
        self.references.iter().position(is_it)
    }
}
