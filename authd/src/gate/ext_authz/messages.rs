//! The messages of Envoy's `envoy.service.auth.v3`, as far as they are read or written here.
//!
//! Fields that are not listed are skipped while reading. What a client may fill with any bytes is read as bytes, although Envoy's
//! definition says `string`, which is the same on the wire: one header that is no UTF-8 must not make a check unreadable.
//! `schema.rs` tells the same of each message to those who ask by reflection.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Message, Oneof};

/// The question.
#[derive(Clone, PartialEq, Message)]
pub struct CheckRequest {
    /// What is known of the request.
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<AttributeContext>,
}

/// What is known of a request.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeContext {
    /// Who is connected to Envoy.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Peer>,
    /// The request.
    #[prost(message, optional, tag = "4")]
    pub request: Option<Request>,
    /// What the route says.
    #[prost(btree_map = "string, string", tag = "10")]
    pub context_extensions: BTreeMap<String, String>,
}

/// Somebody who is connected.
#[derive(Clone, PartialEq, Message)]
pub struct Peer {
    /// From where.
    #[prost(message, optional, tag = "1")]
    pub address: Option<Address>,
}

/// An address; sockets of files have none that is read here.
#[derive(Clone, PartialEq, Message)]
pub struct Address {
    /// An address of the network.
    #[prost(message, optional, tag = "1")]
    pub socket_address: Option<SocketAddress>,
}

/// An address of the network.
#[derive(Clone, PartialEq, Message)]
pub struct SocketAddress {
    /// The IP address as text.
    #[prost(string, tag = "2")]
    pub address: String,
}

/// A request of some protocol.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    /// The only one that there is.
    #[prost(message, optional, tag = "2")]
    pub http: Option<HttpRequest>,
}

/// A request over HTTP.
#[derive(Clone, PartialEq, Message)]
pub struct HttpRequest {
    /// The method.
    #[prost(bytes = "bytes", tag = "2")]
    pub method: Bytes,
    /// Every header once, values of the same name joined with commas. Names that begin with `:` are facts of HTTP/2.
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub headers: BTreeMap<String, Vec<u8>>,
    /// Path and query.
    #[prost(bytes = "bytes", tag = "4")]
    pub path: Bytes,
    /// The host, with the port where the client sent one.
    #[prost(bytes = "bytes", tag = "5")]
    pub host: Bytes,
    /// `http` or `https`.
    #[prost(bytes = "bytes", tag = "6")]
    pub scheme: Bytes,
    /// Every header as it came, in place of `headers`, where Envoy has `encode_raw_headers`.
    #[prost(message, optional, tag = "13")]
    pub header_map: Option<Headers>,
}

/// Headers in order, names as often as they came.
#[derive(Clone, PartialEq, Message)]
pub struct Headers {
    /// The headers.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<Header>,
}

/// One header.
#[derive(Clone, PartialEq, Message)]
pub struct Header {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// The value, in place of `value`.
    #[prost(bytes = "bytes", tag = "3")]
    pub raw_value: Bytes,
}

/// The answer.
#[derive(Clone, PartialEq, Message)]
pub struct CheckResponse {
    /// Yes is 0, and everything else is no.
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    /// What goes on to the application, or back to the client.
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub http_response: Option<HttpResponse>,
    /// What later filters and access logs of Envoy can read, as `envoy.filters.http.ext_authz`.
    #[prost(message, optional, tag = "4")]
    pub dynamic_metadata: Option<prost_types::Struct>,
}

/// A status of gRPC.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// The code.
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// What an answer holds beside its status.
#[derive(Clone, PartialEq, Oneof)]
pub enum HttpResponse {
    /// The request may not pass.
    #[prost(message, tag = "2")]
    Denied(Denied),
    /// The request may pass.
    #[prost(message, tag = "3")]
    Ok(Passed),
}

/// What the client is told: `DeniedHttpResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Denied {
    /// The status.
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    /// The headers.
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    /// The body.
    #[prost(string, tag = "3")]
    pub body: String,
}

/// What changes about a request that passes: `OkHttpResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Passed {
    /// Headers that the application gets in place of what the client sent.
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    /// Headers of the client that the application does not get.
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
    /// Headers that the client gets, beside those of the application.
    #[prost(message, repeated, tag = "6")]
    pub response_headers_to_add: Vec<HeaderOption>,
}

/// A status of HTTP.
#[derive(Clone, PartialEq, Message)]
pub struct HttpStatus {
    /// The code.
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// A header to set. `append` is left out: set to either value, Envoy drops cookies in one place or another.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderOption {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
}
