//! The yardstick over gRPC: an authorizer that decides nothing and says OK with the headers that authd says, on tonic and hyper.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;

use authd::gate::ext_authz::messages::{
    CheckRequest, CheckResponse, Header, HeaderOption, HttpResponse, Passed, Status,
};
use bytes::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

/// Says yes to everything.
#[derive(Clone)]
struct Yes(CheckResponse);

impl UnaryService<CheckRequest> for Yes {
    type Response = CheckResponse;
    type Future = Ready<Result<tonic::Response<CheckResponse>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<CheckRequest>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

/// Serves until it is killed, on one thread, saying these headers of everybody.
///
/// # Errors
/// The headers cannot be read, or the address is taken.
pub fn serve(listen: SocketAddr, headers: &str) -> anyhow::Result<()> {
    let headers: BTreeMap<String, String> = serde_json::from_str(headers)?;
    let said = |(name, value): (String, String)| HeaderOption {
        header: Some(Header {
            key: name,
            value: value.into(),
            raw_value: Bytes::new(),
        }),
    };
    // As authd does: what is empty is removed.
    let (named, empty): (Vec<_>, Vec<_>) = headers.into_iter().partition(|(_, value)| !value.is_empty());
    let passed = Passed {
        headers: named.into_iter().map(said).collect(),
        headers_to_remove: empty.into_iter().map(|(name, _)| name).collect(),
        ..Passed::default()
    };
    let yes = Yes(CheckResponse {
        status: Some(Status { code: 0 }),
        http_response: Some(HttpResponse::Ok(passed)),
        dynamic_metadata: None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let connections = tokio_util::task::TaskTracker::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let yes = yes.clone();
            let answer = service_fn(move |request| {
                let yes = yes.clone();
                async move {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    Ok::<_, Infallible>(grpc.unary(yes, request).await)
                }
            });
            connections.spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer));
        }
    })
}
