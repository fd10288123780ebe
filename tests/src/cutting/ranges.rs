// SPDX-License-Identifier: MPL-2.0
//! Ranges to cut: those where something borders on something, and as many more as chance makes.

use gstsegmenter::cut::Type;
use gstsegmenter::utc::{HOUR_NS, UtcNs};

use super::archived::Archived;
use super::source::GOP;

/// A microsecond: what archives' names tell apart.
pub const MICROSECOND_NS: i64 = 1_000;
/// Pictures in a segment.
const SEGMENT: usize = 2 * GOP;

/// A range to cut, or several that are joined.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is special about it.
    pub name: String,
    /// Each `[start, end)`.
    pub ranges: Vec<(UtcNs, UtcNs)>,
}

impl Wanted {
    /// One range.
    pub fn new(name: &str, start: UtcNs, end: UtcNs) -> Self {
        Self {
            name: name.to_owned(),
            ranges: vec![(start, end)],
        }
    }

    /// For each range, the numbers of the pictures that a cut of this kind shows.
    pub fn pictures(&self, archived: &Archived, kind: Type) -> Vec<Vec<usize>> {
        let all = 0..archived.source.pictures();
        let pictures = |(start, end): &(UtcNs, UtcNs)| -> Vec<usize> {
            let shown = |number: &usize| (*start..*end).contains(&archived.time(*number));
            let within = all.clone().filter(shown).collect();
            match kind {
                Type::Rough => whole_segments(archived, within),
                _ => within,
            }
        };
        self.ranges.iter().map(pictures).collect()
    }
}

/// The pictures of all segments that hold some of these. Pictures that lead the first keyframe
/// cannot be decoded; where they are wanted, the segment before it is needed as well.
fn whole_segments(archived: &Archived, pictures: Vec<usize>) -> Vec<usize> {
    let stored = archived.source.stored_order();
    // A segment begins with a keyframe, which may be stored before pictures that are shown earlier.
    let mut segments: Vec<&[usize]> = Vec::new();
    let starts_one = |number: &usize| number.is_multiple_of(SEGMENT);
    let mut rest = stored.as_slice();
    while let Some(behind) = rest.get(1..) {
        let length = behind.iter().position(starts_one).unwrap_or(behind.len()) + 1;
        let (segment, next) = rest.split_at(length);
        segments.push(segment);
        rest = next;
    }
    let holds = |number: &usize| segments.iter().position(|segment| segment.contains(number));
    let first = pictures.iter().map(|number| number / SEGMENT).min();
    let last = pictures.iter().filter_map(holds).max();
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let held = segments[first..=last].concat();
    let mut shown: Vec<usize> = held
        .iter()
        .copied()
        .filter(|number| *number >= held[0])
        .collect();
    shown.sort_unstable();
    shown
}

/// Ranges at borders: of pictures, GOPs, segments, the hour, the day, the recording.
pub fn edges(archived: &Archived) -> Vec<Wanted> {
    let last = archived.source.pictures();
    let border = UtcNs(archived.end().0 - archived.end().0.rem_euclid(HOUR_NS));
    assert!(
        archived.start < border && border < archived.end(),
        "a day ends in the recording"
    );
    let until_border = (border - archived.start) * i64::try_from(last).expect("few")
        / (archived.end() - archived.start);
    let at_border = usize::try_from(until_border).expect("not negative");
    let between = |name: &str, from: usize, to: usize| {
        Wanted::new(name, archived.time(from), archived.time(to))
    };
    let mut edges = vec![
        between("everything", 0, last),
        between("one picture, a keyframe", 2 * GOP, 2 * GOP + 1),
        between("one picture before a keyframe", 2 * GOP - 1, 2 * GOP),
        between("one picture within a GOP", GOP + 11, GOP + 12),
        between("the first picture", 0, 1),
        between("the last picture", last - 1, last),
        between("one GOP", GOP, 2 * GOP),
        between("two GOPs", 3 * GOP, 5 * GOP),
        between("one segment", SEGMENT, 2 * SEGMENT),
        between("inside a GOP", GOP + 4, GOP + 20),
        between("inside the first GOP", 3, 9),
        between("inside the last GOP", last - 9, last - 2),
        between("from within a GOP to within the next", GOP + 7, 2 * GOP + 9),
        between(
            "from within a GOP to within the one after the next",
            GOP + 13,
            3 * GOP + 2,
        ),
        between("from within a GOP to a keyframe", GOP + 13, 4 * GOP),
        between("from a keyframe to within a GOP", 2 * GOP, 5 * GOP + 13),
        between(
            "one picture on each side of a keyframe",
            3 * GOP - 1,
            3 * GOP + 1,
        ),
        between(
            "one picture on each side of a segment's start",
            SEGMENT - 1,
            SEGMENT + 1,
        ),
        between("over the start of a segment", SEGMENT - 8, SEGMENT + 6),
        between("over several segments", SEGMENT - 3, 4 * SEGMENT + 5),
        between("over the end of the day", at_border - 30, at_border + 40),
        between(
            "one picture on each side of midnight",
            at_border,
            at_border + 2,
        ),
        Wanted::new("until midnight", archived.time(20), border),
        Wanted::new("from midnight on", border, archived.time(last - 20)),
    ];
    for (name, from, to) in [
        ("on keyframes", 2 * GOP, 4 * GOP),
        ("within GOPs", GOP + 9, 3 * GOP + 4),
        ("all", 0, last),
    ] {
        for (moved_start, moved_end) in [(-1, 0), (1, 0), (0, -1), (0, 1), (1, -1), (-1, 1)] {
            edges.push(Wanted::new(
                &format!("{name}, start {moved_start} µs, end {moved_end} µs"),
                archived.time(from) + moved_start * MICROSECOND_NS,
                archived.time(to) + moved_end * MICROSECOND_NS,
            ));
        }
    }
    edges
}

/// Ranges by chance, the same for the same seed; every tenth is two or three that are joined.
pub fn random(archived: &Archived, seed: u64, count: usize) -> Vec<Wanted> {
    let mut random = fastrand::Rng::with_seed(seed);
    let whole_ns = archived.end() - archived.start;
    let range = |random: &mut fastrand::Rng| {
        // As many short ones as long ones: from half a picture on.
        let shortest = 20_000_000_f64;
        let longest = whole_ns as f64;
        let length_ns = shortest * (longest / shortest).powf(random.f64());
        let length_ns = (length_ns as i64).clamp(1, whole_ns);
        let mut start = archived.start + random.i64(0..=whole_ns - length_ns);
        let mut end = start + length_ns;
        // A third begin or end on a picture's own time.
        match random.u8(0..6) {
            0 => start = on_picture(archived, start),
            1 => end = on_picture(archived, end),
            _ => (),
        }
        (start, end.max(start + 1))
    };
    (0..count)
        .map(|number| {
            let joined = if number % 10 == 9 {
                random.usize(2..=3)
            } else {
                1
            };
            Wanted {
                name: format!("random {number} of seed {seed}"),
                ranges: (0..joined).map(|_| range(&mut random)).collect(),
            }
        })
        .collect()
}

/// The time of the picture that is shown at this moment.
fn on_picture(archived: &Archived, moment: UtcNs) -> UtcNs {
    let numbers = 0..=archived.source.pictures();
    let times = numbers.map(|number| archived.time(number));
    times
        .take_while(|time| *time <= moment)
        .last()
        .unwrap_or(moment)
}
