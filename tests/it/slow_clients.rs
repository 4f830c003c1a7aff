//! Clients that never come to an end with what they ask, through every proxy. Row L01 of the attacks.

use futures::{StreamExt, stream};
use tests::http::get;
use tests::proxy::{Kind, Site};
use tests::recorder::Recorder;
use tests::resources::HOST;
use tests::wire;

/// The time-outs of the examples, which are too long to wait for.
fn hasty(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Nginx => &[("client_header_timeout 15s", "client_header_timeout 2s")],
        Kind::HaProxy => &[("timeout http-request 15s", "timeout http-request 2s")],
        Kind::Caddy | Kind::DebianCaddy => &[("read_header 15s", "read_header 2s"), ("read_body 60s", "read_body 2s")],
        Kind::Traefik => &[("readTimeout: 60s", "readTimeout: 2s")],
        Kind::Envoy | Kind::EnvoyGrpc => &[("request_headers_timeout: 15s", "request_headers_timeout: 2s")],
        Kind::ApacheLua | Kind::ApacheFastCgi => &[("header=15 body=15", "header=2 body=2")],
    }
}

async fn end_without_an_answer_of_the_application(kind: Kind) {
    let recorder = Recorder::start().await;
    let application = recorder.port.to_string();
    let replaced = [&[("8090", &*application)], hasty(kind)].concat();
    let site = Site::altered(kind, "", &replaced).await;
    let (port, proxy) = (site.proxy.port, format!("127.0.0.1:{}", site.proxy.port));
    let dripping = [
        ("a request line", "GET /public".to_owned()),
        (
            "headers",
            format!("GET /public HTTP/1.1\r\nHost: {HOST}:{port}\r\nX-Slow: "),
        ),
        (
            "a body",
            format!("POST /reports HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: 100000\r\n\r\na"),
        ),
        (
            "a body in pieces",
            format!("POST /reports HTTP/1.1\r\nHost: {HOST}:{port}\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\na"),
        ),
    ];
    let _ = recorder.take();
    let heard = dripping.iter().map(|(what, begin)| {
        let (proxy, case) = (&proxy, format!("L01: {kind:?}: {what}"));
        async move { wire::drip(proxy, begin.as_bytes(), &case).await }
    });
    let heard = futures::future::join_all(heard).await;
    for ((what, _), heard) in dripping.iter().zip(&heard) {
        let case = format!("L01: {kind:?}: {what}");
        assert!(heard.status() == 0 || heard.status() >= 400, "{case}: {}", heard.text);
    }
    assert_eq!(recorder.take(), "", "L01: {kind:?}: the application was asked");
    let public = get(format!("http://{proxy}/public")).header("host", format!("{HOST}:{port}"));
    assert_eq!(public.send().await.status, 200, "L01: {kind:?}: control");
    assert!(recorder.take().contains("GET /public"), "L01: {kind:?}: control");
}

#[tokio::test]
async fn l01_whoever_does_not_come_to_an_end_is_refused_or_cut_off_by_every_proxy() {
    stream::iter(Kind::ALL)
        .map(end_without_an_answer_of_the_application)
        .buffered(3)
        .collect::<()>()
        .await;
}
