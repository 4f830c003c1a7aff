//! What the messages look like, for those who ask by reflection: the part of Envoy's definitions that is read or written here.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
};

/// A file: its name, its package, the files that it leans on, and its messages; `A.B` is declared inside of `A`, after it.
type File = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static [Field])],
);
/// A field: its number, its name and what it holds.
type Field = (i32, &'static str, Holds);

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Holds {
    /// A text.
    Text,
    /// Any bytes.
    Bytes,
    /// A number.
    Number,
    /// A message, by its full name.
    One(&'static str),
    /// A message of which one of several is there, in this oneof.
    Either(&'static str, &'static str),
    /// A text of which the same is true.
    EitherText(&'static str),
    /// Messages.
    Many(&'static str),
    /// Texts.
    Texts,
    /// Texts by text.
    Map,
    /// Messages by text.
    MapOf(&'static str),
}

use Holds::{Bytes, Either, EitherText, Many, Map, MapOf, Number, One, Text, Texts};

const ADDRESS: &str = "envoy/config/core/v3/address.proto";
const BASE: &str = "envoy/config/core/v3/base.proto";
const HTTP_STATUS: &str = "envoy/type/v3/http_status.proto";
const STATUS: &str = "google/rpc/status.proto";
const STRUCT: &str = "google/protobuf/struct.proto";
const ATTRIBUTES: &str = "envoy/service/auth/v3/attribute_context.proto";
const AUTHORIZATION: &str = "envoy/service/auth/v3/external_auth.proto";
const HEALTH: &str = "grpc/health/v1/health.proto";

const OPTION: &str = ".envoy.config.core.v3.HeaderValueOption";
const VALUE: &str = ".google.protobuf.Value";

/// The files, each after those that it leans on.
const FILES: [File; 8] = [
    (
        ADDRESS,
        "envoy.config.core.v3",
        &[],
        &[
            ("SocketAddress", &[(2, "address", Text)]),
            (
                "Address",
                &[(
                    1,
                    "socket_address",
                    Either("address", ".envoy.config.core.v3.SocketAddress"),
                )],
            ),
        ],
    ),
    (
        BASE,
        "envoy.config.core.v3",
        &[],
        &[
            (
                "HeaderValue",
                &[(1, "key", Text), (2, "value", Text), (3, "raw_value", Bytes)],
            ),
            (
                "HeaderMap",
                &[(1, "headers", Many(".envoy.config.core.v3.HeaderValue"))],
            ),
            (
                "HeaderValueOption",
                &[(1, "header", One(".envoy.config.core.v3.HeaderValue"))],
            ),
        ],
    ),
    (
        HTTP_STATUS,
        "envoy.type.v3",
        &[],
        &[("HttpStatus", &[(1, "code", Number)])],
    ),
    (STATUS, "google.rpc", &[], &[("Status", &[(1, "code", Number)])]),
    (
        STRUCT,
        "google.protobuf",
        &[],
        &[
            ("Struct", &[(1, "fields", MapOf(VALUE))]),
            ("ListValue", &[(1, "values", Many(VALUE))]),
            (
                "Value",
                &[
                    (3, "string_value", EitherText("kind")),
                    (5, "struct_value", Either("kind", ".google.protobuf.Struct")),
                    (6, "list_value", Either("kind", ".google.protobuf.ListValue")),
                ],
            ),
        ],
    ),
    (
        ATTRIBUTES,
        "envoy.service.auth.v3",
        &[ADDRESS, BASE],
        &[
            (
                "AttributeContext",
                &[
                    (1, "source", One(".envoy.service.auth.v3.AttributeContext.Peer")),
                    (4, "request", One(".envoy.service.auth.v3.AttributeContext.Request")),
                    (10, "context_extensions", Map),
                ],
            ),
            (
                "AttributeContext.Peer",
                &[(1, "address", One(".envoy.config.core.v3.Address"))],
            ),
            (
                "AttributeContext.Request",
                &[(2, "http", One(".envoy.service.auth.v3.AttributeContext.HttpRequest"))],
            ),
            (
                "AttributeContext.HttpRequest",
                &[
                    (2, "method", Text),
                    (3, "headers", Map),
                    (4, "path", Text),
                    (5, "host", Text),
                    (6, "scheme", Text),
                    (13, "header_map", One(".envoy.config.core.v3.HeaderMap")),
                ],
            ),
        ],
    ),
    (
        AUTHORIZATION,
        "envoy.service.auth.v3",
        &[ATTRIBUTES, BASE, HTTP_STATUS, STATUS, STRUCT],
        &[
            (
                "CheckRequest",
                &[(1, "attributes", One(".envoy.service.auth.v3.AttributeContext"))],
            ),
            (
                "DeniedHttpResponse",
                &[
                    (1, "status", One(".envoy.type.v3.HttpStatus")),
                    (2, "headers", Many(OPTION)),
                    (3, "body", Text),
                ],
            ),
            (
                "OkHttpResponse",
                &[
                    (2, "headers", Many(OPTION)),
                    (5, "headers_to_remove", Texts),
                    (6, "response_headers_to_add", Many(OPTION)),
                ],
            ),
            (
                "CheckResponse",
                &[
                    (1, "status", One(".google.rpc.Status")),
                    (
                        2,
                        "denied_response",
                        Either("http_response", ".envoy.service.auth.v3.DeniedHttpResponse"),
                    ),
                    (
                        3,
                        "ok_response",
                        Either("http_response", ".envoy.service.auth.v3.OkHttpResponse"),
                    ),
                    (4, "dynamic_metadata", One(".google.protobuf.Struct")),
                ],
            ),
        ],
    ),
    (
        HEALTH,
        "grpc.health.v1",
        &[],
        &[
            ("HealthCheckRequest", &[(1, "service", Text)]),
            ("HealthCheckResponse", &[(1, "status", Number)]),
        ],
    ),
];

/// The services: their file, their name, and their one method with what it takes and returns.
const SERVICES: [(&str, &str, &str, &str, &str); 2] = [
    (
        AUTHORIZATION,
        "Authorization",
        "Check",
        ".envoy.service.auth.v3.CheckRequest",
        ".envoy.service.auth.v3.CheckResponse",
    ),
    (
        HEALTH,
        "Health",
        "Check",
        ".grpc.health.v1.HealthCheckRequest",
        ".grpc.health.v1.HealthCheckResponse",
    ),
];

/// Every file.
#[must_use]
pub fn files() -> FileDescriptorSet {
    FileDescriptorSet {
        file: FILES.iter().map(file).collect(),
    }
}

fn file((name, package, dependencies, messages): &File) -> FileDescriptorProto {
    let mut declared: Vec<DescriptorProto> = Vec::new();
    for (full_name, fields) in *messages {
        let message = message(package, full_name, fields);
        match full_name.split_once('.') {
            None => declared.push(message),
            Some((around, _)) => {
                let around = declared.iter_mut().find(|known| known.name() == around);
                if let Some(around) = around {
                    around.nested_type.push(message);
                }
            }
        }
    }
    FileDescriptorProto {
        name: Some((*name).to_owned()),
        package: Some((*package).to_owned()),
        dependency: dependencies.iter().map(|file| (*file).to_owned()).collect(),
        message_type: declared,
        service: SERVICES
            .iter()
            .filter(|service| service.0 == *name)
            .map(service)
            .collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn service((_, name, method, takes, returns): &(&str, &str, &str, &str, &str)) -> ServiceDescriptorProto {
    let method = MethodDescriptorProto {
        name: Some((*method).to_owned()),
        input_type: Some((*takes).to_owned()),
        output_type: Some((*returns).to_owned()),
        ..MethodDescriptorProto::default()
    };
    ServiceDescriptorProto {
        name: Some((*name).to_owned()),
        method: vec![method],
        options: None,
    }
}

fn message(package: &str, full_name: &str, fields: &[Field]) -> DescriptorProto {
    let mut message = DescriptorProto {
        name: full_name.rsplit('.').next().map(str::to_owned),
        ..DescriptorProto::default()
    };
    for (number, name, holds) in fields {
        let mut field = FieldDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(*number),
            ..FieldDescriptorProto::default()
        };
        let (kind, label, of) = match holds {
            Text | EitherText(_) => (Type::String, Label::Optional, None),
            Bytes => (Type::Bytes, Label::Optional, None),
            Number => (Type::Int32, Label::Optional, None),
            One(of) | Either(_, of) => (Type::Message, Label::Optional, Some((*of).to_owned())),
            Many(of) => (Type::Message, Label::Repeated, Some((*of).to_owned())),
            Texts => (Type::String, Label::Repeated, None),
            Map | MapOf(_) => {
                let entry = entry(name, holds);
                let of = format!(".{package}.{full_name}.{}", entry.name());
                message.nested_type.push(entry);
                (Type::Message, Label::Repeated, Some(of))
            }
        };
        if let Either(oneof, _) | EitherText(oneof) = holds {
            if message.oneof_decl.is_empty() {
                message.oneof_decl.push(OneofDescriptorProto {
                    name: Some((*oneof).to_owned()),
                    options: None,
                });
            }
            field.oneof_index = Some(0);
        }
        field.set_type(kind);
        field.set_label(label);
        field.type_name = of;
        message.field.push(field);
    }
    message
}

/// What a map is on the wire: messages of a key and a value.
fn entry(name: &str, holds: &Holds) -> DescriptorProto {
    let field = |number: i32, name: &str, of: Option<&str>| {
        let mut field = FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            type_name: of.map(str::to_owned),
            ..FieldDescriptorProto::default()
        };
        field.set_type(if of.is_some() { Type::Message } else { Type::String });
        field.set_label(Label::Optional);
        field
    };
    let of = match holds {
        MapOf(of) => Some(*of),
        _ => None,
    };
    // `context_extensions` is `ContextExtensionsEntry`.
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    DescriptorProto {
        name: Some(words.collect::<String>() + "Entry"),
        field: vec![field(1, "key", None), field(2, "value", of)],
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    }
}
