//! Connections that stay open: which proxies end them by themselves, and which on command.
//!
//! That all of them tell an application how old one may get, and that it ends then, is told in `proxies.rs`. Here the application
//! would leave it open.

use tests::proxy::{Kind, Site};
use tests::{wait, wire};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

#[tokio::test]
async fn haproxy_ends_what_is_as_old_as_the_rule_says_and_the_rest_on_command() {
    let deaf = (
        "    http-response lua.authd_renewed",
        "    http-request del-header x-auth-max-age\n    http-response lua.authd_renewed",
    );
    let site = Site::altered(Kind::HaProxy, "", &[deaf]).await;
    let (mut brief, mut long) = (
        site.websocket_of_ann("/brief").await,
        site.websocket_of_ann("/live").await,
    );
    wire::ends(&mut brief, "a rule of 3 s").await;
    assert!(wire::echoes(&mut long).await, "control: the other rule says nothing");
    let hook = site.proxy.folder().join("haproxy.sock");
    let mut hook = UnixStream::connect(hook).await.unwrap();
    hook.write_all(b"shutdown sessions server application/application\n")
        .await
        .unwrap();
    wire::ends(&mut long, "the runtime socket").await;
    site.websocket_of_ann("/live").await;
}

#[tokio::test]
async fn envoy_ends_what_is_as_old_as_its_route_says() {
    for kind in [Kind::Envoy, Kind::EnvoyGrpc] {
        let site = Site::behind(kind, "").await;
        let mut long = site.websocket_of_ann("/live").await;
        wire::ends(&mut long, &format!("{kind:?}")).await;
    }
}

#[tokio::test]
async fn caddy_ends_what_is_as_old_as_its_configuration_says() {
    let bounded = (
        "\t\treverse_proxy 127.0.0.1:8090\n",
        "\t\treverse_proxy 127.0.0.1:8090 {\n\t\t\tstream_timeout 3s\n\t\t}\n",
    );
    let site = Site::altered(Kind::Caddy, "", &[bounded]).await;
    let mut long = site.websocket_of_ann("/live").await;
    wire::ends(&mut long, "Caddy").await;
}

#[tokio::test]
async fn a_new_rule_holds_for_the_next_connection() {
    let site = Site::behind(Kind::HaProxy, "").await;
    let mut before = site.websocket_of_ann("/live").await;
    let policies = tests::resources::POLICIES.replace(
        "allow: {roles: [user], services",
        "maxConnectionAge: 1s\n      allow: {roles: [user], services",
    );
    site.world.folder.write("policies.yaml", &policies);
    wait::until("the next connection is told", || async {
        let mut next = site.websocket_of_ann("/live").await;
        match tokio::time::timeout(std::time::Duration::from_secs(3), wire::ends(&mut next, "")).await {
            Ok(()) => Ok(()),
            Err(_) => Err("it stays open".to_owned()),
        }
    })
    .await;
    assert!(
        wire::echoes(&mut before).await,
        "nobody asks again about the one before"
    );
}
