// SPDX-License-Identifier: MPL-2.0
//! Which Debian package an element comes in, for elements that are not installed.

/// A line with a package's name and a colon, then lines with its elements.
const TABLE: &str = include_str!("packages.txt");

/// Beginnings of names by which whole families of elements are known.
const FAMILIES: [(&str, &str); 5] = [
    ("avdec_", "gstreamer1.0-libav"),
    ("avenc_", "gstreamer1.0-libav"),
    ("avdemux_", "gstreamer1.0-libav"),
    ("avmux_", "gstreamer1.0-libav"),
    ("vaapi", "gstreamer1.0-vaapi"),
];

/// The package of Debian 12 that has the element.
pub(super) fn package(element: &str) -> Option<&'static str> {
    let listed = elements().find(|(name, _)| *name == element);
    let family = || {
        FAMILIES
            .iter()
            .find(|(start, _)| element.starts_with(start))
    };
    listed
        .or_else(|| family().copied())
        .map(|(_, package)| package)
}

/// All elements that Debian has, with their package.
pub(super) fn elements() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut package = "";
    TABLE.lines().flat_map(move |line| {
        if let Some(name) = line.strip_suffix(':') {
            package = name;
        }
        let elements = if line.starts_with(' ') { line } else { "" };
        elements
            .split_whitespace()
            .map(move |element| (element, package))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_found_in_its_package() {
        assert_eq!(package("x264enc"), Some("gstreamer1.0-plugins-ugly"));
        assert_eq!(package("h264parse"), Some("gstreamer1.0-plugins-bad"));
        assert_eq!(package("rtspsrc"), Some("gstreamer1.0-plugins-good"));
        assert_eq!(package("avdec_h264"), Some("gstreamer1.0-libav"));
        assert_eq!(package("clockoverlay"), Some("gstreamer1.0-x"));
        assert_eq!(package("videotestsrc"), Some("gstreamer1.0-plugins-base"));
        assert_eq!(package("nonesuch"), None);
    }
}
