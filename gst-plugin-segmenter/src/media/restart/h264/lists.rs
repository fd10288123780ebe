// SPDX-License-Identifier: MPL-2.0
//! Reference picture lists (H.264 §8.2.4): which picture each index of a slice means.
//!
//! In the copy each index must mean what it meant in the source, where that picture is still
//! there. Where it is not, no macroblock uses the index, but decoders complain about an index
//! without a picture: another picture stands in.

use std::cmp::Reverse;

use h264_reader::nal::slice::{ModificationOfPicNums as Modification, SliceFamily};

use super::dpb::{Dpb, Kind, Name, Picture, Reference, Rules};
use super::header::Slice;
use crate::media::restart::Unsupported;

/// A list; `None` where no picture is known.
type List = Vec<Option<Name>>;

/// The lists of a slice as its header has them.
pub fn lists(dpb: &Dpb, rules: &Rules, picture: &Picture, slice: &Slice) -> [List; 2] {
    let [mut l0, mut l1] = initial(dpb, rules, picture, slice);
    let [to_l0, to_l1] = slice.modifications();
    modify(&mut l0, dpb, rules, picture, to_l0);
    modify(&mut l1, dpb, rules, picture, to_l1);
    [l0, l1]
}

/// How the lists of a slice must be changed in the copy to be what they are in the source.
pub fn modifications(
    wanted: &[List; 2],
    dpb: &Dpb,
    rules: &Rules,
    picture: &Picture,
    slice: &Slice,
) -> Result<[Vec<Modification>; 2], Unsupported> {
    let initial = initial(dpb, rules, picture, slice);
    let [l0, l1] = wanted;
    let [from_l0, from_l1] = &initial;
    let way = |from: &List, to: &List| -> Result<Vec<Modification>, Unsupported> {
        let to = fill(to, dpb)?;
        way(from, &to, dpb, rules, picture)
    };
    Ok([way(from_l0, l0)?, way(from_l1, l1)?])
}

/// The lists before they are modified, as long as the header says (§8.2.4.2).
fn initial(dpb: &Dpb, rules: &Rules, picture: &Picture, slice: &Slice) -> [List; 2] {
    let [length0, length1] = slice.list_lengths();
    let [mut l0, mut l1] = match slice.header.slice_type.family {
        SliceFamily::P => [of_p(dpb, rules, picture), List::new()],
        SliceFamily::B => of_b(dpb, picture),
        _ => [List::new(), List::new()],
    };
    l0.resize(length0, None);
    l1.resize(length1, None);
    [l0, l1]
}

/// §8.2.4.2.1: by picture number, the latest first; then long-term ones.
fn of_p(dpb: &Dpb, rules: &Rules, picture: &Picture) -> List {
    let mut short: Vec<&Reference> = short_terms(dpb).collect();
    // The distance back from the current picture orders as `PicNum` does.
    short.sort_by_key(|each| rules.steps(each.frame_num, picture.frame_num));
    names(short).chain(long_terms(dpb)).collect()
}

/// §8.2.4.2.3: by picture order, the nearest first, those before and those after the picture;
/// then long-term ones.
fn of_b(dpb: &Dpb, picture: &Picture) -> [List; 2] {
    let shown = short_terms(dpb).filter(|each| each.kind != Kind::Leapt);
    let (mut before, mut after): (Vec<&Reference>, Vec<&Reference>) =
        shown.partition(|each| each.order <= picture.order);
    before.sort_by_key(|each| Reverse(each.order));
    after.sort_by_key(|each| each.order);
    let list = |first: &[&Reference], second: &[&Reference]| -> List {
        let short = first.iter().chain(second).copied();
        names(short).chain(long_terms(dpb)).collect()
    };
    let l0 = list(&before, &after);
    let mut l1 = list(&after, &before);
    if l1.len() > 1 && l1 == l0 {
        l1.swap(0, 1);
    }
    [l0, l1]
}

fn short_terms(dpb: &Dpb) -> impl Iterator<Item = &Reference> {
    dpb.references
        .iter()
        .filter(|each| each.long_term.is_none())
}

fn long_terms(dpb: &Dpb) -> impl Iterator<Item = Option<Name>> {
    let mut long: Vec<&Reference> = dpb.references.iter().collect();
    long.retain(|each| each.long_term.is_some());
    long.sort_by_key(|each| each.long_term);
    names(long)
}

