// SPDX-License-Identifier: MPL-2.0
//! The sessions of a definition's `credentials:`, and how other processes get at them.
//!
//! One process renews, all others ask it: the workers of `run`, and whatever uses an AWS SDK on
//! this machine. [`Service`] holds the sessions and serves them ([`endpoint`]); clients find it
//! by the folder that it keeps ([`folder`], [`client`]).

mod answer;
mod caller;
pub mod client;
mod endpoint;
pub mod folder;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use gstawscreds::session::{self, LeaseSecret, Session, SettingsError, Subscription, View};

use self::endpoint::{Door, Server};
use self::folder::{Claim, ClaimError, Endpoint, Kind, Offered};
use crate::config::{self, Definitions};

/// Where to serve, and where to leave word of it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The address; the port 0 is any.
    pub listen: Option<SocketAddr>,
    /// The folder for what clients need; else the system's.
    pub runtime_dir: Option<PathBuf>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The folder.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A session's settings.
    #[error("the session `{name}`: {why}")]
    Settings {
        /// Its name.
        name: String,
        /// What is wrong.
        why: SettingsError,
    },
    /// Others could reach it.
    #[error(
        "{0} is no loopback address; credentials are served on this machine only, \
         at 127.0.0.1:PORT or [::1]:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The network or the file system.
    #[error("the credentials endpoint cannot start: {0}")]
    Io(#[from] io::Error),
}

/// Sessions that are served; dropping it ends them and takes away what it left on disk.
pub struct Service {
    // Dropped in this order: nobody is told of a server that is gone.
    claim: Claim,
    server: Server,
    sessions: BTreeMap<String, Served>,
}

struct Served {
    session: Session,
    token_file: PathBuf,
    gives_tokens: bool,
    region: Option<String>,
    _redacting: Subscription,
}

impl Service {
    /// Opens and serves the sessions of a definition; nothing if it has none.
    ///
    /// # Errors
    /// When they are served already (`credentials serve`), or the system refuses.
    pub fn start(
        definitions: &Definitions,
        place: &Place,
        kind: Kind,
    ) -> Result<Option<Self>, ServiceError> {
        if definitions.credentials.is_empty() {
            return Ok(None);
        }
        let listen = place.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        if !listen.ip().is_loopback() {
            return Err(ServiceError::NotLoopback(listen));
        }
        if let Err(why) = session::keep_out_of_core_dumps() {
            tracing::warn!("credentials: a core dump of this process would hold them: {why}");
        }
        let claim = claim(&definitions.path, place.runtime_dir.as_deref(), kind)?;
        let mut sessions = BTreeMap::new();
        let mut doors = BTreeMap::new();
        for (name, credentials) in &definitions.credentials {
            let (served, door) = open(name, credentials, &claim)?;
            sessions.insert(name.clone(), served);
            doors.insert(name.clone(), door);
        }
        let server = Server::start(doors, &addresses(listen, claim.left.as_ref()))?;
        let service = Self {
            claim,
            server,
            sessions,
        };
        service.announce(&definitions.path)?;
        Ok(Some(service))
    }

    /// Tells clients, and people, where it is.
    fn announce(&self, definition: &Path) -> io::Result<()> {
        let endpoint = self.endpoint(definition);
        self.claim.announce(&endpoint)?;
        if let Some(left) = &self.claim.left {
            let (pid, before, now) = (left.pid, left.address, endpoint.address);
            tracing::warn!("credentials: process {pid} is dead, its endpoint is taken over");
            if before != now {
                tracing::warn!("credentials: clients look for {before}, but {now} was free");
            }
        }
        Ok(())
    }

