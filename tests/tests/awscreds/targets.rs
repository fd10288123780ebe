// SPDX-License-Identifier: MPL-2.0
//! Which kvssink it is, and that it never starts before there are credentials.

use gst::prelude::*;
use tests::awscreds::launch::{Launch, Pipeline, init};
use tests::awscreds::rig::{Rig, SOURCE};

fn plays(pipeline: &Pipeline) {
    let started = pipeline.pipeline.set_state(gst::State::Playing);
    assert!(started.is_ok(), "{}", pipeline.error());
    while pipeline.standing().0 == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn it_is_found_behind_a_queue_and_a_tee() {
    let rig = Rig::start();
    rig.set_environment();
    let elements = rig.elements().replace(
        "! kvssink",
        "! queue ! tee name=t t. ! queue ! fakesink t. ! queue ! kvssink",
    );
    plays(&Pipeline::parse(&format!("{SOURCE} ! {elements}")));
}

#[test]
fn it_is_found_inside_of_a_bin_and_outside_of_one() {
    let rig = Rig::start();
    rig.set_environment();
    let (creds, sink) = (
        rig.element(),
        format!(
            "queue ! kvssink name=kvs credential-path={}",
            rig.file().display()
        ),
    );
    init();
    for (first, second) in [(format!("queue ! {creds}"), sink.clone()), (creds, sink)] {
        let pipeline = Pipeline::parse(&format!("{SOURCE} ! identity name=last"));
        let bins = [first, second].map(|text| {
            gst::parse::bin_from_description(&text, true)
                .expect("a bin")
                .upcast::<gst::Element>()
        });
        pipeline.pipeline.add_many(&bins).expect("they are new");
        let [before, after] = &bins;
        pipeline.element("last").link(before).expect("pads");
        before.link(after).expect("pads");
        plays(&pipeline);
    }
}

/// Linked first, told of everything later, the sink added last: as programs do.
#[test]
fn the_order_in_which_a_program_builds_it_does_not_matter() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! identity name=last"));
    let make = |factory: &str| {
        gst::ElementFactory::make(factory)
            .build()
            .expect("it is registered")
    };
    let (creds, queue, sink) = (make("awscreds"), make("queue"), make("kvssink"));
    sink.set_property("name", "kvs");
    pipeline
        .pipeline
        .add_many([&creds, &queue, &sink])
        .expect("they are new");
    creds.link(&queue).expect("pads");
    pipeline.element("last").link(&creds).expect("pads");
    queue.link(&sink).expect("pads");
    creds.set_property("profile", "base");
    creds.set_property("role-arn", tests::awscreds::rig::ROLE);
    plays(&pipeline);
    let path: String = sink.property("credential-path");
    assert!(
        path.ends_with("/credentials") && path.contains("awscreds-"),
        "{path}"
    );
}

#[test]
fn a_sink_that_is_named_need_not_be_downstream() {
    let rig = Rig::start();
    rig.set_environment();
    let line = format!(
        "audiotestsrc is-live=true ! {} target=kvs ! fakesink {SOURCE} ! kvssink name=kvs",
        rig.element()
    );
    let pipeline = Pipeline::parse(&line);
    plays(&pipeline);
    let path: String = pipeline.element("kvs").property("credential-path");
    assert_eq!(path, rig.file().display().to_string());
}

#[test]
fn the_sinks_own_path_is_taken_where_the_element_has_none() {
    let rig = Rig::start();
    rig.set_environment();
    let file = format!("credential-path={}", rig.file().display());
    let line = format!(
        "{SOURCE} ! {} ! kvssink name=kvs {file}",
        rig.element().replace(&file, "")
    );
    plays(&Pipeline::parse(&line));
    assert!(rig.file().exists());
}

#[test]
fn two_paths_that_do_not_meet_are_an_error() {
    let rig = Rig::start();
    rig.set_environment();
    let line = format!(
        "{SOURCE} ! {} ! kvssink name=kvs credential-path=/elsewhere",
        rig.element()
    );
    let pipeline = Pipeline::parse(&line);
    assert!(pipeline.pipeline.set_state(gst::State::Playing).is_err());
    let error = pipeline.error();
    assert!(
        error.contains("/elsewhere") && error.contains(&*rig.file().to_string_lossy()),
        "{error}"
    );
}

#[test]
fn a_sink_starts_again_with_the_pipeline() {
    let rig = Rig::start();
    rig.set_environment();
    let pipeline = Pipeline::parse(&format!("{SOURCE} ! {}", rig.elements()));
    for _ in 0..3 {
        plays(&pipeline);
        pipeline
            .pipeline
            .set_state(gst::State::Null)
            .expect("it stops");
        std::fs::remove_file(rig.file()).expect("it stays where the user wanted it");
    }
}

#[test]
fn a_sink_is_let_go_when_it_is_unlinked_or_the_element_goes() {
    init();
    let make = |factory: &str| {
        gst::ElementFactory::make(factory)
            .build()
            .expect("it is registered")
    };
    let pipeline = gst::Pipeline::new();
    let (creds, first, second) = (make("awscreds"), make("kvssink"), make("kvssink"));
    pipeline
        .add_many([&creds, &first, &second])
        .expect("they are new");
    creds.link(&first).expect("pads");
    assert!(first.is_locked_state());
    creds.unlink(&first);
    assert!(!first.is_locked_state());
    creds.link(&second).expect("pads");
    assert!(second.is_locked_state());
    pipeline.remove(&creds).expect("it is there");
    drop(creds);
    assert!(!second.is_locked_state());
}

#[test]
fn without_kvssink_the_error_says_where_it_comes_from() {
    let rig = Rig::start();
    let line = format!(
        "audiotestsrc is-live=true ! {} target=kvs ! fakesink",
        rig.element()
    );
    // The plugin folder without the stand-in.
    let mut launch = Launch::start(&rig, "fakesrc num-buffers=1 ! fakesink", &[]);
    launch.wait_for("EOS", 1);
    drop(launch);
    std::fs::remove_file(rig.folder.path().join("plugins/libkvssink_stand_in.so"))
        .expect("it is there");
    let (status, said) = Launch::start(&rig, &line, &[]).end(false);
    assert!(!status.success());
    assert!(
        said.contains("no plugin with kvssink") && said.contains("GST_PLUGIN_PATH"),
        "{said}"
    );
}
