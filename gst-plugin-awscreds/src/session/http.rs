// SPDX-License-Identifier: MPL-2.0
//! The one HTTP stack of all sources: hyper 1 with rustls and ring.
//!
//! The SDKs get it as their client, wrapped so that each answer's `Date` is seen; AWS IoT and
//! OAuth2 send single requests through [`Single`]. The SDKs' `https` goes through the proxy that the
//! environment names (`HTTPS_PROXY`, `NO_PROXY`); `http` never does, because the instance's and the
//! container's endpoints are on this machine. [`Single`] knows of no proxy.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::error::Error;
use super::skew::Skew;

/// The SDKs' client; its answers teach `skew`.
pub fn for_sdks(skew: &Skew) -> SharedHttpClient {
    static PLAIN: OnceLock<SharedHttpClient> = OnceLock::new();
    static PROXIED: OnceLock<SharedHttpClient> = OnceLock::new();
    SharedHttpClient::new(Watched {
        plain: PLAIN
            .get_or_init(|| sdk_client(ProxyConfig::disabled()))
            .clone(),
        proxied: PROXIED
            .get_or_init(|| sdk_client(ProxyConfig::from_env()))
            .clone(),
        skew: skew.clone(),
    })
}

fn sdk_client(proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(proxy.clone()));
        connector
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build()
    })
}

/// Chooses between the two, and reads the `Date` of what comes back.
#[derive(Clone, Debug)]
struct Watched<C = SharedHttpClient> {
    plain: C,
    proxied: C,
    skew: Skew,
}

impl HttpClient for Watched {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched {
            plain: self.plain.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
            skew: self.skew.clone(),
        })
    }
}

impl HttpConnector for Watched<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = if request.uri().starts_with("https:") {
            &self.proxied
        } else {
            &self.plain
        };
        let asked = self.skew.now();
        let answer = connector.call(request);
        let skew = self.skew.clone();
        HttpConnectorFuture::new(async move {
            let response = answer.await?;
            skew.learn(asked, response.headers().get("date"));
            Ok(response)
        })
    }
}

/// No endpoint of credentials answers with more.
const LARGEST_BODY_BYTES: usize = 256 * 1024;
/// The same for the whole of a request.
const LONGEST_ANSWER: Duration = Duration::from_secs(15);

/// Sends single requests.
#[derive(Clone, Debug)]
pub struct Single {
    client: Client<HttpsConnector<TcpConnector>, Full<Bytes>>,
    skew: Option<Skew>,
}

impl Single {
    /// With this idea of whom to trust and who we are; `skew` where the server's clock is AWS's.
    pub fn new(tls: ClientConfig, skew: Option<Skew>) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        // A request comes every quarter of an hour at best: connections are not kept.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Single { client, skew }
    }

    /// The whole answer, whatever its status. `what` names the server in errors.
    ///
    /// # Errors
    /// There was no whole answer in time.
    pub async fn send(
        &self,
        what: &str,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Bytes>, Error> {
        tokio::time::timeout(LONGEST_ANSWER, self.exchange(what, request))
            .await
            .unwrap_or_else(|_| Err(Error::timed_out(what, LONGEST_ANSWER)))
    }

    async fn exchange(
        &self,
        what: &str,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Bytes>, Error> {
        let asked = self.skew.as_ref().map(Skew::now);
        let answer = self.client.request(request).await.map_err(|error| {
            Error::temporary(format!("{what} cannot be reached: {}", causes(&error)))
        })?;
        let (head, body) = answer.into_parts();
        if let (Some(skew), Some(asked)) = (&self.skew, asked) {
            let date = head.headers.get("date").and_then(|date| date.to_str().ok());
            skew.learn(asked, date);
        }
        let body = Limited::new(body, LARGEST_BODY_BYTES);
        let body = body.collect().await.map_err(|error| {
            Error::temporary(format!("the answer of {what} broke off: {error}"))
        })?;
        Ok(hyper::Response::from_parts(head, body.to_bytes()))
    }
}

/// TLS that trusts whom this machine trusts, with the one crypto provider of this crate. Who *we*
/// are is still to be said.
///
/// # Errors
/// This machine trusts nobody.
pub fn trusting_this_machine() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    tls()?.with_native_roots().map_err(|error| {
        Error::user(
            format!("this machine's trusted certificates cannot be read: {error}"),
            "install ca-certificates",
        )
    })
}

/// TLS that trusts those who signed with `roots`.
///
/// # Errors
/// There is no TLS to be had from this build.
pub fn trusting(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    Ok(tls()?.with_root_certificates(roots))
}

fn tls() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::temporary(format!("TLS cannot be set up: {error}")))
}

/// An error and what caused it, outermost first, each once.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}
