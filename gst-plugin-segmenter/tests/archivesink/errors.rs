// SPDX-License-Identifier: MPL-2.0
//! What is set wrong is said before anything is recorded: one error that names the property and
//! what would be right. The state does not change, and nothing panics.

use gst::prelude::*;
use gstsegmenter::archivesink::ArchiveSink;

use crate::support::disk::{self, Disk};

/// Sets a sink up, tries to start it, and gives back what was said.
fn refusal(set_up: impl Fn(&ArchiveSink)) -> String {
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let sink = gst::ElementFactory::make("archivesink").build();
    let sink = sink.expect("registered above");
    let sink = sink.downcast::<ArchiveSink>().expect("it is one");
    set_up(&sink);
    let pipeline = gst::Pipeline::new();
    pipeline.add(&sink).expect("a new pipeline");
    let _pad = sink.request_pad_simple("video").expect("a free pad");
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_err(), "it must not start");
    let bus = pipeline.bus().expect("a pipeline has one");
    let errors: Vec<_> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Error]))
        .filter_map(|message| match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        })
        .collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    let [only] = &errors[..] else {
        panic!("one error is enough: {errors:?}");
    };
    only.clone()
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

fn set(sink: &ArchiveSink, location: &str, stream: &str) {
    sink.set_property("location", location);
    sink.set_property("stream", stream);
}

#[test]
fn without_a_location_it_says_which_property_to_set_to_what() {
    let text = refusal(|sink| sink.set_property("stream", "cam"));
    assert_says(&text, &["location", "archive"]);
}

#[test]
fn without_a_stream_it_says_which_property_to_set_to_what() {
    let text = refusal(|sink| sink.set_property("location", "archive"));
    assert_says(&text, &["stream", "front-door"]);
}

#[test]
fn a_name_that_cannot_be_a_folder_is_named_with_its_property() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().to_str().expect("UTF-8");
    for bad in ["../up", "a/b", "", ".", "..", ".hidden", "nul\u{1}"] {
        let text = refusal(|sink| set(sink, root, bad));
        assert_says(&text, &["stream"]);
        let text = refusal(|sink| {
            set(sink, root, "cam");
            sink.set_property("variant", bad);
        });
        assert_says(&text, &["variant"]);
    }
    let left = std::fs::read_dir(folder.path()).expect("it is there");
    assert_eq!(left.count(), 0, "nothing is made for a bad name");
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_the_reason() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let inside = file.path().join("archive");
    let inside = inside.to_str().expect("UTF-8");
    let text = refusal(|sink| set(sink, inside, "cam"));
    assert_says(&text, &[inside, "ot a directory"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_reason() {
    // Not even root can make a folder in /proc.
    let text = refusal(|sink| set(sink, "/proc/archive", "cam"));
    assert_says(&text, &["/proc/archive/cam"]);
}

/// A folder of the right name that takes no file: found out at once, not with the first frame.
#[test]
fn a_folder_that_is_there_but_takes_no_file_is_refused_at_the_start() {
    let name = "errors::a_folder_that_is_there_but_takes_no_file_is_refused_at_the_start";
    disk::in_own_namespace(name, || {
        let disk = Disk::mount(1 << 20);
        let variant = disk.path().join("cam/source");
        std::fs::create_dir_all(&variant).expect("a new disk");
        // Permissions do not keep root out.
        disk::mount(&["-o", "remount,ro"], disk.path());
        let root = disk.path().to_str().expect("UTF-8");
        let text = refusal(|sink| set(sink, root, "cam"));
        assert_says(&text, &[variant.to_str().expect("UTF-8")]);
    });
}

/// exFAT, NTFS, many network shares: said at the start and in plain words, not with the first frame.
#[test]
fn a_file_system_that_takes_no_colon_is_refused_at_the_start_with_what_would_do() {
    let name =
        "errors::a_file_system_that_takes_no_colon_is_refused_at_the_start_with_what_would_do";
    disk::in_own_namespace(name, || {
        let image = tempfile::NamedTempFile::new().expect("a temporary file");
        let disk = Disk::mount_without_colons(image.path());
        let root = disk.path().to_str().expect("UTF-8");
        let text = refusal(|sink| set(sink, root, "cam"));
        assert_says(&text, &[root, "takes no names with `:`", "ext4"]);
        let left = std::fs::read_dir(disk.path().join("cam/source")).expect("it was made");
        assert_eq!(left.count(), 0, "what was tried is taken away");
    });
}
