// SPDX-License-Identifier: MPL-2.0
use proptest::prelude::*;

use super::*;

/// 2026-11-20T10:00:00Z.
const HOUR: UtcNs = UtcNs(1_795_168_800 * SECOND_NS);
const HASH: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn hash() -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    hash
}

#[test]
fn the_name_in_the_design_is_read_and_written_as_it_stands() {
    let text = format!("31:06.033333-2.0-full-{HASH}.mp4");
    let name = SegmentName::parse(HOUR, &text).unwrap();
    assert_eq!(
        name,
        SegmentName {
            start: UtcNs::parse("2026-11-20T10:31:06.033333Z").unwrap(),
            duration_ns: 2 * SECOND_NS,
            kind: Kind::Full,
            id: Id::Hash(hash()),
            container: Container::Mp4,
        }
    );
    assert_eq!(name.to_string(), text);
    assert_eq!(name.hour_folder(), "2026-11-20T10");
    assert_eq!(
        name.end(),
        UtcNs::parse("2026-11-20T10:31:08.033333Z").unwrap()
    );
}

#[test]
fn a_name_with_other_numbers_of_digits_is_understood() {
    let read = |text: &str| {
        let name = SegmentName::parse(HOUR, text).unwrap();
        (name.start - HOUR, name.duration_ns)
    };
    assert_eq!(
        read(&format!("00:07-2-full-{HASH}.ts")),
        (7 * SECOND_NS, 2 * SECOND_NS)
    );
    assert_eq!(
        read(&format!("00:07.5-.002-full-{HASH}.ts")),
        (7 * SECOND_NS + 500_000_000, 2_000_000)
    );
    assert_eq!(
        read(&format!("00:00.0-0.30000000000000004-suspect-{HASH}.ts")).1,
        300_000_000
    );
    assert_eq!(
        read(&format!("00:00.0-1.9999999996-suspect-{HASH}.ts")).1,
        2 * SECOND_NS
    );
}

#[test]
fn a_wrong_name_is_refused_with_the_part_that_is_wrong() {
    for (name, part) in [
        (String::new(), "extension"),
        (format!("31:06.0-2.0-full-{HASH}"), "extension"),
        (format!("31:06.0-2.0-full-{HASH}.mkv"), "extension"),
        (format!("31:06.0-2.0-{HASH}.ts"), "type"),
        ("31:06.0-2.0.ts".into(), "four parts"),
        (format!("31_06.0-2.0-full-{HASH}.ts"), "time"),
        (format!("60:00.0-2.0-full-{HASH}.ts"), "time"),
        (format!("00:60.0-2.0-full-{HASH}.ts"), "time"),
        (format!("0:00.0-2.0-full-{HASH}.ts"), "time"),
        (format!("00:00.1234567-2.0-full-{HASH}.ts"), "time"),
        (format!("00:00.0-inf-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-nan-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-1e0-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-1_0-full-{HASH}.ts"), "duration"),
        (format!("00:00.0- 2.0-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-.-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-99999999999-full-{HASH}.ts"), "duration"),
        (format!("00:00.0-2.0-whole-{HASH}.ts"), "type"),
        (format!("00:00.0-2.0-full-{HASH}=.ts"), "hash"),
        (format!("00:00.0-2.0-full-{}.ts", &HASH[1..]), "hash"),
        (format!("00:00.0-2.0-full-{}B.ts", &HASH[..42]), "hash"),
        (format!("00:00.0-2.0-temp-{HASH}.ts"), "UUID"),
    ] {
        let error = SegmentName::parse(HOUR, &name).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
        assert!(error.contains("looks like"), "{name}: {error}");
    }
}

#[test]
fn hours_are_written_and_read_back_and_nothing_else_is_an_hour() {
    assert_eq!(hour_folder(HOUR + 59 * SECOND_NS), "2026-11-20T10");
    assert_eq!(parse_hour_folder("2026-11-20T10"), Ok(HOUR));
    assert_eq!(hour_folder(UtcNs(-1)), "1969-12-31T23");
    for name in [
        "",
        "2026-11-20",
        "2026-11-20T24",
        "2026-02-30T00",
        "2026-11-20 10",
        "2026-1-20T010",
        "+026-11-20T10",
        "0001-01-01T00",
        "9999-01-01T00",
        "2026-11-20T10Z",
        "2026-11-20T1\u{663}",
    ] {
        assert!(parse_hour_folder(name).is_err(), "{name}");
    }
}

