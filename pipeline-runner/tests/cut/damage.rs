// SPDX-License-Identifier: MPL-2.0
//! Segments that are not what their names say: a file that is whole, or one clear error.

use std::fs;
use std::path::Path;

use gstsegmenter::archive::Container;

use crate::material::{TestArchive, alter, rename};
use crate::support::{Cutting, WHOLE};

const BOTH: [Container; 2] = [Container::Mp4, Container::Ts];
/// Every kind of cut, and where to.
const WAYS: [(&str, &str); 6] = [
    ("copy", "a.mp4"),
    ("smart", "a.mp4"),
    ("rough", "a.mp4"),
    ("full", "a.mp4"),
    ("smart", "a.ts"),
    ("rough", "a.ts"),
];

/// Cuts the damaged recording in every way, and asserts that each ends well.
fn survives(what: &str, damage: impl Fn(&Path)) {
    for container in BOTH {
        let archive = TestArchive::recorded(container);
        damage(&archive.segments()[1]);
        let cutting = Cutting::of(archive);
        for (kind, output) in WAYS {
            for holes in [&[][..], &["--allow-holes"]] {
                let arguments = ["--force", "--type", kind, "--output", output];
                let arguments = [&WHOLE[..], holes, &arguments].concat();
                ends_well(&cutting, &arguments, &format!("{what}, {container:?}"));
            }
        }
    }
}

/// Either with a file and without a complaint, or with an error and without a file.
#[track_caller]
fn ends_well(cutting: &Cutting, arguments: &[&str], what: &str) {
    let answer = cutting.run(arguments);
    let about = format!("{what}: {arguments:?}: {answer:?}");
    let output = *arguments.last().expect("where to is said last");
    match answer.code {
        Some(0) => {
            let said = format!("{output}: ");
            assert!(answer.err.starts_with(&said), "{about}");
            assert_eq!(cutting.names(), [output], "{about}");
            fs::remove_file(cutting.path(output)).expect("it is removed");
        }
        Some(1) => {
            assert!(answer.err.starts_with("error: "), "{about}");
            assert_eq!(answer.err.lines().count(), 1, "{about}");
            assert_eq!(cutting.names(), [""; 0], "{about}");
        }
        _ => panic!("{about}"),
    }
}

/// Numbers without a pattern, the same each time.
struct Scatter(u64);

impl Scatter {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth's MMIX generator; its upper half is good enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

#[test]
fn a_segment_that_was_cut_off_anywhere() {
    for part in [0, 1, 3, 50, 97] {
        survives(&format!("{part} % of it"), |segment| {
            alter(segment, |bytes| bytes.truncate(bytes.len() * part / 100));
        });
    }
}

#[test]
fn a_segment_with_flipped_bits() {
    let mut scatter = Scatter(3);
    for (container, round) in BOTH
        .into_iter()
        .flat_map(|it| (0..20).map(move |n| (it, n)))
    {
        let archive = TestArchive::recorded(container);
        alter(&archive.segments()[1], |bytes| {
            // Half of them in what comes first, which is what everything else hangs on.
            for limit in [bytes.len(), 2000] {
                for _ in 0..=round {
                    bytes[scatter.below(limit)] ^= 1 << scatter.below(8);
                }
            }
        });
        let cutting = Cutting::of(archive);
        let (kind, output) = WAYS[round % WAYS.len()];
        let arguments = ["--allow-holes", "--type", kind, "--output", output];
        let arguments = [&WHOLE[..], &arguments].concat();
        ends_well(
            &cutting,
            &arguments,
            &format!("{container:?}, round {round}"),
        );
    }
}

#[test]
fn a_segment_of_zeros_of_noise_and_of_something_else() {
    let mut scatter = Scatter(5);
    let noise: Vec<u8> = (0..50_000)
        .map(|_| u8::try_from(scatter.below(256)).expect("a byte"))
        .collect();
    let zeros = vec![0; 50_000];
    let text = b"this is no video\n".repeat(100);
    for (what, content) in [("noise", noise), ("zeros", zeros), ("text", text)] {
        survives(what, |segment| {
            fs::write(segment, &content).expect("a file")
        });
    }
}

#[test]
fn a_segment_whose_sizes_are_out_of_all_proportion() {
    // Box sizes, sample counts and sizes in `trun`, times in `tfdt`.
    for (kind, at) in [
        ("moof", -4),
        ("mdat", -4),
        ("trun", 8),
        ("trun", 16),
        ("tfdt", 8),
    ] {
        survives(&format!("{kind} {at}"), |segment| {
            alter(segment, |bytes| {
                let found = bytes
                    .windows(4)
                    .position(|window| window == kind.as_bytes());
                let Some(found) = found else { return };
                let from = found.checked_add_signed(at).expect("within");
                bytes[from..from + 4].fill(0xff);
            });
        });
    }
}

#[test]
fn a_segment_with_the_extension_of_the_other_container_is_used_as_what_it_is() {
    let archive = TestArchive::recorded(Container::Mp4);
    for segment in archive.segments() {
        rename(&segment, |name| name.container = Container::Ts);
    }
    let cutting = Cutting::of(archive);
    let arguments = ["--type", "copy", "--output", "a.mp4"];
    let answer = cutting.run(&[&WHOLE[..], &arguments].concat());
    answer.with_code(0);
    assert!(answer.err.contains(" 150 frames"), "{answer:?}");
}

#[test]
fn a_segment_that_goes_away_or_changes_while_it_is_cut_is_named() {
    use crate::support::Caught;
    type Change = fn(&Path);
    let shorter: Change = |path| alter(path, |bytes| bytes.truncate(bytes.len() / 2));
    let gone: Change = |path| fs::remove_file(path).expect("it is removed");
    for change in [shorter, gone] {
        let cutting = Cutting::new(Container::Mp4);
        let last = cutting.archive.segments()[2].clone();
        let arguments = ["--type", "copy", "--output", "a.mp4"];
        let arguments = [&WHOLE[..], &arguments].concat();
        // Stopped before it looks, or after: there is a hole then, or it is not what it was.
        let caught = Caught::in_the_middle(&cutting, &arguments, 0);
        change(&last);
        let answer = caught.go_on();
        if answer.code != Some(0) {
            let error = answer.error_with_code(1);
            assert!(error.contains("31:1"), "{error}");
            assert_eq!(cutting.names(), [""; 0]);
        }
    }
}

#[test]
fn a_segment_that_may_not_be_read_is_a_hole_that_says_why() {
    let archive = TestArchive::recorded(Container::Mp4);
    let segment = archive.segments()[1].clone();
    fs::remove_file(&segment).expect("it is removed");
    std::os::unix::fs::symlink("nowhere", &segment).expect("a link");
    let cutting = Cutting::of(archive);
    let arguments = [&WHOLE[..], &["--type", "copy", "--output", "a.mp4"]].concat();
    let hole = "2026-11-20T10:31:08.25Z to 2026-11-20T10:31:10.25Z";
    cutting.refuses(1, &arguments, &[hole, "No such file"]);
}
