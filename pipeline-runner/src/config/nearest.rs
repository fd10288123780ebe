// SPDX-License-Identifier: MPL-2.0
//! Which valid name a mistyped one was meant to be.

/// Names farther away than this (1 is equal) are no help.
const ALIKE: f64 = 0.7;
/// More suggestions than this are no help.
const AT_MOST: usize = 3;

/// The names nearest to `wrong`, best first, if any is near.
pub(super) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wrong = wrong.to_ascii_lowercase().replace('_', "-");
    let mut near: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| {
            (
                likeness(&wrong, &name.to_ascii_lowercase().replace('_', "-")),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
    (near.into_iter())
        .take_while(|(likeness, _)| best - likeness < 0.06)
        .take(AT_MOST)
        .map(|(_, name)| name)
        .collect()
}

/// Likeness from 0 to 1: by the letters to change, swapped neighbours counting once; a name cut
/// short is like the whole.
fn likeness(a: &str, b: &str) -> f64 {
    let cut_short = a.len() >= 3 && (b.starts_with(a) || (b.len() >= 3 && a.starts_with(b)));
    let edits = strsim::normalized_damerau_levenshtein(a, b);
    edits.max(if cut_short { ALIKE } else { 0.0 })
}

/// `did you mean `x`?`, if any name is near; then the valid names, if there are few.
pub(super) fn suggestion<'a>(
    wrong: &str,
    what: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    let near = nearest(wrong, names.clone());
    let all: Vec<&str> = names.into_iter().collect();
    let did_you_mean = (!near.is_empty()).then(|| format!("did you mean {}?", any_of(&near)));
    let valid = (!all.is_empty() && all.len() <= 16).then(|| format!("{what}: {}", listed(&all)));
    match (did_you_mean, valid) {
        (Some(did_you_mean), Some(valid)) => Some(format!("{did_you_mean} {valid}")),
        (did_you_mean, valid) => did_you_mean.or(valid),
    }
}

/// `` `a`, `b` or `c` ``.
fn any_of(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => format!("`{last}`"),
        Some((last, rest)) => format!("{} or `{last}`", listed(rest)),
        None => String::new(),
    }
}

/// `` `a`, `b`, `c` ``.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_name_that_was_meant() {
        let keys = ["launch", "source", "outputs", "restart", "live"];
        assert_eq!(nearest("outputz", keys), ["outputs"]);
        assert_eq!(nearest("souce", keys), ["source"]);
        assert_eq!(nearest("out", keys), ["outputs"]);
        assert_eq!(nearest("in", keys), Vec::<&str>::new());
        assert_eq!(nearest("rtps", ["rtsp", "file", "test", "uri"]), ["rtsp"]);
        assert_eq!(
            nearest("x246enc", ["x264enc", "x265enc", "vp8enc"]),
            ["x264enc"]
        );
    }

    #[test]
    fn what_is_like_nothing_gets_the_list_only() {
        assert_eq!(
            suggestion("banana", "known", ["rtsp", "file"]).as_deref(),
            Some("known: `rtsp`, `file`")
        );
    }
}
