// SPDX-License-Identifier: MPL-2.0
//! How a picture of the copy marks references (H.264 §7.3.3.3, §8.2.5), so that the copy's
//! decoder keeps of the pictures it has exactly those that the source's decoder keeps.
//!
//! Pictures that the copy does not have took places in the source: what a sliding window left
//! behind there may have to be named here, and operations on pictures that are not here must go.

use h264_reader::nal::slice::{DecRefPicMarking, MemoryManagementControlOperation as Operation};

use super::dpb::{Dpb, Name, Picture, Reference, Rules};
use crate::media::restart::Unsupported;

/// What the copy says, given the source's references after the picture and the copy's before it.
pub fn marking(
    source: &DecRefPicMarking,
    source_after: &Dpb,
    copy: &Dpb,
    rules: &Rules,
    picture: &Picture,
) -> Result<DecRefPicMarking, Unsupported> {
    let source_operations: &[Operation] = match source {
        DecRefPicMarking::Adaptive(operations) => operations,
        _ => &[],
    };
    let mut operations = Vec::new();
    let is_reset = is_reset(source);
    if is_reset {
        operations.push(Operation::AllRefPicturesUnused);
    }
    let most = most_long_terms(source_operations, source_after, copy, is_reset);
    if let Some(max_long_term_frame_idx_plus1) = most {
        operations.push(Operation::MaxUsedLongTermFrameRef {
            max_long_term_frame_idx_plus1,
        });
    }
    if !is_reset {
        let limit = most.unwrap_or(u32::MAX);
        unmark(&mut operations, source_after, copy, rules, picture, limit);
        make_long_term(&mut operations, source_after, copy, rules, picture)?;
    }
    if let Some(long_term_frame_idx) = long_term(source_after, picture.name) {
        operations.push(Operation::CurrentUsedForLongTerm {
            long_term_frame_idx,
        });
    }
    let was_sliding = matches!(source, DecRefPicMarking::SlidingWindow);
    let slides = slid(copy, rules);
    Ok(match operations.as_slice() {
        [] if slides.is_none() => DecRefPicMarking::SlidingWindow,
        [
            Operation::ShortTermUnusedForRef {
                difference_of_pic_nums_minus1,
            },
        ] if was_sliding
            && slides.map(|each| back(rules, picture, each))
                == Some(*difference_of_pic_nums_minus1) =>
        {
            DecRefPicMarking::SlidingWindow
        }
        _ => DecRefPicMarking::Adaptive(operations),
    })
}

/// Everything counts anew after the picture (operation 5).
pub fn is_reset(marking: &DecRefPicMarking) -> bool {
    let resets = |each: &Operation| matches!(each, Operation::AllRefPicturesUnused);
    matches!(marking, DecRefPicMarking::Adaptive(operations) if operations.iter().any(resets))
}

/// The reference that a sliding window would leave behind in the copy.
fn slid<'a>(copy: &'a Dpb, rules: &Rules) -> Option<&'a Reference> {
    copy.oldest().filter(|_| copy.is_full(rules))
}

fn long_term(dpb: &Dpb, name: Name) -> Option<u32> {
    dpb.find(name).and_then(|each| each.long_term)
}

/// `difference_of_pic_nums_minus1`.
fn back(rules: &Rules, picture: &Picture, reference: &Reference) -> u32 {
    let steps = rules.steps(reference.frame_num, picture.frame_num);
    // A whole round back is the picture itself, which no header can mean.
    steps.saturating_sub(1)
}

/// `max_long_term_frame_idx_plus1`, if the source says it here, or if it said it before the copy
/// began and the copy needs it now.
fn most_long_terms(
    source: &[Operation],
    source_after: &Dpb,
    copy: &Dpb,
    is_reset: bool,
) -> Option<u32> {
    let said = source.iter().rev().find_map(|each| match each {
        Operation::MaxUsedLongTermFrameRef {
            max_long_term_frame_idx_plus1: count,
        } => Some(*count),
        _ => None,
    });
    let known = if is_reset { 0 } else { copy.long_terms };
    let indices = source_after
        .references
        .iter()
        .filter_map(|each| each.long_term);
    let needed = indices.map(|index| index.saturating_add(1)).max();
    said.or(needed.filter(|needed| *needed > known))
}

/// Names what the source has left behind and the copy has not.
fn unmark(
    operations: &mut Vec<Operation>,
    source_after: &Dpb,
    copy: &Dpb,
    rules: &Rules,
    picture: &Picture,
    long_term_limit: u32,
) {
    for reference in &copy.references {
        let after = source_after.find(reference.name);
        match reference.long_term {
            None if after.is_none() => operations.push(Operation::ShortTermUnusedForRef {
                difference_of_pic_nums_minus1: back(rules, picture, reference),
            }),
            Some(index) if after.is_none() && index < long_term_limit => {
                operations.push(Operation::LongTermUnusedForRef {
                    long_term_pic_num: index,
                });
            }
            _ => {}
        }
    }
}

/// Names what the source has made long-term references.
fn make_long_term(
    operations: &mut Vec<Operation>,
    source_after: &Dpb,
    copy: &Dpb,
    rules: &Rules,
    picture: &Picture,
) -> Result<(), Unsupported> {
    for reference in &copy.references {
        let after = long_term(source_after, reference.name);
        match (reference.long_term, after) {
            (None, Some(long_term_frame_idx)) => {
                operations.push(Operation::ShortTermUsedForLongTerm {
                    difference_of_pic_nums_minus1: back(rules, picture, reference),
                    long_term_frame_idx,
                });
            }
            (Some(before), Some(after)) if before != after => {
                return Err(Unsupported::References("a long-term reference moves"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the copy's references are those of the source's that the copy has: what every picture
/// must leave behind.
pub fn agree(source: &Dpb, copy: &Dpb, had: &Dpb, picture: Name) -> bool {
    let is_copied = |name: Name| name == picture || had.find(name).is_some();
    let kept = |dpb: &Dpb| -> Vec<(Name, Option<u32>)> {
        let kept = dpb.references.iter().filter(|each| is_copied(each.name));
        let mut kept: Vec<_> = kept.map(|each| (each.name, each.long_term)).collect();
        kept.sort_unstable();
        kept
    };
    kept(source) == kept(copy)
}
