//! `envoy.service.auth.v3.Authorization/Check`, as Envoy and what is built on it ask over gRPC.
//!
//! Every answer is a decision. Envoy lets requests through when authorization *fails* and `failure_mode_allow` is set, and a client
//! can have a hand in that: so a question that cannot be read, or that takes too long, is a denial as well, never an error of gRPC.

pub mod messages;
pub mod schema;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use policy::Principal;
use policy::identity_headers::{MAX_AGE, known};
use policy::principal::Identity;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use tonic::codec::Streaming;
use tonic::server::{ClientStreamingService, Grpc};
use tonic::{Code, body::Body};
use tonic_prost::ProstCodec;

use self::messages::{
    AttributeContext, CheckRequest, CheckResponse, Denied, Header, HeaderOption, HttpRequest, HttpResponse, HttpStatus,
    Passed, Status,
};
use super::answer;
use super::asked::{Answered, Asked, ask, in_time};
use super::counts::Outcome;
use super::facts::{self, Dialect, Refused};
use crate::app::App;
use crate::client_address::client_address;
use crate::identity::Caller;
use crate::listen::Connected;
use crate::proxy_auth::{SECRET, is_proxy};

/// The path of the method.
pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The longest question, in bytes.
const MAX_QUESTION: usize = 1024 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 256;

/// The key of `context_extensions` with which a route names the AccessPolicy that has to govern the request's host.
const POLICY: &str = "policy";

/// Answers a check.
pub async fn serve<B>(app: Arc<App>, peer: Connected, request: http::Request<B>) -> Response<Body>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(MAX_QUESTION)
        // A method with one message looks the same on the wire as one with many, which hands over what is wrong with them.
        .client_streaming(Check { app, peer }, request)
        .await
}

struct Check {
    app: Arc<App>,
    peer: Connected,
}

impl ClientStreamingService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = BoxFuture<'static, Result<tonic::Response<CheckResponse>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<CheckRequest>>) -> Self::Future {
        let (app, peer) = (Arc::clone(&self.app), self.peer.clone());
        Box::pin(async move {
            let (metadata, _, question) = request.into_parts();
            let shown = metadata.into_headers();
            let answered = answered(&app, (&peer, &shown), question);
            let response = in_time(&app, Dialect::Grpc, answered, || denied(answer::unavailable())).await;
            Ok(tonic::Response::new(response))
        })
    }
}

async fn answered(
    app: &App,
    (peer, shown): (&Connected, &HeaderMap),
    question: Streaming<CheckRequest>,
) -> (Outcome, CheckResponse) {
    let refused = |answered: Answered| (answered.outcome, denied(answered.response));
    let Some(serving) = app.serving() else {
        return refused(Answered::unavailable());
    };
    let settings = serving.settings();
    if !is_proxy(settings, peer, shown) {
        return refused(Answered::not_here());
    }
    let read = read(question)
        .await
        .and_then(|question| Ok((headers(&question.http)?, question)));
    let (headers, question) = match read {
        Ok(read) => read,
        Err(fault) => return refused(Answered::malformed(Dialect::Grpc, fault)),
    };
    let target = match facts::told(
        &question.http.method,
        &question.http.scheme,
        &question.http.host,
        &question.http.path,
    ) {
        Ok(target) => target,
        Err(fault) => return refused(Answered::malformed(Dialect::Grpc, fault)),
    };
    let client_ip = question
        .source
        .and_then(|source| client_address(settings, source, &headers));
    let asked = Asked {
        dialect: Dialect::Grpc,
        target,
        headers: &headers,
        client_ip,
        policy: question.policy.as_deref(),
    };
    let answered = ask(app, &serving, &asked).await;
    match &answered.caller {
        Some(caller) => (answered.outcome, passed(caller, &answered.response, &headers)),
        None => refused(answered),
    }
}

/// What is asked.
#[derive(Debug)]
struct Question {
    http: HttpRequest,
    source: Option<IpAddr>,
    policy: Option<String>,
}

/// Reads exactly one question.
async fn read(mut question: Streaming<CheckRequest>) -> Result<Question, Refused> {
    let first = question.message().await.map_err(|_| Refused::Unreadable)?;
    let second = question.message().await.map_err(|_| Refused::Unreadable)?;
    let (Some(first), None) = (first, second) else {
        return Err(Refused::Unreadable);
    };
    let AttributeContext {
        source,
        request,
        mut context_extensions,
    } = first.attributes.unwrap_or_default();
    let source = source.and_then(|peer| peer.address?.socket_address);
    Ok(Question {
        http: request.and_then(|request| request.http).ok_or(Refused::Unreadable)?,
        source: source.and_then(|socket| socket.address.parse().ok()),
        policy: context_extensions.remove(POLICY),
    })
}

