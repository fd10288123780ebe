// SPDX-License-Identifier: MPL-2.0
//! A place to cut to, and what was cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use gstsegmenter::archive::Container;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

use crate::material::{Answer, TestArchive, pipeline_runner};

/// The first second of the recording that is whole, and the last.
pub const WHOLE: [&str; 4] = [
    "--start",
    "2026-11-20T10:31:06.25Z",
    "--end",
    "2026-11-20T10:31:12.25Z",
];
/// Frames that each recording holds, 40 ms each.
pub const FRAMES: usize = 150;

/// An archive, and an empty folder to cut to.
pub struct Cutting {
    pub archive: TestArchive,
    folder: tempfile::TempDir,
}

impl Cutting {
    /// From six seconds of pictures, `cam/source`.
    pub fn new(container: Container) -> Self {
        Self::of(TestArchive::recorded(container))
    }

    pub fn of(archive: TestArchive) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { archive, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// `pipeline-runner cut --archive ROOT --stream cam ARGUMENTS`, in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut process = pipeline_runner(&["cut", "--stream", "cam", "--archive"]);
        process.arg(self.archive.root()).args(arguments);
        process.current_dir(self.folder());
        process
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().expect("it runs"))
    }

    /// Everything in the folder, hidden or not.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).expect("a folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        let mut names: Vec<_> = entries
            .map(|entry| name(entry.expect("an entry")))
            .collect();
        names.sort();
        names
    }

    /// The bytes of the hidden file, if there is one.
    fn hidden(&self) -> Option<u64> {
        let entries = fs::read_dir(self.folder()).expect("a folder");
        let mut entries = entries.map(|entry| entry.expect("an entry"));
        let hidden =
            entries.find(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))?;
        hidden.metadata().ok().map(|metadata| metadata.len())
    }

    /// Asserts that this is refused with a line that has these words in it, and that nothing is
    /// left.
    #[track_caller]
    pub fn refuses(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let before = self.names();
        let answer = self.run(arguments);
        assert_eq!(answer.with_code(code), "", "{arguments:?}");
        let line = answer.err.lines().next().unwrap_or_default();
        assert!(line.starts_with("error: "), "{arguments:?}: {answer:?}");
        for word in words {
            assert!(line.contains(word), "{arguments:?}: {word}: {line}");
        }
        assert_eq!(self.names(), before, "{arguments:?}");
    }
}

/// Runs a command on a terminal; what it says on either output, it says on the standard one.
pub fn on_a_terminal(command: &Command) -> Answer {
    let mut words = vec![env!("CARGO_BIN_EXE_pipeline-runner").to_owned()];
    let arguments = command.get_args().map(|word| word.to_str().expect("UTF-8"));
    words.extend(arguments.map(|word| format!("'{word}'")));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" ")]);
    script.arg("/dev/null").stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        script.current_dir(folder);
    }
    Answer::of(script.output().expect("script is installed (util-linux)"))
}

/// A command that was stopped in the middle of its work.
pub struct Caught {
    child: Child,
}

impl Caught {
    /// Stops it when there is a hidden file that has so many bytes. One that is done
    /// before it can be stopped is tried again.
    pub fn in_the_middle(cutting: &Cutting, arguments: &[&str], bytes: u64) -> Self {
        Self::command_in_the_middle(cutting, &mut cutting.command(arguments), bytes)
    }

    /// Likewise for any command.
    pub fn command_in_the_middle(cutting: &Cutting, command: &mut Command, bytes: u64) -> Self {
        command.current_dir(cutting.folder());
        for _ in 0..100 {
            let before = cutting.names();
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut caught = Self {
                child: command.spawn().expect("it runs"),
            };
            while caught.is_running() {
                if cutting.hidden().is_some_and(|held| held >= bytes) {
                    caught.signal(Signal::STOP);
                    break;
                }
            }
            if caught.is_stopped() && cutting.hidden().is_some() {
                return caught;
            }
            caught.go_on();
            for name in cutting.names() {
                if !before.contains(&name) {
                    fs::remove_file(cutting.path(&name)).expect("it is removed");
                }
            }
        }
        panic!("it was never caught in the middle");
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_none()
    }

    /// Waits until it is stopped, or has ended.
    fn is_stopped(&mut self) -> bool {
        if !self.is_running() {
            return false;
        }
        let wanted = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid()), wanted);
        status.is_ok_and(|status| status.is_some_and(|status| status.stopped()))
    }

    pub fn signal(&self, signal: Signal) {
        // It may have ended.
        let _ = kill_process(self.pid(), signal);
    }

    /// Lets it go on to its end.
    pub fn go_on(self) -> Answer {
        self.signal(Signal::CONT);
        Answer::of(self.wait())
    }

    /// Sends it this signal, which is what it finds when it goes on.
    pub fn end_by(self, signal: Signal) -> Output {
        self.signal(signal);
        self.signal(Signal::CONT);
        self.wait()
    }

    fn wait(self) -> Output {
        self.child.wait_with_output().expect("it ends")
    }
}

/// The hashes of the pictures of a file as a player shows them.
pub fn pictures(path: &Path) -> Vec<String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "warning", "-xerror", "-nostdin", "-i"]);
    ffmpeg.arg(format!("file:{}", path.display()));
    ffmpeg.args(["-map", "0:v", "-fps_mode", "passthrough"]);
    let output = ffmpeg.args(["-f", "framemd5", "-"]).output();
    let output = output.expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "", "{}", path.display());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit(", ").next())
        .map(str::to_owned)
        .collect()
}

/// Those of all segments of `cam/source`, which are what cuts are made of.
pub fn source_pictures(archive: &TestArchive) -> Vec<String> {
    let segments = archive.segments();
    segments.iter().flat_map(|path| pictures(path)).collect()
}

/// A moment of the recording: its minute is 10:31.
pub fn at(second: &str) -> String {
    format!("2026-11-20T10:31:{second}Z")
}

/// The arguments for a range, from second to second.
pub fn range(start: &str, end: &str) -> [String; 2] {
    ["--range".to_owned(), format!("{},{}", at(start), at(end))]
}

/// Cuts to `a.mp4`, and returns what was said of it as JSON.
#[track_caller]
pub fn cut(cutting: &Cutting, arguments: &[&str]) -> Value {
    let to = ["--output", "a.mp4", "--force", "--json"];
    let answer = cutting.run(&[arguments, &to].concat());
    let json = answer.json_with_code(0);
    assert_eq!(answer.err, "");
    json
}
