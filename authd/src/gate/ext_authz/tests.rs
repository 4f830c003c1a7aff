use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet};

use super::messages::{
    Address, AttributeContext, CheckRequest, CheckResponse, Denied, Header, HeaderOption, Headers, HttpRequest,
    HttpResponse, HttpStatus, Passed, Peer, Request, SocketAddress, Status,
};
use super::schema;
use crate::stand::{RESOURCES, Stand, at};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const KEY: &str = "sk-0123456789abcdef0123456789abcdef";

/// A question as Envoy asks it about `GET https://app.example.com<path>`.
fn about(path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let header = |(name, value): &(&str, &str)| Header {
        key: (*name).to_owned(),
        value: Bytes::new(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
    };
    let http = HttpRequest {
        method: Bytes::from_static(b"GET"),
        path: Bytes::copy_from_slice(path.as_bytes()),
        host: Bytes::from_static(b"app.example.com"),
        scheme: Bytes::from_static(b"https"),
        header_map: Some(Headers {
            headers: headers.iter().map(header).collect(),
        }),
        headers: BTreeMap::new(),
    };
    let address = SocketAddress {
        address: "203.0.113.9".to_owned(),
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer {
                address: Some(Address {
                    socket_address: Some(address),
                }),
            }),
            request: Some(Request { http: Some(http) }),
            context_extensions: BTreeMap::new(),
        }),
    }
}

/// The same with one fact changed.
fn with(change: impl FnOnce(&mut HttpRequest)) -> CheckRequest {
    let mut question = about("/public", &[]);
    let attributes = question.attributes.as_mut().unwrap();
    change(attributes.request.as_mut().unwrap().http.as_mut().unwrap());
    question
}

fn framed(message: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame
}

async fn say(stand: &Stand, peer: IpAddr, body: impl Into<Bytes>) -> CheckResponse {
    sent(stand, peer, &[], body.into()).await
}

async fn say_with(stand: &Stand, metadata: &[(&str, &str)], body: impl Into<Bytes>) -> CheckResponse {
    sent(stand, PEER, metadata, body.into()).await
}

/// Sends bytes as the body of a check, and reads the one message that comes back. Nothing but a decision is an answer.
async fn sent(stand: &Stand, peer: IpAddr, metadata: &[(&str, &str)], body: Bytes) -> CheckResponse {
    let mut request = http::Request::post(super::CHECK).header("content-type", "application/grpc");
    for (name, value) in metadata {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    let response = super::serve(Arc::clone(&stand.app), at(peer), request).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("grpc-status"), "D24: {response:?}");
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0", "D24");
    CheckResponse::decode(collected.to_bytes().slice(5..)).unwrap()
}

async fn ask(stand: &Stand, question: &CheckRequest) -> CheckResponse {
    say(stand, PEER, framed(&question.encode_to_vec())).await
}

/// The code of the decision, and the status that the client is told; 0 where the request passes.
fn decision(response: &CheckResponse) -> (i32, i32) {
    let code = response.status.as_ref().unwrap().code;
    match response.http_response.as_ref().unwrap() {
        HttpResponse::Ok(_) => (code, 0),
        HttpResponse::Denied(denied) => (code, denied.status.as_ref().unwrap().code),
    }
}

fn passed(response: &CheckResponse) -> &Passed {
    match response.http_response.as_ref().unwrap() {
        HttpResponse::Ok(passed) => passed,
        HttpResponse::Denied(denied) => panic!("{denied:?}"),
    }
}

fn denied(response: &CheckResponse) -> &Denied {
    match response.http_response.as_ref().unwrap() {
        HttpResponse::Denied(denied) => denied,
        HttpResponse::Ok(passed) => panic!("{passed:?}"),
    }
}

fn pairs(options: &[HeaderOption]) -> BTreeMap<&str, &str> {
    let headers = options.iter().map(|option| option.header.as_ref().unwrap());
    headers
        .map(|header| (&*header.key, std::str::from_utf8(&header.value).unwrap()))
        .collect()
}