/// The request's own headers.
fn headers(http: &HttpRequest) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: Bytes| {
        if name.starts_with(':') {
            return Ok(());
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refused::Header)?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Refused::Header)?;
        if headers.len() >= MAX_HEADERS {
            return Err(Refused::TooManyHeaders);
        }
        headers.append(name, value);
        Ok(())
    };
    match &http.header_map {
        Some(raw) => {
            for Header { key, value, raw_value } in &raw.headers {
                add(
                    key,
                    if raw_value.is_empty() {
                        value.clone()
                    } else {
                        raw_value.clone()
                    },
                )?;
            }
        }
        None => {
            for (name, value) in &http.headers {
                add(name, Bytes::copy_from_slice(value))?;
            }
        }
    }
    Ok(headers)
}

/// The request may pass, with these headers in place of whatever the client said of itself.
fn passed(caller: &Caller, response: &Response<Full<Bytes>>, sent: &HeaderMap) -> CheckResponse {
    let mut passed = Passed::default();
    let said = response.headers();
    for (name, value) in said {
        if name == header::SET_COOKIE {
            passed.response_headers_to_add.push(option(name, value));
        } else if value.is_empty() {
            passed.headers_to_remove.push(name.to_string());
        } else if name != header::CACHE_CONTROL {
            passed.headers.push(option(name, value));
        }
    }
    passed.headers_to_remove.extend(lies(sent, said));
    CheckResponse {
        status: Some(Status { code: Code::Ok.into() }),
        http_response: Some(HttpResponse::Ok(passed)),
        dynamic_metadata: Some(metadata(&caller.principal, said.get(MAX_AGE))),
    }
}

/// Names that the client sent and that an application may read as one of an identity: `X_Auth_User` is `X-Auth-User` to many. The
/// secret of proxies is none of its business either, should a proxy put it there. Those that the answer sets are not among them, as
/// Envoy removes after it has set.
fn lies(sent: &HeaderMap, said: &HeaderMap) -> impl Iterator<Item = String> {
    let reads_as = |name: &HeaderName, known: &str| {
        let canonical = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
        name.as_str().bytes().map(canonical).eq(known.bytes())
    };
    let is_read = move |name: &HeaderName| {
        said.keys().any(|ours| reads_as(name, ours.as_str())) || known().any(|ours| reads_as(name, ours))
    };
    let lies = sent
        .keys()
        .filter(move |name| !said.contains_key(*name) && (**name == SECRET || is_read(name)));
    lies.map(HeaderName::to_string)
}

/// The request may not pass, and this is what the client is told.
fn denied(response: Response<Full<Bytes>>) -> CheckResponse {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .now_or_never()
        .and_then(Result::ok)
        .unwrap_or_default()
        .to_bytes();
    let code = match parts.status {
        StatusCode::FOUND | StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let denied = Denied {
        status: Some(HttpStatus {
            code: parts.status.as_u16().into(),
        }),
        headers: parts.headers.iter().map(|(name, value)| option(name, value)).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    CheckResponse {
        status: Some(Status { code: code.into() }),
        http_response: Some(HttpResponse::Denied(denied)),
        dynamic_metadata: None,
    }
}

fn option(name: &HeaderName, value: &HeaderValue) -> HeaderOption {
    HeaderOption {
        header: Some(Header {
            key: name.to_string(),
            value: Bytes::copy_from_slice(value.as_bytes()),
            raw_value: Bytes::new(),
        }),
    }
}

/// Who passes, and for how many seconds a connection may stay open, for access logs and later filters of Envoy. Nothing of it is a
/// secret or an address.
fn metadata(principal: &Principal, age: Option<&HeaderValue>) -> Struct {
    let value = |kind| Value { kind: Some(kind) };
    let text = |text: &str| value(Kind::StringValue(text.to_owned()));
    let list = |names: &mut dyn Iterator<Item = &String>| {
        let values = names.map(|name| text(name)).collect();
        value(Kind::ListValue(ListValue { values }))
    };
    let (kind, id, provider) = match principal.identity() {
        Identity::Anonymous => ("anonymous", "", ""),
        Identity::Service(service) => ("service", service.as_str(), ""),
        Identity::User(user) => ("user", user.id.as_str(), user.provider.as_str()),
    };
    let principal = [
        ("kind", text(kind)),
        ("id", text(id)),
        ("provider", text(provider)),
        ("roles", list(&mut principal.roles().iter())),
        ("groups", list(&mut principal.groups().iter())),
    ];
    let named = |fields: Vec<(&str, Value)>| Struct {
        fields: fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let age = age.and_then(|age| age.to_str().ok()?.parse().ok());
    let age = age.map(|seconds| ("maxConnectionAge", value(Kind::NumberValue(seconds))));
    let principal = ("principal", value(Kind::StructValue(named(principal.into()))));
    named([principal].into_iter().chain(age).collect())
}
