// SPDX-License-Identifier: MPL-2.0
//! The access tokens that a pipeline's texts and headers hold, and their renewal while it plays.
//!
//! Texts take the token that is there when the pipeline is built. The headers of an HTTP source
//! follow the renewals: what it asks for anew it asks for with the newest token. Only a connection
//! that broke off is taken up again by `souphttpsrc` with the very request that opened it, the old
//! token included; a server that refuses that makes the pipeline start again, with the new token.
//! `souphttpsrc` reads its headers without a lock on its streaming thread, so they are changed on
//! that very thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gst::prelude::*;

use super::protocol::{Failure, Token};
use super::session::Input;
use crate::config::{self, Pipeline, is_token, put_tokens_in};

/// The property of HTTP sources that holds headers.
const HEADERS: &str = "extra-headers";

/// The present tokens; clones share them.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    /// By session.
    present: Mutex<BTreeMap<String, String>>,
    /// Counts renewals, so that a source sees without a lock whether there was one.
    renewal: AtomicU64,
}

impl Tokens {
    /// Waits until each session that the pipeline uses has a token; nothing if it is to close.
    ///
    /// # Errors
    /// When one has none in time, or one that cannot stand in a header.
    pub fn await_all(job: &Pipeline, inputs: &Receiver<Input>) -> Result<Option<Self>, Failure> {
        let tokens = Self(Arc::new(Shared {
            present: Mutex::new(BTreeMap::new()),
            renewal: AtomicU64::new(0),
        }));
        let deadline = Instant::now() + job.start_timeout;
        while let Some(missing) = tokens.missing(job) {
            match inputs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Input::Token(session, token)) => tokens.take(session, &token)?,
                Ok(Input::Close) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::passing(format!(
                        "the session `{missing}` has no access token yet"
                    )));
                }
            }
        }
        Ok(Some(tokens))
    }

    fn missing(&self, job: &Pipeline) -> Option<String> {
        let present = self
            .0
            .present
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        job.tokens
            .iter()
            .find(|name| !present.contains_key(*name))
            .cloned()
    }

    fn take(&self, session: String, token: &Token) -> Result<(), Failure> {
        config::learn_secret(token.expose());
        if !is_token(token.expose()) {
            return Err(Failure::passing(format!(
                "the access token of `{session}` holds characters that no token has (RFC 6750, 2.1)"
            )));
        }
        let mut present = self
            .0
            .present
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        present.insert(session, token.expose().to_owned());
        self.0.renewal.fetch_add(1, Relaxed);
        Ok(())
    }

    /// A session has another token. One that is no token changes nothing: the old one may do.
    pub fn renewed(&self, session: String, token: &Token) {
        let _ = self.take(session, token);
    }

    /// A text with the present tokens in place of their marks.
    pub fn put_in(&self, text: &str) -> String {
        let present = self
            .0
            .present
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        put_tokens_in(text, &present)
    }

    /// `text` with marks in place of the present tokens.
    fn take_out(&self, text: &str) -> String {
        let present = self
            .0
            .present
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        // What is shorter could be a part of anything.
        for (session, token) in present.iter().filter(|(_, token)| token.len() >= 8) {
            text = text.replace(token.as_str(), &config::token_mark(session));
        }
        text
    }

    /// Keeps the headers of every HTTP source that the pipeline has or will have up to date: those
    /// it was built with, and `headers`, where it asks the same server as `source`.
    pub fn attend(
        &self,
        pipeline: &gst::Pipeline,
        source: Option<(&gst::Element, &BTreeMap<String, String>)>,
    ) {
        let origin = source.and_then(|(source, _)| origin(source, "uri"));
        let headers = source.map_or_else(BTreeMap::new, |(_, headers)| headers.clone());
        for element in pipeline.iterate_recurse().into_iter().flatten() {
            self.source(&element, origin.as_deref(), &headers);
        }
        let tokens = self.clone();
        pipeline.connect_deep_element_added(move |_, _, element| {
            tokens.source(element, origin.as_deref(), &headers);
        });
    }

    /// Sets the headers of an HTTP source, now and at each renewal.
    fn source(
        &self,
        element: &gst::Element,
        origin_wanted: Option<&str>,
        headers: &BTreeMap<String, String>,
    ) {
        let takes_headers = element
            .find_property(HEADERS)
            .is_some_and(|spec| spec.value_type() == gst::Structure::static_type());
        if !takes_headers {
            return;
        }
        let mut wanted = self.own_headers(element);
        // Another server must not learn the token, whatever a playlist says.
        if origin_wanted.is_some() && origin(element, "location").as_deref() == origin_wanted {
            wanted.extend(headers.clone());
        }
        let Some(pad) = element.static_pad("src").filter(|_| !wanted.is_empty()) else {
            return;
        };
        let seen = AtomicU64::new(self.0.renewal.load(Relaxed));
        self.set(element, &wanted);
        let tokens = self.clone();
        let weak = element.downgrade();
        // The first event of a stream comes before its first request, each buffer before the next.
        let what = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(what, move |_, _| {
            let renewal = tokens.0.renewal.load(Relaxed);
            if seen.swap(renewal, Relaxed) != renewal
                && let Some(element) = weak.upgrade()
            {
                tokens.set(&element, &wanted);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// The headers that an element was built with and that hold a token, with marks.
    fn own_headers(&self, element: &gst::Element) -> BTreeMap<String, String> {
        let set = element.property::<Option<gst::Structure>>(HEADERS);
        let mut marked = BTreeMap::new();
        for (name, value) in set.iter().flat_map(|headers| headers.iter()) {
            if let Ok(value) = value.get::<String>() {
                let with_marks = self.take_out(&value);
                if with_marks != value {
                    marked.insert(name.to_string(), with_marks);
                }
            }
        }
        marked
    }

    fn set(&self, element: &gst::Element, headers: &BTreeMap<String, String>) {
        let set = element.property::<Option<gst::Structure>>(HEADERS);
        let mut structure = set.unwrap_or_else(|| gst::Structure::new_empty(HEADERS));
        for (name, value) in headers {
            structure.set(name.as_str(), self.put_in(value));
        }
        element.set_property(HEADERS, structure);
    }
}

/// Scheme, host and port of an element's URI.
fn origin(element: &gst::Element, property: &str) -> Option<String> {
    element.find_property(property)?;
    let uri = element.property::<Option<String>>(property)?;
    let (scheme, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(format!("{scheme}://{host}").to_ascii_lowercase())
}