#[tokio::test]
async fn every_outcome_is_a_decision_with_its_code_and_status() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    let cookie = format!("token={token}");
    let bearer = format!("Bearer {KEY}");
    for (case, question, expected) in [
        ("nobody, public", about("/public", &[]), (0, 0)),
        ("somebody", about("/", &[("cookie", &cookie)]), (0, 0)),
        ("a key", about("/v1/deploys", &[("authorization", &bearer)]), (0, 0)),
        ("nobody, a browser", about("/", &[("accept", "text/html")]), (16, 302)),
        ("nobody, a program", about("/", &[]), (16, 401)),
        ("a key elsewhere", about("/", &[("authorization", &bearer)]), (7, 403)),
        ("no header at all", with(|http| http.header_map = None), (0, 0)),
        ("D10", about("/public/../admin", &[]), (7, 400)),
        ("D12", about("//admin", &[]), (7, 400)),
        ("D15", about("/private#/public", &[]), (7, 400)),
        ("D21: no path", with(|http| http.path.clear()), (7, 400)),
        ("D21: *", about("*", &[]), (7, 400)),
        ("D21: absolute", about("http://app.example.com/public", &[]), (7, 400)),
        ("D21: no host", with(|http| http.host.clear()), (7, 400)),
        ("D21: no method", with(|http| http.method.clear()), (7, 400)),
        ("D21: no scheme", with(|http| http.scheme.clear()), (7, 400)),
        (
            "D07",
            with(|http| http.scheme = Bytes::from_static(b"javascript")),
            (7, 400),
        ),
        (
            "D06",
            with(|http| http.host = Bytes::from_static(b"app.example.com,evil.test")),
            (7, 400),
        ),
        (
            "D06",
            with(|http| http.host = Bytes::from_static(b"APP.example.com.:443")),
            (0, 0),
        ),
        (
            "D22",
            with(|http| http.host = Bytes::from_static(b"other.example.com")),
            (7, 403),
        ),
        ("D37", about(&format!("/public/{}", "a".repeat(65_536)), &[]), (7, 400)),
        ("D37", about("/public", &[("x", "y"); 257]), (7, 400)),
        (
            "D20: no UTF-8",
            with(|http| http.path = Bytes::from_static(b"/public/\xff")),
            (7, 400),
        ),
        (
            "D04",
            about("/", &[("x-forwarded-uri", "/public"), ("x-original-url", "/public")]),
            (16, 401),
        ),
        ("D05", about("/", &[(":path", "/public")]), (16, 401)),
        ("D25", about("/public", &[("a b", "")]), (7, 400)),
        ("D25", about("/public", &[("a", "b\r\nx-auth-user: c")]), (7, 400)),
    ] {
        assert_eq!(decision(&ask(&stand, &question).await), expected, "{case}");
    }
}

#[tokio::test]
async fn d24_what_cannot_be_read_is_denied_and_no_error() {
    let stand = Stand::new().await;
    let public = framed(&about("/public", &[]).encode_to_vec());
    assert_eq!(decision(&say(&stand, PEER, public.clone()).await), (0, 0), "control");
    let twice = [public.clone(), public.clone()].concat();
    let mut cut = public.to_vec();
    cut.truncate(public.len() - 1);
    let long = about("/public", &[("x", &"y".repeat(super::MAX_QUESTION))]);
    for (case, body) in [
        ("nothing", Bytes::new()),
        ("no message", Bytes::from(framed(b"").to_vec())),
        ("no protobuf", Bytes::from(framed(b"\xff\xff\xff\xff").to_vec())),
        ("no frame", Bytes::from_static(b"hello")),
        ("half a frame", Bytes::from(cut)),
        ("two messages", Bytes::from(twice)),
        ("too long", Bytes::from(framed(&long.encode_to_vec()).to_vec())),
        ("compressed", Bytes::from([&[1][..], &public[1..]].concat())),
    ] {
        let code = decision(&say(&stand, PEER, body).await);
        assert_eq!(code, (7, 400), "D24: {case}");
    }
    let empty = Stand::empty().await;
    let nothing_yet = say(&empty, PEER, public.clone()).await;
    assert_eq!(decision(&nothing_yet), (14, 503), "D24: no Snapshot");
    let stranger = "203.0.113.1".parse().unwrap();
    assert_eq!(decision(&say(&stand, stranger, public).await), (7, 403), "D27");
}

