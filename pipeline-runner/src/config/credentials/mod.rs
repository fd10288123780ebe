// SPDX-License-Identifier: MPL-2.0
//! `credentials:`: named sessions, checked.
//!
//! Secrets come from variables or files; one that is written into the definition is refused, since
//! definitions are copied, mailed and committed.

mod yaml;

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gstawscreds::session::{
    self, ClientSecret, IotSettings, OAuth2Settings, Role, Secret, Settings,
    Source as SessionSource,
};
use serde_saphyr::{Location, Spanned};

use self::yaml::Session;
use super::problem::{Problem, Source};
use super::units::Time;

/// The longest name of a session: it becomes a part of URLs and file names.
const MAX_NAME_BYTES: usize = 64;
/// A file with a secret is no larger than this.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A named session of a definition.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// What it is a session of.
    pub settings: Settings,
}

impl Credentials {
    /// Credentials as every AWS SDK finds them: for outputs that name no session.
    pub fn by_default() -> Self {
        Self {
            settings: Settings::new(SessionSource::Chain),
        }
    }

    /// It gives access tokens, not keys for AWS.
    pub fn gives_tokens(&self) -> bool {
        self.settings.source.gives_tokens()
    }
}

pub(super) use self::yaml::Session as Section;

/// The session of this name, from its section of the file, which was read already.
pub(super) fn check(
    source: &Source,
    key: &Spanned<String>,
    section: Spanned<Section>,
) -> Result<Credentials, Vec<Problem>> {
    let mut checker = Checker {
        source,
        at: section.referenced,
        places: HashMap::new(),
        problems: Vec::new(),
    };
    checker.name(key);
    match checker.session(section.value) {
        Some(settings) if checker.problems.is_empty() => Ok(Credentials { settings }),
        _ => Err(checker.problems),
    }
}

/// What all kinds of AWS sessions take.
struct Common {
    roles: Option<Vec<yaml::Role>>,
    region: Option<Spanned<String>>,
    endpoint_url: Option<Spanned<String>>,
    refresh_before_expiry: Option<Spanned<Time>>,
}

/// Takes what every kind has out of a kind's settings.
macro_rules! common {
    ($kind:expr) => {
        Common {
            roles: $kind.roles,
            region: $kind.region,
            endpoint_url: $kind.endpoint_url,
            refresh_before_expiry: $kind.refresh_before_expiry,
        }
    };
}

