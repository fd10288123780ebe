// SPDX-License-Identifier: MPL-2.0
//! How pictures are turned to be shown: the matrix of a track's header (ISO/IEC 14496-12 §6.2.2,
//! §8.3.2), and the name that GStreamer's tag `image-orientation` has for it.

use mp4_atom::Matrix;

/// One, in 16.16.
const ONE: i32 = 1 << 16;
/// One in the last column, in 2.30.
const W: i32 = 1 << 30;

/// A picture's point (x, y) is shown at (a·x + c·y, b·x + d·y); in 1/65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// From x to x.
    pub a: i32,
    /// From x to y.
    pub b: i32,
    /// From y to x.
    pub c: i32,
    /// From y to y.
    pub d: i32,
}

impl Default for Orientation {
    fn default() -> Self {
        Self::of(1, 0, 0, 1)
    }
}

/// The tag's words: first mirrored from left to right where it says so, then turned clockwise.
const NAMES: [(&str, Orientation); 8] = [
    ("rotate-0", Orientation::of(1, 0, 0, 1)),
    ("rotate-90", Orientation::of(0, 1, -1, 0)),
    ("rotate-180", Orientation::of(-1, 0, 0, -1)),
    ("rotate-270", Orientation::of(0, -1, 1, 0)),
    ("flip-rotate-0", Orientation::of(-1, 0, 0, 1)),
    ("flip-rotate-90", Orientation::of(0, -1, -1, 0)),
    ("flip-rotate-180", Orientation::of(1, 0, 0, -1)),
    ("flip-rotate-270", Orientation::of(0, 1, 1, 0)),
];

impl Orientation {
    const fn of(a: i32, b: i32, c: i32, d: i32) -> Self {
        Self {
            a: a * ONE,
            b: b * ONE,
            c: c * ONE,
            d: d * ONE,
        }
    }

    /// What `image-orientation` says.
    pub fn of_tag(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, orientation)| *orientation)
    }

    /// Its name in `image-orientation`; `None` if the picture stands as it is coded, or in a way
    /// that has no name.
    pub fn tag(self) -> Option<&'static str> {
        let turned = NAMES.iter().skip(1);
        let mut found = turned.filter(|(_, orientation)| *orientation == self);
        found.next().map(|(name, _)| *name)
    }

    /// What a header says; one that would show nothing (all zeros) is not believed.
    pub(super) fn of_matrix(matrix: &Matrix) -> Self {
        let Matrix { a, b, c, d, .. } = *matrix;
        let area = i64::from(a) * i64::from(d) - i64::from(b) * i64::from(c);
        match area {
            0 => Self::default(),
            _ => Self { a, b, c, d },
        }
    }

    /// The matrix for a picture of this size, in 1/65536 pixel: moved so that its corner is where
    /// it would be.
    pub(super) fn matrix(self, (width, height): (u32, u32)) -> Matrix {
        let Self { a, b, c, d } = self;
        let along = |factor: i32, side: u32| i64::from(factor) * i64::from(side) / i64::from(ONE);
        let least = |x: i64, y: i64| x.min(0) + y.min(0);
        let back = |least: i64| i32::try_from(-least).unwrap_or(0);
        Matrix {
            a,
            b,
            u: 0,
            c,
            d,
            v: 0,
            x: back(least(along(a, width), along(c, height))),
            y: back(least(along(b, width), along(d, height))),
            w: W,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_the_matrix_that_is_written_for_it() {
        let size = (320 << 16, 180 << 16);
        for (name, orientation) in NAMES {
            assert_eq!(Orientation::of_tag(name), Some(orientation));
            let matrix = orientation.matrix(size);
            let read = Orientation::of_matrix(&matrix);
            assert_eq!(read.tag().unwrap_or("rotate-0"), name);
        }
        // What ffmpeg writes for a quarter turn clockwise: the height to the right.
        let quarter = Orientation::of(0, 1, -1, 0).matrix(size);
        assert_eq!((quarter.x, quarter.y), (180 << 16, 0));
        let plain = Orientation::default().matrix(size);
        assert_eq!((plain.x, plain.y, plain.w), (0, 0, 1 << 30));
    }
}
