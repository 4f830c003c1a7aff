//! A service of gRPC behind Envoy, and its clients: real ones, which read `grpc-status`.

use serde_json::{Value, json};
use tests::orders::{Orders, call};
use tests::proxy::{Kind, Site};
use tests::resources::{CI_KEY, HOST, REPORTS_KEY};

/// Envoy speaks HTTP/2 to this application.
const HTTP2: (&str, &str) = (
    "  - name: application\n    connect_timeout: 2s\n",
    "  - name: application\n    connect_timeout: 2s\n    typed_extension_protocol_options:\n      \
     envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n        \
     \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n        \
     explicit_http_config: {http2_protocol_options: {}}\n",
);

/// The values of metadata of that name.
fn values<'a>(pairs: &'a Value, name: &str) -> Vec<&'a str> {
    let pairs = pairs.as_array().into_iter().flatten();
    let named = pairs.filter(|pair| pair[0] == name);
    named.filter_map(|pair| pair[1].as_str()).collect()
}

async fn clients_are_told_in_their_words(kind: Kind) {
    let orders = Orders::start().await;
    let port = orders.port.to_string();
    let site = Site::altered(kind, "", &[("8090", &port), HTTP2]).await;
    let (address, host) = (
        format!("127.0.0.1:{}", site.proxy.port),
        format!("{HOST}:{}", site.proxy.port),
    );
    let call = |method: &'static str, metadata: Vec<String>| {
        let (address, host) = (address.clone(), host.clone());
        async move {
            let metadata: Vec<&str> = metadata.iter().map(String::as_str).collect();
            call(&address, &host, method, &metadata).await
        }
    };
    let bearer = |key: &str| format!("authorization=Bearer {key}");
    let ann = format!("cookie=token={}", site.ann.token);
    for (case, method, metadata, (code, details)) in [
        (
            "nobody",
            "/shop.Orders/List",
            vec![],
            ("UNAUTHENTICATED", "sign in, or show a valid token or API key"),
        ),
        (
            "nobody, a stream",
            "/shop.Orders/Watch",
            vec![],
            ("UNAUTHENTICATED", "sign in, or show a valid token or API key"),
        ),
        (
            "a key that is none",
            "/shop.Orders/List",
            vec![bearer("sk-00000000000000000000000000000000")],
            ("UNAUTHENTICATED", "sign in, or show a valid token or API key"),
        ),
        (
            "another method's key",
            "/shop.Orders/List",
            vec![bearer(REPORTS_KEY)],
            ("PERMISSION_DENIED", "you may not do this"),
        ),
        (
            "no administrator",
            "/admin/Watch",
            vec![ann.clone()],
            ("PERMISSION_DENIED", "you may not do this"),
        ),
    ] {
        let told = call(method, metadata).await;
        let case = format!("{kind:?}: {case}: {told}");
        assert_eq!(
            (&told["code"], &told["details"]),
            (&json!(code), &json!(details)),
            "{case}"
        );
        // Trailers alone: nothing came before them.
        assert_eq!(
            (&told["initial"], &told["messages"]),
            (&json!([]), &json!([])),
            "{case}"
        );
    }
    for (method, answers) in [("/shop.Orders/List", 1), ("/shop.Orders/Watch", 3)] {
        let lies = [
            "x-auth-user=lie",
            "x_auth_user=lie",
            "x.auth.user=lie",
            "x-auth-roles=admin",
        ]
        .map(str::to_owned);
        let shown = [bearer(CI_KEY)].into_iter().chain(lies).collect();
        let told = call(method, shown).await;
        let case = format!("{kind:?}: {method} with a key: {told}");
        let messages = told["messages"].as_array().unwrap();
        assert_eq!((&told["code"], messages.len()), (&json!("OK"), answers), "{case}");
        let (reached, metadata) = (&messages[0]["method"], &messages[0]["metadata"]);
        assert_eq!(
            (reached, values(metadata, "x-auth-user")),
            (&json!(method), vec!["demo/ci"]),
            "{case}"
        );
        assert!(!metadata.to_string().contains("lie"), "D02: {case}");
        let roles = values(metadata, "x-auth-roles").concat();
        assert_eq!(roles, "", "D01: {case}");
    }
    let told = call("/shop.Orders/List", vec![ann]).await;
    let metadata = &told["messages"][0]["metadata"];
    assert_eq!(
        values(metadata, "x-auth-user"),
        [site.ann.id.as_str()],
        "{kind:?}: Ann: {told}"
    );
}

#[tokio::test]
async fn clients_of_grpc_are_told_in_their_words_behind_envoy_that_asks_over_grpc() {
    clients_are_told_in_their_words(Kind::EnvoyGrpc).await;
}

#[tokio::test]
async fn clients_of_grpc_are_told_in_their_words_behind_envoy_that_asks_over_http() {
    clients_are_told_in_their_words(Kind::Envoy).await;
}
