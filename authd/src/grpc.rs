//! The gRPC listener: Envoy's check, health and reflection, each at its exact path; and nothing else.
//!
//! Deliberately not merged with another listener, and without a router: routers of gRPC answer unknown paths with the HTTP status
//! 200, which a proxy that asks over HTTP reads as a permit. Here what is unknown is 404 to HTTP and `UNIMPLEMENTED` to gRPC.

use std::convert::Infallible;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;
use tonic_reflection::server::Error;
use tower::ServiceExt;

use crate::app::App;
use crate::gate::ext_authz::{self, schema};
use crate::listen::Connected;
use crate::proxy_auth::is_proxy;

/// The path of the health check. `Watch`, which nothing that asks here uses, is not implemented.
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// The longest question about health, in bytes.
const MAX_HEALTH_QUESTION: usize = 4096;

/// An answer that is being made.
pub type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// What a listener asks about each request.
///
/// # Errors
/// The description of the messages is not one.
pub fn routes(
    app: Arc<App>,
) -> Result<impl Fn(Connected, Request<Incoming>) -> Answering + Clone + Send + Sync + 'static, Error> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_file_descriptor_set(schema::files())
        .build_v1()?;
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_file_descriptor_set(schema::files())
        .build_v1alpha()?;
    Ok(move |peer: Connected, request: Request<Incoming>| {
        let app = Arc::clone(&app);
        let (reflection, reflection_alpha) = (reflection.clone(), reflection_alpha.clone());
        let answer: Answering = Box::pin(async move {
            if !is_grpc(&request) {
                return Ok(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            match request.uri().path() {
                ext_authz::CHECK => Ok(ext_authz::serve(app, peer, request).await),
                HEALTH => {
                    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_HEALTH_QUESTION);
                    Ok(grpc.unary(Health(app), request).await)
                }
                REFLECTION if asks(&app, &peer, &request) => reflection.oneshot(request).await,
                REFLECTION_ALPHA if asks(&app, &peer, &request) => reflection_alpha.oneshot(request).await,
                _ => Ok(unimplemented()),
            }
        });
        answer
    })
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    request.method() == Method::POST
        && kind.is_some_and(|kind| kind == b"application/grpc" || kind.starts_with(b"application/grpc+proto"))
}

fn asks<B>(app: &App, peer: &Connected, request: &Request<B>) -> bool {
    let serving = app.serving();
    serving.is_some_and(|serving| is_proxy(serving.settings(), peer, request.headers()))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// 404 to whoever speaks HTTP; whoever speaks gRPC reads the status of the trailers.
fn unimplemented() -> Response<Body> {
    let mut response = Status::unimplemented("nothing is asked here").into_http();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Whether checks are answered: the same as `/readyz`. Everybody may know, as probes come from the node and not from a proxy.
struct Health(Arc<App>);

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
struct HealthRequest {
    /// The service; none is all of them.
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Message)]
struct HealthResponse {
    /// 1 serves, 2 does not.
    #[prost(int32, tag = "1")]
    status: i32,
}

impl UnaryService<HealthRequest> for Health {
    type Response = HealthResponse;
    type Future = std::future::Ready<Result<tonic::Response<HealthResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<HealthRequest>) -> Self::Future {
        let known = matches!(&*request.get_ref().service, "" | "envoy.service.auth.v3.Authorization");
        let serves = self.0.serving().is_some() && !self.0.is_leaving();
        std::future::ready(if known {
            let status = if serves { 1 } else { 2 };
            Ok(tonic::Response::new(HealthResponse { status }))
        } else {
            Err(Status::not_found("no such service"))
        })
    }
}
