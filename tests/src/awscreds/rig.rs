// SPDX-License-Identifier: MPL-2.0
//! A role to assume: moto, what is in front of it, a profile with keys, a folder for the file.

use std::fs;
use std::path::PathBuf;

use crate::moto::Moto;

use super::front::Front;

/// The role.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/uploader";
/// The secret of the profile's keys, which is to be seen nowhere.
pub const BASE_SECRET: &str = "BaseSecretBaseSecretBaseSecretBaseSecret";

/// All of it; gone with the test.
pub struct Rig {
    /// AWS.
    pub moto: Moto,
    /// Its bad days.
    pub front: Front,
    /// Where the file is, and what else a test wants to write.
    pub folder: tempfile::TempDir,
}

impl Rig {
    /// Starts it.
    ///
    /// # Panics
    /// As [`Moto::start`].
    pub fn start() -> Self {
        let moto = Moto::start();
        let front = Front::of(moto.port());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = "[default]\nregion = us-east-1\n[profile base]\nregion = us-east-1\n";
        fs::write(folder.path().join("config"), config).expect("a folder to write to");
        let keys = format!(
            "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {BASE_SECRET}\n"
        );
        fs::write(folder.path().join("keys"), keys).expect("a folder to write to");
        Self {
            moto,
            front,
            folder,
        }
    }

    /// The file for kvssink; it is not there yet.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    /// `awscreds` that assumes the role, and `kvssink` with the file.
    pub fn elements(&self) -> String {
        let file = self.file();
        let file = file.display();
        format!(
            "{} ! kvssink name=kvs stream-name=s credential-path={file}",
            self.element()
        )
    }

    /// `awscreds` alone, patient: machines that run tests are slow.
    pub fn element(&self) -> String {
        let file = self.file();
        format!(
            "awscreds name=creds profile=base role-arn={ROLE} duration=900 start-timeout=60 credential-path={}",
            file.display()
        )
    }

    /// What a process needs to see this AWS and no other.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name| self.folder.path().join(name).display().to_string();
        vec![
            ("AWS_ENDPOINT_URL", self.front.url()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_CONFIG_FILE", path("config")),
            ("AWS_SHARED_CREDENTIALS_FILE", path("keys")),
        ]
    }

    /// For elements in the test's own process.
    pub fn set_environment(&self) {
        for (name, value) in self.environment() {
            // SAFETY: nextest runs each test in a process of its own, and this is its beginning.
            unsafe { std::env::set_var(name, value) };
        }
    }
}

/// Half a second of live video after the other.
pub const SOURCE: &str = "videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=25/1 ! x264enc tune=zerolatency key-int-max=25 ! h264parse";