struct Checker<'a> {
    source: &'a Source,
    /// Where the whole session stands.
    at: Location,
    /// Where the settings stand that `session::check` may complain about.
    places: HashMap<&'static str, Location>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn name(&mut self, key: &Spanned<String>) {
        let name = &key.value;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(allowed) {
            let message = format!("`{}` is no name for a session", name.escape_debug());
            let help = "up to 64 letters, digits, `-` and `_`: the name becomes a part of URLs";
            self.wrong(key.referenced, message, help);
        }
    }

    fn session(&mut self, session: Session) -> Option<Settings> {
        let (source, common) = match session {
            Session::Aws(aws) => return self.aws(aws.unwrap_or_default()),
            Session::WebIdentity(web) => {
                self.file(&web.token_file);
                let role = self.role(yaml::Role {
                    role_arn: web.role_arn,
                    role_session_name: web.role_session_name,
                    external_id: None,
                    duration: web.duration,
                });
                let token_file = web.token_file.value;
                (
                    SessionSource::WebIdentity { token_file, role },
                    common!(web),
                )
            }
            Session::Process(process) => {
                let command = self.text("credential_process", process.command);
                (SessionSource::Process { command }, common!(process))
            }
            Session::Imds(host) => {
                let host = host.unwrap_or_default();
                (SessionSource::Imds, common!(host))
            }
            Session::Container(host) => {
                let host = host.unwrap_or_default();
                (SessionSource::Container, common!(host))
            }
            Session::Iot(iot) => {
                let files = [Some(&iot.certificate), Some(&iot.key), iot.ca.as_ref()];
                files.into_iter().flatten().for_each(|file| self.file(file));
                let settings = IotSettings {
                    endpoint: self.text("endpoint", iot.endpoint),
                    role_alias: self.text("role_alias", iot.role_alias),
                    certificate: iot.certificate.value,
                    key: iot.key.value,
                    ca: iot.ca.map(|file| file.value),
                    thing_name: iot.thing_name.map(|name| self.text("thing_name", name)),
                };
                (SessionSource::Iot(settings), common!(iot))
            }
            Session::Static(keys) => {
                let source = self.static_keys(&keys)?;
                (source, common!(keys))
            }
            Session::Oauth2(oauth2) => return self.oauth2(oauth2),
            Session::Token(token) => return self.token(token),
        };
        self.with(Settings::new(source), common)
    }

    fn aws(&mut self, aws: yaml::Aws) -> Option<Settings> {
        let source = match aws.profile {
            Some(name) => SessionSource::Profile {
                name: self.text("profile", name),
            },
            None => SessionSource::Chain,
        };
        let common = common!(aws);
        let mut settings = Settings::new(source);
        match aws.role_arn {
            Some(role_arn) => {
                let role = self.role(yaml::Role {
                    role_arn,
                    role_session_name: aws.role_session_name,
                    external_id: aws.external_id,
                    duration: aws.duration,
                });
                settings.roles.push(role);
                self.check(&settings);
            }
            None => {
                let name = aws.role_session_name.map(|name| name.referenced);
                let id = aws.external_id.map(|id| id.referenced);
                let time = aws.duration.map(|time| time.referenced);
                for (name, at) in [
                    ("role_session_name", name),
                    ("external_id", id),
                    ("duration", time),
                ] {
                    if let Some(at) = at {
                        let message = format!("`{name}` goes with `role_arn`, which is missing");
                        self.wrong(at, message, "name the role to assume, or take it away");
                    }
                }
            }
        }
        self.with(settings, common)
    }

    /// The settings with what all kinds take, checked.
    fn with(&mut self, mut settings: Settings, common: Common) -> Option<Settings> {
        settings.region = common.region.map(|region| self.text("region", region));
        settings.endpoint_url = common
            .endpoint_url
            .map(|url| self.text("endpoint_url", url));
        self.refresh(&mut settings, common.refresh_before_expiry);
        self.check(&settings);
        for role in common.roles.unwrap_or_default() {
            let role = self.role(role);
            settings.roles.push(role);
            self.check(&settings);
        }
        Some(settings)
    }

    fn role(&mut self, role: yaml::Role) -> Role {
        if let Some(time) = &role.duration {
            self.places.insert("duration", time.referenced);
        }
        Role {
            arn: self.text("role_arn", role.role_arn),
            session_name: (role.role_session_name).map(|name| self.text("role_session_name", name)),
            external_id: role.external_id.map(|id| self.text("external_id", id)),
            duration: role.duration.map(|time| time.value.0),
        }
    }

    fn refresh(&mut self, settings: &mut Settings, time: Option<Spanned<Time>>) {
        if let Some(time) = time {
            self.places.insert("refresh_before_expiry", time.referenced);
            settings.refresh_before_expiry = Some(time.value.0);
        }
    }

    fn static_keys(&mut self, keys: &yaml::Static) -> Option<SessionSource> {
        let secret = self.secret(
            "secret_access_key",
            &keys.secret_access_key,
            &keys.secret_access_key_file,
        );
        let given = keys.session_token.is_some() || keys.session_token_file.is_some();
        let token = given.then(|| {
            self.secret(
                "session_token",
                &keys.session_token,
                &keys.session_token_file,
            )
        });
        Some(SessionSource::Static {
            access_key_id: self.text("access_key_id", keys.access_key_id.clone()),
            secret_access_key: secret?,
            session_token: match token {
                Some(token) => Some(token?),
                None => None,
            },
        })
    }

    fn oauth2(&mut self, oauth2: yaml::OAuth2) -> Option<Settings> {
        let secret = match (&oauth2.client_secret, oauth2.client_secret_file) {
            (None, Some(file)) => {
                // Read at each renewal; whether it can be is found out now.
                self.secret("client_secret", &None, &Some(file.clone()))?;
                ClientSecret::File(file.value)
            }
            (text, file) => ClientSecret::Given(self.secret("client_secret", text, &file)?),
        };
        if is_clear_text(&oauth2.token_url.value) {
            let message = "the client's secret would travel in clear text (RFC 6749, 3.2)";
            self.wrong(oauth2.token_url.referenced, message, "use `https://`");
        }
        let mut settings = Settings::new(SessionSource::OAuth2(OAuth2Settings {
            token_url: self.text("token_url", oauth2.token_url),
            client_id: self.text("client_id", oauth2.client_id),
            client_secret: secret,
            scope: oauth2.scope.map(|scope| self.text("scope", scope)),
        }));
        self.refresh(&mut settings, oauth2.refresh_before_expiry);
        self.check(&settings);
        Some(settings)
    }

    fn token(&mut self, token: yaml::Token) -> Option<Settings> {
        let expires_at = token.expires_at.as_ref().and_then(|text| self.moment(text));
        let access_token = self.secret(
            "access_token",
            &token.access_token,
            &token.access_token_file,
        )?;
        let settings = Settings::new(SessionSource::Token {
            access_token,
            expires_at,
        });
        self.check(&settings);
        Some(settings)
    }

    fn moment(&mut self, text: &Spanned<String>) -> Option<SystemTime> {
        let moment: Result<jiff::Timestamp, _> = text.value.parse();
        if moment.is_err() {
            let help = "it looks like `2026-11-20T10:31:07Z`";
            self.wrong(text.referenced, "this is no time (RFC 3339)", help);
        }
        moment.ok().map(SystemTime::from)
    }

    /// A secret from a variable or from a file; exactly one of them must be given.
    fn secret(
        &mut self,
        name: &'static str,
        text: &Option<Spanned<String>>,
        file: &Option<Spanned<PathBuf>>,
    ) -> Option<Secret> {
        match (text, file) {
            (Some(text), None) => {
                let written = self.source.text.get(self.source.range(text.defined));
                if !written.is_some_and(|text| text.contains("${")) {
                    let message = format!("the secret `{name}` is written into the file");
                    let help = format!(
                        "put it into a variable (`{name}: ${{NAME}}`), or into a file of its own \
                         with mode 0600 (`{name}_file: PATH`)"
                    );
                    self.wrong(text.referenced, message, &help);
                }
                self.taken(name, &text.value, text.referenced)
            }
            (None, Some(file)) => match read_secret(&file.value) {
                Ok(text) => self.taken(name, text.trim(), file.referenced),
                Err(why) => {
                    let message = format!("`{}` cannot be read: {why}", file.value.display());
                    let help = "a relative path starts at the current directory";
                    self.wrong(file.referenced, message, help);
                    None
                }
            },
            (Some(_), Some(file)) => {
                let message =
                    format!("`{name}` and `{name}_file` are given, and only one can count");
                self.wrong(file.referenced, message, "keep one of them");
                None
            }
            (None, None) => {
                let message = format!("missing key `{name}` or `{name}_file`");
                let help = format!("`{name}: ${{NAME}}` takes it from a variable");
                self.wrong(self.at, message, &help);
                None
            }
        }
    }

    fn taken(&mut self, name: &'static str, secret: &str, at: Location) -> Option<Secret> {
        self.places.insert(name, at);
        if secret.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("the secret `{name}` has a blank or a line break in it");
            self.wrong(at, message, "a copy may have picked it up");
            return None;
        }
        if secret.is_empty() {
            self.wrong(at, format!("the secret `{name}` is empty"), "set it");
            return None;
        }
        Some(Secret::from(secret))
    }

    /// The text of a setting, whose place is noted.
    fn text(&mut self, name: &'static str, text: Spanned<String>) -> String {
        self.places.insert(name, text.referenced);
        text.value
    }

    /// What the session says about its settings, at the place of the one that it is about.
    fn check(&mut self, settings: &Settings) {
        if let Err(why) = session::check(settings) {
            let at = self.places.get(why.setting).copied().unwrap_or(self.at);
            self.wrong(at, format!("`{}`: {}", why.setting, why.problem), "");
        }
    }

    fn file(&mut self, file: &Spanned<PathBuf>) {
        if !file.value.is_file() {
            let message = format!("there is no file `{}`", file.value.display());
            let help = "a relative path starts at the current directory";
            self.wrong(file.referenced, message, help);
        }
    }

    fn wrong(&mut self, at: Location, message: impl Into<String>, help: &str) {
        let problem = Problem::new(self.source.range(at), message.into());
        self.problems.push(match help {
            "" => problem,
            help => problem.help(help),
        });
    }
}

/// Whether a URL leads off this machine without TLS.
fn is_clear_text(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let local = ["localhost", "127.", "[::1]"];
    scheme.eq_ignore_ascii_case("http") && !local.iter().any(|host| rest.starts_with(host))
}

fn read_secret(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(file)?;
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