#[tokio::test]
async fn d27_the_secret_of_proxies_is_metadata_and_no_header_of_the_client() {
    let secret = "0123456789abcdef0123456789abcdef";
    let proof = "  proxyAuth: {secretRefs: [{name: proxies, key: secret}]}\n  signup: {enabled: true}\n";
    let resources = RESOURCES.replacen("  signup: {enabled: true}\n", proof, 1);
    let secrets =
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: proxies}}\nstringData: {{secret: {secret}}}\n");
    let stand = Stand::with(&(resources + &secrets)).await;
    let question = about("/public", &[("x-authd-proxy", secret), ("accept", "*/*")]);
    assert_eq!(
        decision(&ask(&stand, &question).await),
        (7, 403),
        "D27: a client says it"
    );
    let body = framed(&question.encode_to_vec());
    let shown = say_with(&stand, &[("x-authd-proxy", secret)], body).await;
    assert_eq!(decision(&shown), (0, 0), "D27 control: the proxy says it");
    let removed = &passed(&shown).headers_to_remove;
    assert!(
        removed.iter().any(|name| name == "x-authd-proxy"),
        "it is passed on: {removed:?}"
    );
    assert!(!format!("{shown:?}").contains(secret), "it is passed on: {shown:?}");
}

#[tokio::test]
async fn d20_every_value_of_a_header_that_was_sent_twice_is_seen() {
    let stand = Stand::new().await;
    let bearer = format!("Bearer {KEY}");
    let joined = |value: &str| {
        with(|http| {
            http.path = Bytes::from_static(b"/v1/deploys");
            http.header_map = None;
            http.headers
                .insert("authorization".to_owned(), value.as_bytes().to_vec());
        })
    };
    for (case, question, expected) in [
        ("control", about("/v1/deploys", &[("authorization", &bearer)]), 0),
        ("control", joined(&bearer), 0),
        (
            "twice",
            about("/v1/deploys", &[("authorization", &bearer), ("authorization", &bearer)]),
            16,
        ),
        (
            "twice",
            about(
                "/v1/deploys",
                &[("authorization", "Bearer x"), ("Authorization", &bearer)],
            ),
            16,
        ),
        ("joined", joined(&format!("{bearer},{bearer}")), 16),
        ("joined", joined(&format!("Basic x,{bearer}")), 16),
        (
            "two cookies",
            about("/", &[("cookie", "token=a"), ("cookie", "token=b")]),
            16,
        ),
    ] {
        assert_eq!(decision(&ask(&stand, &question).await).0, expected, "D20: {case}");
    }
}

#[tokio::test]
async fn the_application_gets_our_identity_and_no_spelling_of_the_clients() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    let lies = [
        ("x-auth-user", "lie"),
        ("x_auth_user", "lie"),
        ("X-AUTH_roles", "lie"),
        ("x.auth.groups", "lie"),
        ("remote-user", "lie"),
        ("remote_user", "lie"),
        ("x-forwarded-groups", "lie"),
        ("x-auth-token", "the application's own"),
        ("accept", "text/html"),
    ];
    let nobody = ask(&stand, &about("/public", &lies)).await;
    let removed: Vec<&str> = passed(&nobody).headers_to_remove.iter().map(String::as_str).collect();
    assert!(passed(&nobody).headers.is_empty(), "D01: {nobody:?}");
    let usual = policy::identity_headers::IdentityHeaders::default();
    for (_, name) in usual.names() {
        assert!(removed.contains(&name), "D01: {name}: {removed:?}");
    }
    for name in [
        "x_auth_user",
        "x-auth_roles",
        "x.auth.groups",
        "remote-user",
        "remote_user",
        "x-forwarded-groups",
    ] {
        assert!(removed.contains(&name), "D02: {name}: {removed:?}");
    }
    for name in ["x-auth-token", "accept"] {
        assert!(!removed.contains(&name), "D02 control: {name}");
    }

    stand.advance("7h");
    let cookie = ("cookie", &*format!("token={token}"));
    let known = ask(&stand, &about("/", &[&lies[..], &[cookie]].concat())).await;
    let said = pairs(&passed(&known).headers);
    assert_eq!(
        (said["x-auth-email"], said["x-auth-roles"]),
        ("admin@example.com", "admin")
    );
    let removed = &passed(&known).headers_to_remove;
    assert!(
        !removed.iter().any(|name| said.contains_key(&**name)),
        "D01: what is set is removed"
    );
    assert!(removed.iter().any(|name| name == "x_auth_user"), "D02: {removed:?}");
    let cookies = &passed(&known).response_headers_to_add;
    assert!(
        cookies.len() == 1 && pairs(cookies)["set-cookie"].starts_with("token="),
        "a session past its half is renewed: {cookies:?}"
    );
    let metadata = known.dynamic_metadata.as_ref().unwrap();
    let told = format!("{:?}", metadata.fields["principal"]);
    assert!(
        told.contains(said["x-auth-user"]) && told.contains("\"user\"") && told.contains("\"admin\""),
        "{told}"
    );
    assert!(!told.contains("@"), "an address is in access logs: {told}");
}