#[test]
fn no_stream_or_variant_leads_out_of_the_archive() {
    let root = Path::new("archive");
    for name in [
        "", ".", "..", ".hidden", "../x", "a/b", "/etc", "a\0b", "a\nb", "a\u{85}b",
    ] {
        let error = variant_folder(root, name, "source")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("stream") && error.contains("allowed"),
            "{error}"
        );
        let error = variant_folder(root, "door", name).unwrap_err().to_string();
        assert!(
            error.contains("variant") && error.contains("allowed"),
            "{error}"
        );
    }
    assert!(variant_folder(root, &"x".repeat(256), "source").is_err());
    assert_eq!(
        variant_folder(root, "front door..", "Übersicht").unwrap(),
        Path::new("archive/front door../Übersicht")
    );
}

prop_compose! {
    fn any_name()(
        start_us in -4_000_000_000_000_000_i64..9_000_000_000_000_000,
        duration_ns in 0..=i64::MAX,
        kind in prop::sample::select(vec![Kind::Full, Kind::Suspect, Kind::Partial, Kind::Temp]),
        id in any::<[u8; 32]>(),
        uuid in any::<u128>(),
        container in prop::sample::select(vec![Container::Mp4, Container::Ts]),
    ) -> SegmentName {
        SegmentName {
            start: UtcNs(start_us * 1000),
            duration_ns,
            kind,
            id: if kind == Kind::Temp { Id::Temp(Uuid::from_u128(uuid)) } else { Id::Hash(id) },
            container,
        }
    }
}

proptest! {
    #[test]
    fn every_name_that_is_written_is_read_back_as_it_was(name in any_name()) {
        let hour = parse_hour_folder(&name.hour_folder()).unwrap();
        prop_assert_eq!(hour, name.start.hour());
        prop_assert_eq!(SegmentName::parse(hour, &name.to_string()), Ok(name));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC*", start in any::<i64>()) {
        let _ = SegmentName::parse(UtcNs(start).hour(), &text);
        let _ = parse_hour_folder(&text);
        let _ = check_folder_name("stream", &text);
        let _ = hour_folder(UtcNs(start));
    }

    #[test]
    fn another_spelling_of_a_name_is_read_as_that_name_and_known_for_another(
        clock in "0[0-9]:[0-5][0-9]",
        fraction in "(|\\.|\\.[0-9]{1,6})",
        duration in "(0{0,2}[0-9]{1,3}|0{0,1}[0-9]{0,2}\\.[0-9]{1,5}0{0,7}|[0-9]\\.)",
        id in prop::sample::select(vec![
            "temp-3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "temp-3F2504E0-4f89-41d3-9a0c-0305e82c3301",
            "temp-3f2504e04f8941d39a0c0305e82c3301",
            "temp-{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
            "full-3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ]),
    ) {
        let text = format!("{clock}{fraction}-{duration}-{id}.ts");
        let name = SegmentName::parse(HOUR, &text).unwrap();
        prop_assert_eq!(SegmentName::parse(HOUR, &name.to_string()), Ok(name));
        prop_assert_eq!(name.is_written_as(&text), name.to_string() == text, "{}", text);
    }

    #[test]
    fn nothing_that_nearly_is_a_name_makes_the_parser_panic(
        text in "[0-9:.]{0,12}-[0-9.]{0,30}-(full|temp|suspect|x)-[-_0-9A-Za-z]{0,44}\\.(ts|mp4)"
    ) {
        if let Ok(name) = SegmentName::parse(HOUR, &text) {
            prop_assert_eq!(SegmentName::parse(HOUR, &name.to_string()), Ok(name));
            prop_assert_eq!(name.is_written_as(&text), name.to_string() == text, "{}", text);
        }
    }
}