/// Guesses have no names.
fn names<'a>(
    references: impl IntoIterator<Item = &'a Reference>,
) -> impl Iterator<Item = Option<Name>> {
    let name = |each: &Reference| (each.kind != Kind::Guessed).then_some(each.name);
    references.into_iter().map(name)
}

/// §8.2.4.3.
fn modify(
    list: &mut List,
    dpb: &Dpb,
    rules: &Rules,
    picture: &Picture,
    modifications: &[Modification],
) {
    let mut predicted = picture.frame_num;
    for (index, modification) in modifications.iter().enumerate() {
        let meant = match *modification {
            Modification::Subtract(minus1) => {
                predicted = rules.wrap(predicted.wrapping_sub(minus1).wrapping_sub(1));
                short_terms(dpb).find(|each| each.frame_num == predicted)
            }
            Modification::Add(minus1) => {
                predicted = rules.wrap(predicted.wrapping_add(minus1).wrapping_add(1));
                short_terms(dpb).find(|each| each.frame_num == predicted)
            }
            Modification::LongTermRef(number) => dpb
                .references
                .iter()
                .find(|each| each.long_term == Some(number)),
            Modification::SubtractViewIdx(_) | Modification::AddViewIdx(_) => None,
        };
        place(list, index, names(meant).next().flatten());
    }
}

/// Puts a picture at an index, moves the others back and takes it out behind.
fn place(list: &mut List, index: usize, name: Option<Name>) {
    if index >= list.len() {
        return;
    }
    let length = list.len();
    list.insert(index, name);
    let mut at = 0;
    list.retain(|each| {
        at += 1;
        at <= index + 1 || name.is_none() || *each != name
    });
    list.resize(length, None);
}

/// The list of the source with a stand-in for each picture that the copy does not have: the one
/// before it in the list, as that index stays the first that means it.
fn fill(source: &List, dpb: &Dpb) -> Result<List, Unsupported> {
    let is_kept = |name: &Name| dpb.find(*name).is_some();
    let is_usable = |each: &&Reference| each.kind == Kind::Decoded;
    let first = source.iter().flatten().find(|name| is_kept(name)).copied();
    let latest = dpb.references.iter().rfind(is_usable);
    let mut stand_in = first.or(latest.map(|each| each.name));
    let filled: List = source
        .iter()
        .map(|name| {
            stand_in = name.filter(is_kept).or(stand_in);
            stand_in
        })
        .collect();
    if filled.iter().all(Option::is_some) {
        Ok(filled)
    } else {
        Err(Unsupported::References("there is no picture to refer to"))
    }
}

/// The fewest modifications, one index after the other, that lead from a list to another.
fn way(
    from: &List,
    to: &List,
    dpb: &Dpb,
    rules: &Rules,
    picture: &Picture,
) -> Result<Vec<Modification>, Unsupported> {
    let mut list = from.clone();
    let mut way = Vec::new();
    let mut predicted = picture.frame_num;
    for (index, name) in to.iter().enumerate() {
        if list == *to {
            break;
        }
        let reference = name.and_then(|name| dpb.find(name));
        let reference = reference.filter(|each| each.kind == Kind::Decoded);
        let reference = reference.ok_or(Unsupported::References("a picture has no number"))?;
        way.push(match reference.long_term {
            Some(number) => Modification::LongTermRef(number),
            None => step(rules, &mut predicted, reference.frame_num),
        });
        place(&mut list, index, *name);
    }
    if list == *to {
        Ok(way)
    } else {
        Err(Unsupported::References("a list cannot be made"))
    }
}

/// From one picture number to the next (§7.4.3.1): the same one again is a whole round away.
fn step(rules: &Rules, predicted: &mut u32, frame_num: u32) -> Modification {
    let forwards = rules.steps(*predicted, frame_num);
    let backwards = rules.steps(frame_num, *predicted);
    *predicted = frame_num;
    if forwards == 0 {
        Modification::Subtract(rules.frame_numbers - 1)
    } else if backwards <= forwards {
        Modification::Subtract(backwards - 1)
    } else {
        Modification::Add(forwards - 1)
    }
}
