// SPDX-License-Identifier: MPL-2.0
use std::env;
use std::process::{Command, Output};

use super::*;
use crate::utc::SECOND_NS;

/// 2026-11-20T10:31:06.033333444Z.
const START: UtcNs = UtcNs(1_795_168_800 * SECOND_NS + 1866 * SECOND_NS + 33_333_444);

fn create(root: &Path) -> SegmentFile {
    SegmentFile::create(root, "door", "source", START, 2 * SECOND_NS, Container::Mp4).unwrap()
}

fn append(file: &mut SegmentFile, bytes: &[u8]) -> io::Result<()> {
    file.append(&mut [IoSlice::new(bytes)])
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_segment_grows_as_temp_and_closes_under_the_hash_of_its_bytes() {
    let root = tempfile::tempdir().unwrap();
    let mut file = create(root.path());
    let folder = root.path().join("door/source/2026-11-20T10");
    assert_eq!(file.path().parent(), Some(folder.as_path()));
    let temp = names(&folder);
    assert!(
        temp[0].starts_with("31:06.033333-2.0-temp-") && temp[0].ends_with(".mp4"),
        "{temp:?}"
    );

    append(&mut file, b"abc").unwrap();
    file.append(&mut [IoSlice::new(b""), IoSlice::new(b"d"), IoSlice::new(b"ef")])
        .unwrap();
    file.append(&mut []).unwrap();
    assert_eq!(file.bytes(), 6);
    file.sync().unwrap();

    let finished = file.finish(2_002_000_000, Kind::Full, true).unwrap();
    assert_eq!(fs::read(&finished.path).unwrap(), b"abcdef");
    assert_eq!(finished.bytes, 6);
    assert_eq!(finished.name.start, START - 444);
    let hash: [u8; 32] = Sha256::digest(b"abcdef").into();
    assert_eq!(finished.name.id, Id::Hash(hash));
    assert_eq!(
        names(&folder),
        ["31:06.033333-2.002-full-vvV-x_U6bUC-tkCngKY5yDvCmsipgW8fxsXG3Nk8RyE.mp4"]
    );
}

#[test]
fn thousands_of_slices_are_written_in_order() {
    let root = tempfile::tempdir().unwrap();
    let mut file = create(root.path());
    let expected: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
    let mut slices = Vec::new();
    for chunk in expected.chunks(3) {
        slices.extend([IoSlice::new(chunk), IoSlice::new(b"")]);
    }
    assert!(slices.len() > 3 * IOV_MAX);
    file.append(&mut slices).unwrap();
    let finished = file.finish(SECOND_NS, Kind::Full, false).unwrap();
    assert_eq!(fs::read(finished.path).unwrap(), expected);
    assert_eq!(finished.name.id, Id::Hash(Sha256::digest(&expected).into()));
}

#[test]
fn a_segment_without_content_is_removed_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let file = create(root.path());
    let folder = file.path().parent().unwrap().to_owned();
    let error = file.finish(SECOND_NS, Kind::Full, true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("nothing was recorded"),
        "{error}"
    );
    assert!(names(&folder).is_empty());
}

#[test]
fn the_same_segment_twice_is_there_once() {
    let root = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (create(root.path()), create(root.path()));
    append(&mut one, b"same").unwrap();
    append(&mut two, b"same").unwrap();
    let one = one.finish(SECOND_NS, Kind::Full, false).unwrap();
    let inode = fs::metadata(&one.path).unwrap().ino();
    let two = two.finish(SECOND_NS, Kind::Full, false).unwrap();
    assert_eq!(one, two);
    assert_eq!(
        fs::metadata(&one.path).unwrap().ino(),
        inode,
        "not replaced"
    );
    assert_eq!(names(one.path.parent().unwrap()).len(), 1);
}

