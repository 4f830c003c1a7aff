//! What stands behind a body in pieces: HAProxy 2.6 passes it on. What can it do to an application? Row D01 of the attacks.

use std::process::Command;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Json;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tests::process::Process;
use tests::proxy::{Kind, Site};
use tests::recorder::Recorder;
use tests::resources::HOST;
use tests::{port, wait, wire};
use tokio::task::JoinSet;

/// Says what it takes for headers and what for trailers.
const NODE: &str = "require('http').createServer((request, response) => request.resume().on('end', () => \
    response.end(JSON.stringify({headers: request.rawHeaders, trailers: request.rawTrailers})))).listen(process.argv[1], '127.0.0.1')";

async fn hyper(request: Request<Body>) -> Json<Value> {
    let pairs = |headers: &http::HeaderMap| headers.iter().map(|pair| format!("{pair:?}")).collect::<Vec<_>>();
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    Json(json!({"headers": pairs(&head.headers), "trailers": body.trailers().map(pairs)}))
}

/// Somebody's request with an identity behind its body, as HAProxy hands it to the application at that port.
async fn handed_over(application: u16, replaced: &[(&str, &str)]) -> wire::Heard {
    let application = application.to_string();
    let replaced = [&[("8090", &*application)], replaced].concat();
    let site = Site::altered(Kind::HaProxy, "", &replaced).await;
    let port = site.proxy.port;
    let request = format!(
        "POST /public HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\
         Trailer: X-Auth-User, X-Auth-Roles\r\n\r\n5\r\nhello\r\n0\r\nX-Auth-User: lie\r\nX-Auth-Roles: lie, admin\r\n\r\n"
    );
    wire::say(&format!("127.0.0.1:{port}"), request.as_bytes()).await
}

fn told(heard: &wire::Heard) -> (String, String) {
    let (_, body) = heard.text.split_once("\r\n\r\n").unwrap_or_default();
    let seen: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {}", heard.text));
    (
        seen["headers"].to_string().to_lowercase(),
        seen["trailers"].to_string().to_lowercase(),
    )
}

#[tokio::test]
async fn d01_applications_keep_what_stands_behind_a_body_apart_from_headers() {
    let nodes = port::free();
    let node = Process::start(Command::new("node").args(["-e", NODE, &nodes.to_string()]));
    wait::until("Node.js answers", || {
        tests::http::get(format!("http://127.0.0.1:{nodes}/")).attempt()
    })
    .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hypers = listener.local_addr().unwrap().port();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, Router::new().fallback(hyper)).await });
    for (name, port) in [("Node.js", nodes), ("hyper", hypers)] {
        let (headers, trailers) = told(&handed_over(port, &[]).await);
        assert!(
            headers.contains("host") && !headers.contains("lie"),
            "D01: {name}: {headers}"
        );
        assert!(
            trailers.contains("x-auth-user") && trailers.contains("lie"),
            "control: {name}: {trailers}"
        );
    }
    drop(node);
}

#[tokio::test]
async fn d01_an_application_that_does_not_can_be_kept_from_such_bodies() {
    let recorder = Recorder::start().await;
    let refused = handed_over(
        recorder.port,
        &[("#http-request return status 411", "http-request return status 411")],
    )
    .await;
    assert_eq!(
        (refused.statuses(), &*recorder.take()),
        (vec![411], ""),
        "D01: {}",
        refused.text
    );
    let passed = handed_over(recorder.port, &[]).await;
    assert!(
        passed.status() == 200 && recorder.take().contains("x-auth-user: lie"),
        "control: {}",
        passed.text
    );
}