#[tokio::test]
async fn how_long_a_connection_may_stay_open_is_in_a_header_and_in_the_metadata() {
    let stand = Stand::new().await;
    let key = "Bearer sk-0123456789abcdef0123456789abcdef";
    let known = ask(&stand, &about("/v1/deploys", &[("authorization", key)])).await;
    let age: f64 = pairs(&passed(&known).headers)["x-auth-max-age"].parse().unwrap();
    let metadata = known.dynamic_metadata.as_ref().unwrap();
    let told = &metadata.fields["maxConnectionAge"].kind;
    assert_eq!(told, &Some(prost_types::value::Kind::NumberValue(age)));
    let nobody = ask(&stand, &about("/public", &[("x-auth-max-age", "1")])).await;
    let removed = &passed(&nobody).headers_to_remove;
    assert!(removed.iter().any(|name| name == "x-auth-max-age"), "D01: {removed:?}");
    assert!(!nobody.dynamic_metadata.unwrap().fields.contains_key("maxConnectionAge"));
}

#[tokio::test]
async fn a_refusal_carries_what_the_client_is_told() {
    let stand = Stand::new().await;
    let browser = ask(
        &stand,
        &about("/a?b=c", &[("accept", "text/html"), ("cookie", "token=old")]),
    )
    .await;
    let told = pairs(&denied(&browser).headers);
    assert_eq!(
        told["location"],
        "https://auth.example.com/login?return_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc"
    );
    assert!(told["set-cookie"].contains("Max-Age=0"), "E02: {told:?}");
    assert_eq!(told["cache-control"], "no-store");
    let program = ask(&stand, &about("/", &[])).await;
    let told = pairs(&denied(&program).headers);
    assert_eq!(told["www-authenticate"], "Bearer realm=\"authd\"");
    assert!(denied(&program).body.contains("\"unauthenticated\""), "{program:?}");
    assert_eq!(program.dynamic_metadata, None);
}

#[tokio::test]
async fn a_route_may_name_the_policy_that_governs_and_gains_nothing_by_another() {
    let resources = RESOURCES.replace("hosts: [app.example.com]", "mode: Shadow\n  hosts: [app.example.com]");
    let open = "---\napiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: open}\nspec:\n  hosts: \
                [open.example.com]\n  rules: [{allow: {anyone: true}}]\n";
    for (mode, resources) in [("Enforce", RESOURCES), ("Shadow", &resources)] {
        let stand = Stand::with(&format!("{resources}{open}")).await;
        for (named, path, expected) in [
            (Some("default/app"), "/public", (0, 0)),
            (None, "/public", (0, 0)),
            (Some("default/open"), "/public", (7, 403)),
            (Some("default/open"), "/", (7, 403)),
            (Some("default/missing"), "/public", (7, 403)),
            (Some("app"), "/public", (7, 403)),
            (Some(""), "/public", (7, 403)),
            (
                Some("default/app"),
                "/admin",
                if mode == "Shadow" { (0, 0) } else { (16, 401) },
            ),
        ] {
            let mut question = about(path, &[]);
            let extensions = &mut question.attributes.as_mut().unwrap().context_extensions;
            extensions.insert("virtual_host".to_owned(), "any".to_owned());
            extensions.extend(named.map(|named| ("policy".to_owned(), named.to_owned())));
            let decided = decision(&ask(&stand, &question).await);
            assert_eq!(decided, expected, "{mode}: {named:?} {path}");
        }
    }
}

