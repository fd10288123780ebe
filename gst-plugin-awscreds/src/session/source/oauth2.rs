// SPDX-License-Identifier: MPL-2.0
//! A bearer token by the client credentials grant (RFC 6749, section 4.4), with the crate `oauth2`.
//!
//! Section 2.3.1 has servers accept the client's secret in a header and lets them accept it in the
//! body; some accept it only there. The header is tried first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenType};
use oauth2::{
    AuthType, ClientId, ClientSecret as GivenSecret, HttpRequest, HttpResponse, RequestTokenError,
    Scope, TokenResponse, TokenUrl,
};

use super::{Expiry, Fetched, json};
use crate::session::error::{Error, ErrorKind};
use crate::session::http::{self, Single};
use crate::session::secret::Secret;
use crate::session::settings::{ClientSecret, OAuth2Settings};
use crate::session::skew::Skew;
use crate::session::view::{AccessToken, LeaseSecret};

/// Asks the server for a token.
pub async fn fetch(oauth2: &OAuth2Settings, skew: &Skew) -> Result<Fetched, Error> {
    let secret = match &oauth2.client_secret {
        ClientSecret::Given(secret) => secret.clone(),
        ClientSecret::File(path) => super::read_secret(path, "the OAuth2 client's secret").await?,
    };
    let client = Single::new(http::trusting_this_machine()?.with_no_client_auth(), None);
    let asked = skew.now();
    let token = match ask(oauth2, &secret, AuthType::BasicAuth, &client).await {
        Err(Failure {
            client_unknown: true,
            ..
        }) => ask(oauth2, &secret, AuthType::RequestBody, &client).await,
        other => other,
    };
    let (token, lifetime) = token.map_err(|failure| failure.error)?;
    let end = lifetime.and_then(|lifetime| asked.checked_add(lifetime));
    Ok(Fetched {
        secret: LeaseSecret::Token(AccessToken(token)),
        expiry: end.map_or(Expiry::Unknown, Expiry::OurTime),
    })
}

struct Failure {
    error: Error,
    /// The server does not know the client, perhaps because it looked in the wrong place.
    client_unknown: bool,
}

/// A token and how long it lives.
async fn ask(
    oauth2: &OAuth2Settings,
    secret: &Secret,
    place: AuthType,
    http: &Single,
) -> Result<(Secret, Option<Duration>), Failure> {
    let broken = |problem: String| Failure {
        error: Error::user(problem, "check token_url"),
        client_unknown: false,
    };
    let url = TokenUrl::new(oauth2.token_url.clone())
        .map_err(|error| broken(format!("{}: {error}", oauth2.token_url)))?;
    let client = BasicClient::new(ClientId::new(oauth2.client_id.clone()))
        .set_client_secret(GivenSecret::new(secret.expose().to_string()))
        .set_auth_type(place)
        .set_token_uri(url);
    let scopes = oauth2
        .scope
        .iter()
        .flat_map(|scope| scope.split_whitespace());
    let status = Arc::new(AtomicU16::new(0));
    let what = format!("the OAuth2 server {}", oauth2.token_url);
    let (sender, server, seen) = (http.clone(), what.clone(), status.clone());
    let send = move |request| send(sender.clone(), server.clone(), request, seen.clone());
    let answer = client
        .exchange_client_credentials()
        .add_scopes(scopes.map(|scope| Scope::new(scope.to_string())))
        .request_async(&send)
        .await
        .map_err(|error| refused(&error, &what, status.load(Ordering::Relaxed)))?;
    if !is_bearer(answer.token_type()) {
        return Err(broken(format!(
            "{what} gave a token that is no bearer token but {:?}",
            answer.token_type().as_ref()
        )));
    }
    Ok((
        answer.access_token().secret().as_str().into(),
        answer.expires_in(),
    ))
}

/// RFC 6749, section 7.1: a client must not use a type that it does not know. Case does not count.
fn is_bearer(kind: &BasicTokenType) -> bool {
    kind.as_ref().eq_ignore_ascii_case("bearer")
}

async fn send(
    http: Single,
    what: String,
    request: HttpRequest,
    status: Arc<AtomicU16>,
) -> Result<HttpResponse, Error> {
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let answer = http.send(&what, request).await?;
    status.store(answer.status().as_u16(), Ordering::Relaxed);
    Ok(answer.map(|body| body.to_vec()))
}

fn refused(
    error: &RequestTokenError<Error, BasicErrorResponse>,
    what: &str,
    status: u16,
) -> Failure {
    let said = match error {
        RequestTokenError::Request(error) => {
            return Failure {
                error: error.clone(),
                client_unknown: false,
            };
        }
        RequestTokenError::ServerResponse(response) => Said {
            error: Some(response.error().as_ref().to_string()),
            error_description: response.error_description().cloned(),
        },
        // An answer that is none, or an error that came as a success: only these two fields of it
        // may be shown.
        RequestTokenError::Parse(_, body) => json::parse(body).unwrap_or_default(),
        RequestTokenError::Other(_) => Said::default(),
    };
    Failure {
        client_unknown: status == 401 || said.code() == "invalid_client",
        error: explain(&said, what, status),
    }
}

/// RFC 6749, section 5.2. A server may leave out all of it, and it is an error nevertheless.
#[derive(Default, serde::Deserialize)]
struct Said {
    error: Option<String>,
    error_description: Option<String>,
}

impl Said {
    fn code(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }
}

fn explain(said: &Said, what: &str, status: u16) -> Error {
    let message = match (&said.error, &said.error_description) {
        (Some(code), Some(text)) => format!("{what} refused a token: {code}: {text}"),
        (Some(code), None) => format!("{what} refused a token: {code}"),
        (None, _) if status == 200 => format!("{what} answered without a token"),
        (None, _) => format!("{what} refused a token: HTTP {status} without a reason"),
    };
    let remedy = match said.code() {
        "invalid_client" | "unauthorized_client" => "check client_id and the client's secret",
        "invalid_scope" => "check scope",
        "unsupported_grant_type" => "allow the client credentials grant for this client",
        "server_error" | "temporarily_unavailable" | "slow_down" => {
            return Error::temporary(message);
        }
        _ => match status {
            408 | 429 | 500.. => return Error::temporary(message),
            401 | 403 => "check client_id and the client's secret",
            _ => "check token_url; it must be the server's token endpoint",
        },
    };
    Error::new(ErrorKind::User, message, remedy)
}
