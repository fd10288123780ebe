// SPDX-License-Identifier: MPL-2.0
//! Mistakes in elements, properties and values.

use super::{Validate, launch};

#[test]
fn an_unknown_element_is_named_with_the_nearest() {
    let why = "there is no element `fakesnik`";
    let near = "did you mean `fakesink`";
    Validate::new(launch("videotestsrc ! fakesnik")).says(&["definition.yaml:3:28", why, near]);
}

#[test]
fn an_element_that_is_not_installed_is_named_with_its_package() {
    let why = "`nicesink` is not installed";
    let help = "apt install gstreamer1.0-nice";
    Validate::new(launch("videotestsrc ! nicesink")).says(&["definition.yaml:3:28", why, help]);
}

#[test]
fn an_unknown_property_is_named_with_the_nearest() {
    let said = Validate::new(launch("videotestsrc patern=ball ! fakesink"));
    let why = "`videotestsrc` has no property `patern`";
    said.says(&["definition.yaml:3:26", why, "did you mean `pattern`"]);
}

#[test]
fn a_word_of_a_text_over_several_lines_is_shown_on_its_own_line() {
    let text = ">\n      videotestsrc ! queue !\n      queue max-size-bufers=3 !\n      fakesink";
    let near = "did you mean `max-size-buffers`";
    Validate::new(launch(text)).says(&["definition.yaml:5:13", "`max-size-bufers`", near]);
    let text = "|\n      videotestsrc ! queue\n      ! queue leeky=1 ! fakesink";
    Validate::new(launch(text)).says(&["definition.yaml:5:15", "`leeky`", "`leaky`"]);
    let text = "\"videotestsrc ! \\\n      queue leeky=1 ! fakesink\"";
    Validate::new(launch(text)).says(&["definition.yaml:4:13", "`leeky`", "`leaky`"]);
}

#[test]
fn a_bad_value_of_a_property_is_named_with_what_it_takes() {
    for (text, at, words) in [
        (
            "videotestsrc pattern=bal ! fakesink",
            "3:34",
            ["`bal`", "did you mean `ball`?", "`smpte`"],
        ),
        (
            "fakesrc num-buffers=many ! fakesink",
            "3:33",
            ["`many`", "a whole number", "from -1 to 2147483647"],
        ),
        (
            "fakesrc num-buffers=-5 ! fakesink",
            "3:33",
            ["`-5`", "a whole number", "from -1 to 2147483647"],
        ),
        (
            "fakesrc is-live=yeah ! fakesink",
            "3:29",
            ["`yeah`", "`is-live`", "`true` or `false`"],
        ),
        (
            "fakesrc ! capsfilter caps=video/x-raw,width=[ ! fakesink",
            "3:39",
            ["`caps`", "`video/x-raw,width=[`", "caps, such as"],
        ),
    ] {
        let said = Validate::new(launch(text)).complaint();
        super::says(&said, &[&format!("definition.yaml:{at}")]);
        super::says(&said, &words);
    }
}

#[test]
fn what_can_only_be_read_is_said() {
    let text = launch("fakesrc ! queue current-level-bytes=3 ! fakesink");
    Validate::new(text).says(&[
        "definition.yaml:3:29",
        "`current-level-bytes`",
        "cannot be set",
    ]);
}

#[test]
fn elements_that_cannot_be_linked_and_bad_syntax_are_said() {
    let text = launch("videotestsrc ! audioconvert ! fakesink");
    let why = "could not link videotestsrc0 to audioconvert0";
    Validate::new(text).says(&["definition.yaml:3:13", why]);
    Validate::new(launch("fakesrc ! ! fakesink")).says(&["definition.yaml:3:13"]);
    let text = launch("fakesrc ! nowhere. ");
    Validate::new(text).says(&["definition.yaml:3:13", "nowhere"]);
}

#[test]
fn every_mistake_of_a_launch_text_is_reported_at_once() {
    let text = launch("videotestsrc a=1 ! quue b=1 ! fakesink sink=3 sync=mabe");
    Validate::new(text).says(&["4 problems", "`a`", "`quue`", "`sink`", "`mabe`"]);
}

#[test]
fn what_gstreamer_takes_is_taken() {
    for text in [
        "videotestsrc ! video/x-raw(memory:SystemMemory), width=(int)320 ! fakesink",
        "videotestsrc ! tee name=t ! queue ! fakesink t. ! queue ! fakesink",
        "videotestsrc pattern=18 ! video/x-raw,format=I420 ! identity drop-probability=0.5 ! fakesink",
        "filesrc location=\"a b.mp4\" ! qtdemux name=d d.video_0 ! queue ! fakesink",
        "videotestsrc ! compositor name=c sink_0::xpos=3 ! fakesink videotestsrc ! c.",
        "( videotestsrc ! queue ) ! fakesink",
        "fakesrc sizetype=random ! queue max-size-time=18446744073709551615 ! fakesink",
    ] {
        Validate::new(launch(&format!(">-\n      {text}"))).accepts();
    }
}

#[test]
fn a_scheme_that_nothing_reads_is_said() {
    let yaml = "archive: { root: a }\npipelines:\n  a:\n    source: { uri: { uri: 'nonsense://x' } }\n    outputs: [ archive: {} ]\n";
    Validate::new(yaml).says(&[
        "definition.yaml:4:13",
        "no installed element reads `nonsense:`",
    ]);
}
