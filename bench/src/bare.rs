//! The yardstick: an axum server that decides nothing and answers what authd answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Serves until it is killed.
///
/// # Errors
/// The headers cannot be read, or the address is taken.
pub fn serve(listen: SocketAddr, headers: &str) -> anyhow::Result<()> {
    let headers: BTreeMap<String, String> = serde_json::from_str(headers)?;
    let mut answer = HeaderMap::new();
    for (name, value) in headers {
        answer.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let everywhere = answer.clone();
    let routes = Router::new()
        .route("/verify/forward", get(move || std::future::ready(answer.clone())))
        // Behind a proxy it is the application and an authorizer that always says yes.
        .fallback(move || std::future::ready(everywhere.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        axum::serve(
            axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))),
            routes,
        )
        .await?;
        Ok(())
    })
}
