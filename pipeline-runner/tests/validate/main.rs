// SPDX-License-Identifier: MPL-2.0
//! What `validate` says about each kind of mistake: the place, the word that is wrong, and what
//! would be right.

mod credentials;
mod elements;
mod files;
mod shape;
mod variables;

use std::path::Path;
use std::process::{Command, Output};

/// `validate`, run in a folder of its own on `definition.yaml` with this content.
struct Validate {
    folder: tempfile::TempDir,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Validate {
    fn new(yaml: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("definition.yaml"), yaml).unwrap();
        Self {
            folder,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    fn without_plugins(mut self) -> Self {
        self.arguments.push("--no-plugins");
        self
    }

    fn with_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    fn run(&self) -> Output {
        command(self.folder.path())
            .arg("definition.yaml")
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .output()
            .unwrap()
    }

    /// What it says about a definition that is wrong.
    #[track_caller]
    fn complaint(&self) -> String {
        let output = self.run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        said
    }

    /// That it complains, and says each of these texts.
    #[track_caller]
    fn says(&self, texts: &[&str]) {
        says(&self.complaint(), texts);
    }

    /// What it says about a definition that is right.
    #[track_caller]
    fn accepts(&self) -> String {
        let output = self.run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline-runner"));
    command.current_dir(folder).arg("validate");
    command.env_remove("FRONT_DOOR_URL").env_remove("PASSWORD");
    command
}

/// That each of `texts` is in `said`.
#[track_caller]
fn says(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "no {text:?} in:\n{said}");
    }
}

/// A definition around one pipeline's lines, which begin at line 5, column 5.
fn pipeline(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!("archive:\n  root: ./archive\npipelines:\n  door:\n    {lines}\n")
}

/// A pipeline with a source; `lines` begin at line 6, column 5.
fn sourced(lines: &str) -> String {
    pipeline(&format!("source: {{ test: {{}} }}\n{lines}"))
}

/// A definition with one `launch:` text, which begins at line 3, column 13.
fn launch(text: &str) -> String {
    format!("pipelines:\n  door:\n    launch: {text}\n")
}
