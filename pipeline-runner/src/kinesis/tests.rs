// SPDX-License-Identifier: MPL-2.0
//! Against a small stand-in for the service, because moto knows no states but ACTIVE and no
//! UpdateDataRetention; moto itself is asked in the tests that cross crates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::*;

/// The stream as the stand-in has it, and what it was asked.
#[derive(Default)]
struct Service {
    /// Status, hours; nothing if there is no stream.
    stream: Option<(&'static str, i64)>,
    /// So many looks at it pass before it is active.
    slow: u32,
    /// Refuses this request.
    refuses: &'static str,
    asked: Vec<(String, Value)>,
}

type Shared = Arc<Mutex<Service>>;

async fn answer(State(service): State<Shared>, uri: Uri, body: Bytes) -> Response {
    let mut service = service.lock().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let path = uri.path().to_owned();
    service.asked.push((path.clone(), body.clone()));
    if path == service.refuses {
        let code = [("x-amzn-errortype", "AccessDeniedException")];
        let said = json!({ "Message": "User: x is not authorized" });
        return (StatusCode::FORBIDDEN, code, said.to_string()).into_response();
    }
    match path.as_str() {
        "/describeStream" => describe(&mut service),
        "/createStream" => {
            let hours = body["DataRetentionInHours"].as_i64().unwrap();
            service.stream = Some(("CREATING", hours));
            json!({ "StreamARN": "arn" }).to_string().into_response()
        }
        "/updateDataRetention" => {
            let more = body["DataRetentionChangeInHours"].as_i64().unwrap();
            let (_, hours) = service.stream.unwrap();
            service.stream = Some(("UPDATING", hours + more));
            service.slow = 1;
            "{}".into_response()
        }
        other => panic!("{other} is asked"),
    }
}

fn describe(service: &mut Service) -> Response {
    let Some((status, hours)) = service.stream else {
        let code = [("x-amzn-errortype", "ResourceNotFoundException")];
        let said = json!({ "Message": "no such stream" });
        return (StatusCode::NOT_FOUND, code, said.to_string()).into_response();
    };
    let status = if service.slow == 0 { "ACTIVE" } else { status };
    service.slow = service.slow.saturating_sub(1);
    let info = json!({
        "StreamName": "door", "Status": status, "DataRetentionInHours": hours, "Version": "v7",
    });
    json!({ "StreamInfo": info }).to_string().into_response()
}

/// What becomes of a stream, and what the service was asked for it.
fn ensured(service: Service, kvs: &Kvs) -> (Result<Done, Error>, Service) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let shared: Shared = Arc::new(Mutex::new(service));
    let result = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::from_conf(
            config(
                "eu-west-1",
                Credentials::new("AKIA", "secret", None, None, "test"),
            )
            .endpoint_url(url)
            .build(),
        );
        ensure_with(&client, kvs, "eu-west-1").await
    });
    let service = std::mem::take(&mut *shared.lock().unwrap());
    (result, service)
}

fn kvs(create: bool, retention_hours: Option<u32>) -> Kvs {
    Kvs {
        stream: "door".to_owned(),
        region: None,
        retention_hours,
        create,
        kms_key: create.then(|| "alias/video".to_owned()),
        tags: BTreeMap::from([("place".to_owned(), "front".to_owned())]),
    }
}

fn paths(service: &Service) -> Vec<&str> {
    service
        .asked
        .iter()
        .map(|(path, _)| path.as_str())
        .collect()
}

#[test]
fn a_stream_that_is_there_as_it_is_wanted_is_only_looked_at() {
    let there = Service {
        stream: Some(("ACTIVE", 24)),
        ..Service::default()
    };
    let (done, service) = ensured(there, &kvs(true, Some(24)));
    assert_eq!(done.unwrap(), Done::Nothing);
    assert_eq!(paths(&service), ["/describeStream"]);
}

#[test]
fn a_stream_that_is_made_has_all_that_was_asked_for_and_is_awaited() {
    let slow = Service {
        slow: 2,
        ..Service::default()
    };
    let (done, service) = ensured(slow, &kvs(true, Some(168)));
    assert_eq!(done.unwrap(), Done::Made);
    let (path, asked) = &service.asked[1];
    assert_eq!(path, "/createStream");
    assert_eq!(asked["DataRetentionInHours"], 168);
    assert_eq!(asked["KmsKeyId"], "alias/video");
    assert_eq!(asked["Tags"]["place"], "front");
    // Looked at until it was active.
    assert_eq!(paths(&service).len(), 5);
}

#[test]
fn a_retention_that_is_too_low_is_raised_and_one_that_is_higher_stays() {
    let there = |hours| Service {
        stream: Some(("ACTIVE", hours)),
        ..Service::default()
    };
    let (done, service) = ensured(there(2), &kvs(false, Some(24)));
    assert_eq!(done.unwrap(), Done::KeepsLonger);
    let (path, asked) = &service.asked[1];
    assert_eq!(path, "/updateDataRetention");
    assert_eq!(asked["DataRetentionChangeInHours"], 22);
    assert_eq!(asked["Operation"], "INCREASE_DATA_RETENTION");
    assert_eq!(asked["CurrentVersion"], "v7");
    assert_eq!(service.stream, Some(("UPDATING", 24)));
    let (done, _) = ensured(there(48), &kvs(false, Some(24)));
    assert_eq!(done.unwrap(), Done::Nothing);
}

#[test]
fn a_stream_that_is_not_there_and_not_to_be_made_is_an_error_that_says_how() {
    let (done, _) = ensured(Service::default(), &kvs(false, None));
    let error = done.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("no stream `door` in eu-west-1"), "{said}");
    assert!(said.contains("create: true"), "{said}");
    assert_eq!(error.failure().class, Class::Refused);
}

#[test]
fn a_refusal_names_what_must_be_allowed() {
    for (path, action) in [
        ("/describeStream", "kinesisvideo:DescribeStream"),
        ("/createStream", "kinesisvideo:CreateStream"),
    ] {
        let refusing = Service {
            refuses: path,
            ..Service::default()
        };
        let (done, _) = ensured(refusing, &kvs(true, None));
        let error = done.unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains(action) && said.contains("not authorized"),
            "{said}"
        );
        assert_eq!(error.failure().class, Class::Refused);
    }
}
