// SPDX-License-Identifier: MPL-2.0
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "AKIAEXAMPLE".into(),
        secret_access_key: "wJalr/K7MDENG+bPx=".into(),
        session_token: token.map(Secret::from),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// What the producer's one `fscanf` makes of a file: up to five words, cut at their widths.
fn words_as_read(text: &str) -> Vec<String> {
    let widths = [11, 128, 128, 128, 2048];
    let words = text.split_ascii_whitespace();
    words
        .zip(widths)
        .map(|(word, width)| word.chars().take(width).collect())
        .collect()
}

#[test]
fn temporary_keys_have_five_words_and_an_expiration_of_twenty_characters() {
    let expiry = at(1_795_608_650) + Duration::from_nanos(407_255_001);
    let text = text(&credentials(Some("tok")), Some(expiry)).unwrap();
    let line = "CREDENTIALS AKIAEXAMPLE 2026-11-25T12:10:50Z wJalr/K7MDENG+bPx= tok\n";
    assert_eq!(text.expose(), line);
}

#[test]
fn keys_that_do_not_end_have_three_words() {
    let text = text(&credentials(None), None).unwrap();
    assert_eq!(
        text.expose(),
        "CREDENTIALS AKIAEXAMPLE wJalr/K7MDENG+bPx=\n"
    );
}

#[test]
fn a_token_is_as_long_as_the_sink_can_send_and_no_longer() {
    let long = |n| text(&credentials(Some(&"t".repeat(n))), Some(at(9)));
    assert!(long(2047).is_ok());
    let error = long(2048).unwrap_err().to_string();
    assert_eq!(
        error,
        "the session token has 2048 characters of 2047 at most, so kvssink cannot use it from a \
         credentials file"
    );
}

#[test]
fn an_error_names_the_field_and_not_its_content() {
    let broken = |change: fn(&mut Credentials)| {
        let mut credentials = credentials(Some("tok"));
        change(&mut credentials);
        text(&credentials, Some(at(9))).unwrap_err().to_string()
    };
    let cases = [
        (
            broken(|c| c.access_key_id.clear()),
            "access key id is empty",
        ),
        (
            broken(|c| c.access_key_id = "hunter two".into()),
            "access key id holds white space",
        ),
        (
            broken(|c| c.access_key_id = "A".repeat(129)),
            "access key id has 129",
        ),
        (
            broken(|c| c.secret_access_key = "hunter\u{b}two".into()),
            "secret access key holds white",
        ),
        (
            broken(|c| c.secret_access_key = "hunter\0two".into()),
            "secret access key holds char",
        ),
        (
            broken(|c| c.secret_access_key = "s".repeat(129).into()),
            "secret access key has 129",
        ),
        (
            broken(|c| c.session_token = Some("".into())),
            "session token is empty",
        ),
        (
            broken(|c| c.session_token = Some("hunter\u{e9}two".into())),
            "session token holds char",
        ),
    ];
    for (error, wanted) in cases {
        assert!(error.contains(wanted), "{error:?} should say {wanted:?}");
        assert!(!error.contains("hunter"), "{error:?}");
    }
    let missing = text(&credentials(Some("tok")), None)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("expiration is missing"), "{missing}");
    let late = text(&credentials(Some("tok")), Some(at(260_000_000_000)));
    assert!(late.unwrap_err().to_string().contains("from 1970 to 9999"));
}

#[test]
fn the_declared_expiration_is_a_minute_after_the_next_renewal() {
    let keys = credentials(Some("tok"));
    let declared = |end, renewal| declared_expiry(&keys, end, renewal, at(1000));
    assert_eq!(declared(Some(at(4600)), Some(at(3400))), Some(at(3460)));
    // Never after the true end.
    assert_eq!(declared(Some(at(3430)), Some(at(3400))), Some(at(3430)));
    // A retry that is due at once still leaves the sink a life that it accepts.
    let soon = declared(Some(at(4600)), Some(at(1001))).unwrap();
    assert!(soon >= at(1000) + SHORTEST_LIFE + GRACE, "{soon:?}");
    assert_eq!(declared(Some(at(1010)), Some(at(1001))), Some(at(1010)));
}

#[test]
fn what_does_not_end_declares_nothing_unless_it_has_a_token() {
    assert_eq!(declared_expiry(&credentials(None), None, None, at(0)), None);
    let unknown = declared_expiry(&credentials(Some("tok")), None, None, at(0)).unwrap();
    assert!(unknown > at(40 * 60), "the sink comes back earlier anyway");
}

#[test]
fn the_file_is_its_owners_alone_and_replaces_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    symlink(&elsewhere, &path).unwrap();
    for content in ["first\n", "second\n"] {
        write(&path, &Secret::from(content)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing is left behind"
    );
}

#[test]
fn what_a_killed_writer_left_is_removed_and_a_live_writers_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join(".credential.abc.awscreds");
    let young = folder.path().join(".credential.def.awscreds");
    let other = folder.path().join(".other.abc.awscreds");
    for path in [&old, &young, &other] {
        fs::write(path, "secret").unwrap();
    }
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for path in [&old, &other] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(hour_ago).unwrap();
    }
    write(&folder.path().join("credential"), &Secret::from("x")).unwrap();
    assert!(!old.exists() && young.exists() && other.exists());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/credential");
    let error = write(&path, &Secret::from("x")).unwrap_err().to_string();
    let create = format!(
        "create the folder {}",
        folder.path().join("missing").display()
    );
    assert!(error.ends_with(&create), "{error}");
}

#[test]
fn a_folder_or_a_device_in_its_place_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for place in [folder.path(), Path::new("/dev/null"), Path::new("/")] {
        let error = write(place, &Secret::from("x")).unwrap_err();
        assert!(matches!(error, Error::NoFile { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_read_back_by_the_sink_as_it_was(
        id in "[ -~]{0,140}",
        secret in "[!-~]{0,140}",
        token in proptest::option::of("[!-~]{0,2060}"),
        seconds in 0_u64..300_000_000_000,
    ) {
        let given = Credentials {
            access_key_id: id.clone(),
            secret_access_key: secret.as_str().into(),
            session_token: token.as_deref().map(Secret::from),
        };
        if let Ok(text) = text(&given, Some(at(seconds))) {
            let words = words_as_read(text.expose());
            let mut wanted = vec!["CREDENTIALS".to_string(), id];
            if let Some(token) = token {
                prop_assert_eq!(words[2].len(), 20);
                wanted.extend([words[2].clone(), secret, token]);
            } else {
                wanted.push(secret);
            }
            prop_assert_eq!(words, wanted);
            prop_assert!(text.expose().len() <= LONGEST_FILE_BYTES);
        }
    }
}