    fn endpoint(&self, definition: &Path) -> Endpoint {
        let offered = self.sessions.iter().map(|(name, served)| Offered {
            name: name.clone(),
            gives_tokens: served.gives_tokens,
        });
        Endpoint {
            pid: std::process::id(),
            address: self.server.address(),
            definition: definition.display().to_string(),
            sessions: offered.collect(),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The sessions' names, each with whether it gives access tokens.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        let sessions = self.sessions.iter();
        sessions.map(|(name, served)| (name.as_str(), served.gives_tokens))
    }

    /// What an SDK needs in its environment to use this session.
    pub fn environment(&self, session: &str) -> Vec<(&'static str, String)> {
        let Some(served) = self.sessions.get(session) else {
            return Vec::new();
        };
        environment(
            self.server.address(),
            session,
            &served.token_file,
            served.region.as_deref(),
        )
    }

    /// The file with the token for this session's credentials.
    pub fn token_file(&self, session: &str) -> Option<&Path> {
        let served = self.sessions.get(session)?;
        Some(&served.token_file)
    }

    /// A session.
    pub fn session(&self, name: &str) -> Option<&Session> {
        self.sessions.get(name).map(|served| &served.session)
    }

    /// A folder for what a pipeline's outputs need.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn pipeline_folder(&self, index: usize) -> io::Result<PathBuf> {
        self.claim.pipeline_folder(index)
    }
}

/// What an SDK needs in its environment.
pub fn environment(
    address: SocketAddr,
    session: &str,
    token_file: &Path,
    region: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{address}/v1/sessions/{session}"),
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            token_file.to_string_lossy().into_owned(),
        ),
    ];
    if let Some(region) = region {
        variables.push(("AWS_REGION", region.to_owned()));
        // kvssink, and SDKs of old.
        variables.push(("AWS_DEFAULT_REGION", region.to_owned()));
    }
    variables
}

/// The definition's own folder; one apart where a `run` has to share it with another.
fn claim(definition: &Path, runtime_dir: Option<&Path>, kind: Kind) -> Result<Claim, ClaimError> {
    let base = folder::base(runtime_dir)?;
    folder::sweep(&base);
    match Claim::new(&base, definition, kind) {
        Err(ClaimError::Taken(by)) if kind == Kind::Run => {
            let by = by.map_or_else(String::new, |by| format!(" (process {})", by.pid));
            tracing::warn!("this definition runs already{by}: its credentials are renewed twice");
            Claim::apart(&base)
        }
        claimed => claimed,
    }
}

/// Where to listen: any port means first of all the one that clients of a dead server look at.
fn addresses(listen: SocketAddr, left: Option<&Endpoint>) -> Vec<SocketAddr> {
    let before = left
        .map(|left| left.address)
        .filter(|before| listen.port() == 0 && before.ip() == listen.ip());
    before.into_iter().chain([listen]).collect()
}

fn open(
    name: &str,
    credentials: &config::Credentials,
    claim: &Claim,
) -> Result<(Served, Door), ServiceError> {
    let session = Session::open(credentials.settings.clone()).map_err(|why| {
        let name = name.to_owned();
        ServiceError::Settings { name, why }
    })?;
    let redacting = session.on_change(learn);
    learn(&session.view());
    let (token_file, token) = claim.token(name)?;
    config::learn_secret(token.expose());
    let settings = &credentials.settings;
    let door = Door {
        session: session.clone(),
        gives_tokens: credentials.gives_tokens(),
        role_arn: settings.roles.last().map(|role| role.arn.clone()),
        token,
    };
    let served = Served {
        session,
        token_file,
        gives_tokens: credentials.gives_tokens(),
        region: settings.region.clone(),
        _redacting: redacting,
    };
    Ok((served, door))
}

/// Keeps a session's secrets out of the log, whoever prints them: kvssink, for one, does.
fn learn(view: &View) {
    let Some(lease) = &view.lease else {
        return;
    };
    match &lease.secret {
        LeaseSecret::Aws(keys) => {
            config::learn_secret(keys.secret_access_key.expose());
            if let Some(token) = &keys.session_token {
                config::learn_secret(token.expose());
            }
        }
        LeaseSecret::Token(token) => config::learn_secret(token.0.expose()),
    }
}