#[test]
fn a_broken_copy_under_the_final_name_is_neither_replaced_nor_taken_for_the_segment() {
    let root = tempfile::tempdir().unwrap();
    let mut file = create(root.path());
    append(&mut file, b"whole").unwrap();
    let finished = file.finish(SECOND_NS, Kind::Full, false).unwrap();
    fs::write(&finished.path, b"wh").unwrap();

    let mut again = create(root.path());
    append(&mut again, b"whole").unwrap();
    let temp = again.path().to_owned();
    let error = again.finish(SECOND_NS, Kind::Full, false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&finished.path).unwrap(), b"wh");
    assert_eq!(fs::read(temp).unwrap(), b"whole");
}

#[test]
fn a_temp_file_is_locked_while_its_writer_lives_and_not_longer() {
    let root = tempfile::tempdir().unwrap();
    let mut file = create(root.path());
    append(&mut file, b"x").unwrap();
    let path = file.path().to_owned();
    assert!(open_abandoned(&path, false).unwrap().is_none());
    drop(file);
    assert!(open_abandoned(&path, false).unwrap().is_some());
    assert_eq!(fs::read(path).unwrap(), b"x", "left for a recovery");
}

#[test]
fn names_that_lead_out_of_the_archive_create_nothing() {
    let root = tempfile::tempdir().unwrap();
    for (stream, variant) in [("..", "source"), ("door", "../../x"), ("", "source")] {
        let error = SegmentFile::create(
            &root.path().join("a"),
            stream,
            variant,
            START,
            SECOND_NS,
            Container::Ts,
        )
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    assert!(names(root.path()).is_empty());
}

/// Runs one test of this binary again, in a folder on a file system that is soon full; where none
/// may be mounted, under a limit of the file's length.
fn in_cramped_child(test: &str, folder: &Path) -> Output {
    let run = |wrapper: &[&str], script: &str| {
        let mut command = Command::new("env");
        command
            .args(wrapper)
            .args(["sh", "-c", script])
            .arg(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env("CRAMPED", folder);
        command.output().unwrap()
    };
    // 77 is for no mount, 1 for no namespace; a failing test ends with 101.
    let full = r#"mount -t tmpfs -o size=64k tmpfs "$CRAMPED" || exit 77; exec "$0" "$@""#;
    for wrapper in [&["unshare", "-m"][..], &["unshare", "-rm"][..]] {
        let output = run(wrapper, full);
        if !matches!(output.status.code(), Some(1 | 77 | 126 | 127)) {
            return output;
        }
    }
    run(&[], r#"trap "" XFSZ; ulimit -f 128; exec "$0" "$@""#)
}

#[test]
fn on_a_full_disk_a_segment_keeps_every_whole_append_and_goes_on_when_there_is_room() {
    let Some(folder) = env::var_os("CRAMPED") else {
        let folder = tempfile::tempdir().unwrap();
        let name =
            "on_a_full_disk_a_segment_keeps_every_whole_append_and_goes_on_when_there_is_room";
        let output = in_cramped_child(&format!("archive::file::tests::{name}"), folder.path());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed") && said.contains("refused: "),
            "{output:?}"
        );
        return;
    };
    let mut file = create(Path::new(&folder));
    let chunk = |number: u8| vec![number; 20_001];
    let mut expected = Vec::new();
    let error = (0..50)
        .find_map(|number| match append(&mut file, &chunk(number)) {
            Ok(()) => {
                expected.extend(chunk(number));
                None
            }
            Err(error) => Some(error),
        })
        .expect("the disk never got full");
    println!("refused: {error}");
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge
        ),
        "{error}"
    );
    assert!(!expected.is_empty());
    assert_eq!(file.bytes(), expected.len() as u64);
    assert_eq!(
        fs::read(file.path()).unwrap(),
        expected,
        "cut back to whole appends"
    );
    assert!(append(&mut file, &chunk(99)).is_err(), "still full");

    append(&mut file, b"small enough").unwrap();
    expected.extend(b"small enough");
    let finished = file.finish(SECOND_NS, Kind::Full, true).unwrap();
    assert_eq!(fs::read(finished.path).unwrap(), expected);
    assert_eq!(finished.name.id, Id::Hash(Sha256::digest(&expected).into()));
}