/// Every number of a message on the wire, with those inside of the messages that it holds.
fn numbers(schema: &FileDescriptorSet, of: &DescriptorProto, mut bytes: &[u8], at: &str, found: &mut Vec<String>) {
    while !bytes.is_empty() {
        let (number, wire) = prost::encoding::decode_key(&mut bytes).unwrap();
        let field = of.field.iter().find(|field| field.number() == number.cast_signed());
        let field = field.unwrap_or_else(|| panic!("{at} has a field {number} that is not described"));
        let at = format!("{at}.{}", field.name());
        found.push(at.clone());
        let context = prost::encoding::DecodeContext::default();
        if field.type_name.is_none() && field.r#type() == prost_types::field_descriptor_proto::Type::Int32 {
            prost::encoding::skip_field(wire, number, &mut bytes, context).unwrap();
            continue;
        }
        let length = prost::encoding::decode_varint(&mut bytes).unwrap().try_into().unwrap();
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        if let Some(name) = &field.type_name {
            let messages = schema.file.iter().flat_map(|file| {
                let tops = file
                    .message_type
                    .iter()
                    .map(|top| (format!(".{}.{}", file.package(), top.name()), top));
                tops.flat_map(|(name, top)| {
                    let nested = top.nested_type.iter().map({
                        let name = name.clone();
                        move |nested| (format!("{name}.{}", nested.name()), nested)
                    });
                    let deeper = top.nested_type.iter().flat_map({
                        let name = name.clone();
                        move |nested| {
                            let name = format!("{name}.{}", nested.name());
                            nested
                                .nested_type
                                .iter()
                                .map(move |deep| (format!("{name}.{}", deep.name()), deep))
                        }
                    });
                    nested.chain(deeper).chain([(name, top)]).collect::<Vec<_>>()
                })
            });
            let inner = messages.into_iter().find(|(known, _)| known == name);
            let (_, inner) = inner.unwrap_or_else(|| panic!("{at} holds {name}, which is not described"));
            numbers(schema, inner, value, &at, found);
        }
    }
}

/// A question and answers of which every field holds something.
fn filled() -> (CheckRequest, [CheckResponse; 2]) {
    let mut request = about("/", &[("a", "b")]);
    let attributes = request.attributes.as_mut().unwrap();
    attributes.context_extensions.insert("a".to_owned(), "b".to_owned());
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    http.headers.insert("a".to_owned(), b"b".to_vec());
    http.header_map.as_mut().unwrap().headers[0].value = Bytes::from_static(b"b");
    let option = || HeaderOption {
        header: Some(Header {
            key: "a".to_owned(),
            value: Bytes::from_static(b"b"),
            raw_value: Bytes::from_static(b"c"),
        }),
    };
    let metadata = super::metadata(&policy::Principal::anonymous(), None);
    let allowed = CheckResponse {
        status: Some(Status { code: 1 }),
        http_response: Some(HttpResponse::Ok(Passed {
            headers: vec![option()],
            headers_to_remove: vec!["a".to_owned()],
            response_headers_to_add: vec![option()],
        })),
        dynamic_metadata: Some(metadata),
    };
    let refused = CheckResponse {
        http_response: Some(HttpResponse::Denied(Denied {
            status: Some(HttpStatus { code: 403 }),
            headers: vec![option()],
            body: "no".to_owned(),
        })),
        ..CheckResponse::default()
    };
    (request, [allowed, refused])
}

#[test]
fn what_reflection_says_is_what_is_read_and_written() {
    let schema = schema::files();
    let top = |name: &str| {
        let mut messages = schema.file.iter().flat_map(|file| &file.message_type);
        messages.find(|message| message.name() == name).unwrap()
    };
    let (request, responses) = filled();
    let mut found = Vec::new();
    numbers(
        &schema,
        top("CheckRequest"),
        &request.encode_to_vec(),
        "CheckRequest",
        &mut found,
    );
    for response in responses {
        numbers(
            &schema,
            top("CheckResponse"),
            &response.encode_to_vec(),
            "CheckResponse",
            &mut found,
        );
    }
    for expected in [
        "CheckRequest.attributes.source.address.socket_address.address",
        "CheckRequest.attributes.request.http.header_map.headers.raw_value",
        "CheckRequest.attributes.request.http.headers.value",
        "CheckRequest.attributes.context_extensions.value",
        "CheckResponse.ok_response.headers_to_remove",
        "CheckResponse.ok_response.response_headers_to_add.header.value",
        "CheckResponse.denied_response.status.code",
        "CheckResponse.dynamic_metadata.fields.value.struct_value.fields.value.string_value",
    ] {
        assert!(found.iter().any(|at| at == expected), "{expected}: {found:?}");
    }
}
