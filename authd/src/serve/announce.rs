//! What a newcomer reads when authd has started.

use std::convert::Infallible;
use std::net::SocketAddr;

use serde_json::json;

use crate::app::App;
use crate::config::Output;
use crate::serving::Serving;

/// Where it listens.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) public: SocketAddr,
    pub(super) verify: SocketAddr,
    pub(super) grpc: SocketAddr,
    pub(super) fastcgi: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
}

/// Prints the start, once something serves, and never returns.
pub(super) async fn announce(
    begun: impl Future<Output = ()>,
    app: &App,
    addresses: &Addresses,
    output: Output,
) -> Infallible {
    begun.await;
    if let Some(serving) = app.serving() {
        print(&serving, addresses, output);
    }
    std::future::pending().await
}

fn print(serving: &Serving, addresses: &Addresses, output: Output) {
    let Addresses {
        public,
        verify,
        grpc,
        fastcgi,
        admin,
    } = addresses;
    let settings = serving.settings();
    if output == Output::Json {
        let started = json!({
            "public": format!("http://{public}"), "verify": format!("http://{verify}"), "grpc": grpc.to_string(),
            "fastcgi": fastcgi.map(|address| address.to_string()),
            "admin": format!("http://{admin}"),
            "publicUrl": settings.public_url, "snapshot": serving.engine.digest(),
        });
        println!("{started}");
        return;
    }
    let mut hosts: Vec<&str> = serving.engine.hosts().collect();
    hosts.sort_unstable();
    println!(
        "authd is ready, serving {} ({})\n",
        settings.instance,
        serving.engine.digest()
    );
    println!("  Sign in            {}/login", settings.public_url);
    if settings.public_url != format!("http://{public}") {
        println!("                     a proxy has to pass that address on to http://{public}");
    }
    match &settings.bootstrap_admin {
        Some(admin) => {
            println!("  Administrator      {}", admin.email);
            println!("                     first password: {}", admin.password_source);
        }
        None => println!(
            "  Administrator      none declared: add spec.bootstrapAdmin to Authd {}",
            settings.instance
        ),
    }
    print_listeners(addresses);
    println!(
        "  Hosts              {}\n",
        if hosts.is_empty() {
            "none yet: add an AccessPolicy".to_owned()
        } else {
            hosts.join(", ")
        }
    );
    let host = hosts
        .iter()
        .find(|host| !host.starts_with("*."))
        .copied()
        .unwrap_or("app.example.com");
    println!("  Try it: ask as a proxy would whether a stranger may open http://{host}/ (401: sign in first)\n");
    println!(
        "    curl -i http://{verify}/verify/forward -H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Proto: http' \\\n         \
         -H 'X-Forwarded-Host: {host}' -H 'X-Forwarded-Uri: /'\n"
    );
}

/// Where proxies and operators ask.
fn print_listeners(addresses: &Addresses) {
    let Addresses {
        verify,
        grpc,
        fastcgi,
        admin,
        ..
    } = addresses;
    println!("  nginx asks         http://{verify}/verify/nginx");
    println!("  other proxies ask  http://{verify}/verify/forward");
    println!("  Envoy asks         {grpc} over gRPC, or http://{verify}/verify/envoy, followed by the path");
    if let Some(fastcgi) = fastcgi {
        println!("  Apache asks        {fastcgi} over FastCGI");
    }
    println!("  Metrics, health    http://{admin}/metrics  /livez  /readyz  /snapshot  /providers");
}
