// SPDX-License-Identifier: MPL-2.0
//! The HTTP server: the container credentials endpoint that every AWS SDK knows, for several
//! sessions at once, and access tokens beside it.
//!
//! Everything is answered from memory; a request never makes a session ask AWS. Each one leaves a
//! line in the log: who asked for what and was told what, without a secret.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gstawscreds::session::{Secret, Session};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::answer;
use super::caller::{self, Rate, Refusal};

/// Connections at once; more are closed.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take to say what it wants.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
/// How much of a client's name is logged.
const MAX_AGENT_CHARS: usize = 120;
/// How long to wait when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// A session that is offered.
pub struct Door {
    /// The session.
    pub session: Session,
    /// It gives access tokens, not keys for AWS.
    pub gives_tokens: bool,
    /// The role that its credentials are of, if one is assumed.
    pub role_arn: Option<String>,
    /// Who knows this may have them.
    pub token: Secret,
}

/// A server on a thread of its own; dropping it ends it.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct House {
    doors: BTreeMap<String, Door>,
    port: u16,
    user: u32,
    rate: Rate,
}

/// Whose connection a request came on.
#[derive(Clone, Copy)]
struct Caller(Option<u32>);

impl Server {
    /// Serves `doors` at the first of `addresses` that is free.
    ///
    /// # Errors
    /// When none of the addresses is free, or the system grants no thread.
    pub fn start(doors: BTreeMap<String, Door>, addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = bind(addresses)?;
        let address = listener.local_addr()?;
        let house = Arc::new(House {
            doors,
            port: address.port(),
            user: rustix::process::geteuid().as_raw(),
            rate: Rate::new(Instant::now()),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("credentials".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        result = serve(listener, house, address) => {
                            if let Err(why) = result {
                                tracing::error!("credentials: the endpoint fails: {why}");
                            }
                        }
                    }
                });
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(addresses: &[SocketAddr]) -> io::Result<std::net::TcpListener> {
    let mut last = io::Error::other("no address to listen at");
    for address in addresses {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            Err(why) => last = io::Error::new(why.kind(), format!("{address}: {why}")),
        }
    }
    Err(last)
}

async fn serve(
    listener: std::net::TcpListener,
    house: Arc<House>,
    address: SocketAddr,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let router = router(house);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(why) => {
                tracing::warn!("credentials: a connection failed: {why}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!("credentials: more than {MAX_CONNECTIONS} connections");
            continue;
        };
        let local = stream.local_addr().unwrap_or(address);
        let caller = Caller(caller::user_of(peer, local));
        let router = router.clone().layer(Extension(caller));
        tokio::spawn(async move {
            connection(stream, router).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(why) = served {
        tracing::debug!("credentials: a connection ended: {why}");
    }
}

fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/v1/sessions/{name}", get(session))
        .route("/v1/tokens/{name}", get(token))
        .route("/v1/status/{name}", get(status))
        .fallback(|| async { not_found("there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            refused(&Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "only GET is answered",
            ))
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&house), watch))
        .with_state(house)
}

/// What goes for every request: who may ask at all, and the line in the log.
async fn watch(
    State(house): State<Arc<House>>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let agent = agent(request.headers());
    let allowed = caller::check_user(caller.0, house.user)
        .and_then(|()| caller::check_headers(request.headers(), house.port))
        .and_then(|()| house.rate.check(Instant::now()));
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(&refusal),
    };
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    audit(caller.0, &path, &agent, response.status());
    response
}

/// One line per request.
fn audit(user: Option<u32>, path: &str, agent: &str, status: StatusCode) {
    let user = user.map_or_else(|| "?".to_owned(), |user| user.to_string());
    let path: String = path.escape_debug().take(MAX_AGENT_CHARS).collect();
    let code = status.as_u16();
    if status.is_success() {
        tracing::info!("credentials: GET {path} by user {user} ({agent}): {code}");
    } else {
        tracing::warn!("credentials: {path} by user {user} ({agent}): {code}");
    }
}

/// What a client calls itself, fit for a log.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("?");
    agent.escape_debug().take(MAX_AGENT_CHARS).collect()
}

async fn session(house: State<Arc<House>>, name: Path<String>, headers: HeaderMap) -> Response {
    answered(&house, &name, &headers, |door| match door.gives_tokens {
        true => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "NoAwsCredentials",
            format!("`{}` gives an access token: /v1/tokens/{}", *name, *name),
        )),
        false => answer::aws(&door.session.view(), door.role_arn.as_deref()),
    })
}

async fn token(house: State<Arc<House>>, name: Path<String>, headers: HeaderMap) -> Response {
    answered(&house, &name, &headers, |door| match door.gives_tokens {
        false => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "NoAccessToken",
            format!("`{}` gives AWS credentials: /v1/sessions/{}", *name, *name),
        )),
        true => answer::token(&door.session.view()),
    })
}

async fn status(house: State<Arc<House>>, name: Path<String>, headers: HeaderMap) -> Response {
    answered(&house, &name, &headers, |door| {
        Ok(answer::status(&door.session.view()))
    })
}

/// What the session of this name answers, if the request has its token.
fn answered(
    house: &House,
    name: &str,
    headers: &HeaderMap,
    answer: impl FnOnce(&Door) -> Result<Value, Refusal>,
) -> Response {
    let Some(door) = house.doors.get(name) else {
        // Who has no token at all learns nothing about names.
        let known = house.doors.values();
        let trusted = known.fold(false, |is, door| {
            is | caller::has_token(headers, &door.token)
        });
        return match trusted {
            true => not_found("there is no session of this name"),
            false => unauthorized(),
        };
    };
    if !caller::has_token(headers, &door.token) {
        return unauthorized();
    }
    match answer(door) {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn unauthorized() -> Response {
    refused(&Refusal::new(
        StatusCode::UNAUTHORIZED,
        "InvalidToken",
        "the Authorization header must hold the session's token; \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names the file with it",
    ))
}

fn not_found(message: &str) -> Response {
    refused(&Refusal::new(StatusCode::NOT_FOUND, "NotFound", message))
}

/// An error as AWS SDKs read it.
fn refused(refusal: &Refusal) -> Response {
    let body = json!({ "code": refusal.code, "message": refusal.message });
    let mut response = (refusal.status, Json(body)).into_response();
    let again = matches!(
        refusal.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    if again {
        let second = header::HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, second);
    }
    response
}
