// SPDX-License-Identifier: MPL-2.0
//! A pipeline with `awscreds` and the stand-in for kvssink, in a `gst-launch-1.0` or in the test.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::recording::built;

use super::rig::Rig;

/// No test waits longer for something that is to come.
const LONGEST: Duration = Duration::from_secs(180);

/// A `gst-launch-1.0 -m` that ends with the test. What it says is kept.
pub struct Launch {
    child: Child,
    said: PathBuf,
}

impl Launch {
    /// Starts a line, with the plugins where a user would have them: in a folder.
    ///
    /// # Panics
    /// When they have not been built: `cargo build --workspace`, `cargo build --package tests
    /// --examples`.
    pub fn start(rig: &Rig, line: &str, variables: &[(&str, &str)]) -> Self {
        let plugins = rig.folder.path().join("plugins");
        if fs::create_dir(&plugins).is_ok() {
            let stand_in = Path::new("examples/libkvssink_stand_in.so");
            for library in [Path::new("libgstawscreds.so"), stand_in] {
                let built = built().join(library);
                assert!(
                    built.exists(),
                    "{} is not there: cargo build --workspace --examples",
                    built.display()
                );
                let name = library.file_name().expect("it has a name");
                symlink(&built, plugins.join(name)).expect("a folder to write to");
            }
        }
        let said = rig.folder.path().join("said");
        let log = File::create(&said).expect("a folder to write to");
        let mut command = Command::new("gst-launch-1.0");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        let child = command
            .arg("-m")
            .args(line.split_whitespace())
            .envs(rig.environment())
            .env("GST_PLUGIN_PATH", &plugins)
            .env("GST_REGISTRY", rig.folder.path().join("registry"))
            .envs(variables.iter().copied())
            .current_dir(rig.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        Self {
            child: child.expect("gst-launch-1.0 is installed"),
            said,
        }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap_or_default()).into_owned()
    }

    /// Waits until it has said something so many times.
    ///
    /// # Panics
    /// When it ends before, or takes too long.
    pub fn wait_for(&mut self, text: &str, times: usize) {
        let until = Instant::now() + LONGEST;
        while self.said().matches(text).count() < times {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none() && Instant::now() < until,
                "{text:?} was not said {times} times; it said:\n{}",
                self.said()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ctrl-C without `-e`, or the end by itself.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn end(mut self, interrupt: bool) -> (ExitStatus, String) {
        if interrupt {
            let id = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
        }
        let until = Instant::now() + LONGEST;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return (status, self.said());
            }
            assert!(
                Instant::now() < until,
                "it does not end; it said:\n{}",
                self.said()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers both plugins in this process.
///
/// # Panics
/// When GStreamer does not start.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstawscreds::plugin_register_static().expect("it is registered once");
        crate::kvssink::register(None).expect("it is registered once");
    });
}

/// A pipeline of this process; it is stopped with the test.
pub struct Pipeline {
    /// The pipeline.
    pub pipeline: gst::Pipeline,
    bus: gst::Bus,
}

impl Pipeline {
    /// Parses a line.
    ///
    /// # Panics
    /// When it cannot be parsed.
    pub fn parse(line: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let pipeline = pipeline
            .downcast::<gst::Pipeline>()
            .expect("a line of several elements");
        let bus = pipeline.bus().expect("a pipeline has a bus");
        Self { pipeline, bus }
    }

    /// An element by its name.
    ///
    /// # Panics
    /// When there is none.
    pub fn element(&self, name: &str) -> gst::Element {
        self.pipeline
            .by_name(name)
            .unwrap_or_else(|| panic!("no element {name}"))
    }

    /// The next element message of this name.
    ///
    /// # Panics
    /// At an error, or when it takes too long.
    pub fn wait_for(&self, name: &str) -> gst::Structure {
        let until = Instant::now() + LONGEST;
        while Instant::now() < until {
            let types = [gst::MessageType::Element, gst::MessageType::Error];
            let Some(message) = self
                .bus
                .timed_pop_filtered(gst::ClockTime::from_seconds(1), &types)
            else {
                continue;
            };
            if let gst::MessageView::Error(error) = message.view() {
                panic!(
                    "waiting for {name}: {} ({:?})",
                    error.error(),
                    error.debug()
                );
            }
            if let Some(structure) = message
                .structure()
                .filter(|structure| structure.name() == name)
            {
                return structure.to_owned();
            }
        }
        panic!("no message {name}");
    }

    /// The text of the first error.
    ///
    /// # Panics
    /// When there is none.
    pub fn error(&self) -> String {
        let message = self
            .bus
            .timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Error]);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => panic!("no error"),
        }
    }

    /// How many frames the stand-in got, and whose credentials it has.
    pub fn standing(&self) -> (u64, String) {
        let stats: gst::Structure = self.element("kvs").property("stand-in-stats");
        let frames = stats.get("frames").unwrap_or_default();
        (frames, stats.get("access-key-id").unwrap_or_default())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
