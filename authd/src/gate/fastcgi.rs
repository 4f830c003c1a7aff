//! A FastCGI authorizer, for Apache's `mod_authnz_fcgi`: one connection for each check, and no other role.
//!
//! The facts are CGI variables that Apache sets itself; what a client sends is in `HTTP_*`. An answer is a CGI response: status and
//! headers of a refusal; of a request that passes, each identity header as a variable with `_` for `-`, such as `X_AUTH_USER`.

mod records;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body_util::{BodyExt, Full};
use policy::principal::Identity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use self::records::{Malformed, Params, Progress, Records};
use super::answer;
use super::asked::{Answered, Asked, ask, in_time};
use super::counts::Outcome;
use super::facts::{self, Dialect, Refused};
use crate::app::App;
use crate::client_address::client_address;
use crate::identity::Caller;
use crate::listen::{self, Connected};
use crate::proxy_auth::{SECRET, is_proxy};

/// How long Apache may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The variable with the secret of proxies. No header becomes it: theirs begin with `HTTP_`.
const SECRET_PARAM: &str = "AUTHD_PROXY";
/// The variable that says who passes, and `anonymous` for nobody in particular: Apache wants a name for everybody.
const WHO: &str = "AUTHD_WHO";

/// Answers checks until the stop.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let ended = stop.clone();
    listen::each(listener, stop, move |stream, address| {
        let (app, ended) = (Arc::clone(&app), ended.clone());
        async move {
            tokio::select! {
                biased;
                talked = tokio::time::timeout(PATIENCE, talk(&app, stream, address)) => {
                    if let Ok(Err(error)) = talked {
                        tracing::debug!(error = %error, "a FastCGI connection ended early");
                    }
                }
                // Whoever has not asked yet is not waited for.
                () = ended.cancelled() => {}
            }
        }
    })
    .await;
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

async fn talk(app: &App, mut stream: TcpStream, address: IpAddr) -> Result<(), Error> {
    let (mut records, mut buffer) = (Records::default(), vec![0; 16 * 1024]);
    let (id, params) = loop {
        match records.progress()? {
            Progress::Asked(id, params) => break (id, params),
            Progress::More => {
                let read = stream.read(&mut buffer).await?;
                if read == 0 {
                    return Ok(());
                }
                records.add(buffer.get(..read).unwrap_or_default());
            }
        }
    };
    let peer = Connected {
        address,
        certificate: None,
    };
    let said = in_time(app, Dialect::FastCgi, answered(app, &peer, &params), || {
        refused(answer::unavailable())
    })
    .await;
    stream.write_all(&records::answer(id, &said)).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn answered(app: &App, peer: &Connected, params: &Params) -> (Outcome, Vec<u8>) {
    let answered = asked(app, peer, params).await;
    let said = match &answered.caller {
        Some(caller) => passed(caller, &answered.response),
        None => refused(answered.response),
    };
    (answered.outcome, said)
}

async fn asked(app: &App, peer: &Connected, params: &Params) -> Answered {
    let Some(serving) = app.serving() else {
        return Answered::unavailable();
    };
    let settings = serving.settings();
    if !is_proxy(settings, peer, &shown(params)) {
        return Answered::not_here();
    }
    let malformed = |fault| Answered::malformed(Dialect::FastCgi, fault);
    let headers = match headers(params) {
        Ok(headers) => headers,
        Err(fault) => return malformed(fault),
    };
    let fact = |name: &str| params.get(name).map_or(&b""[..], Vec::as_slice);
    let target = match facts::told(
        fact("REQUEST_METHOD"),
        fact("REQUEST_SCHEME"),
        fact("HTTP_HOST"),
        fact("REQUEST_URI"),
    ) {
        Ok(target) => target,
        Err(fault) => return malformed(fault),
    };
    let source = std::str::from_utf8(fact("REMOTE_ADDR"))
        .ok()
        .and_then(|text| text.parse().ok());
    let asked = Asked {
        dialect: Dialect::FastCgi,
        target,
        headers: &headers,
        client_ip: source.and_then(|source| client_address(settings, source, &headers)),
        policy: None,
    };
    ask(app, &serving, &asked).await
}

/// What the proxy shows of itself.
fn shown(params: &Params) -> HeaderMap {
    let secret = params
        .get(SECRET_PARAM)
        .and_then(|value| HeaderValue::from_bytes(value).ok());
    secret.map(|secret| (SECRET.clone(), secret)).into_iter().collect()
}

/// The request's own headers.
fn headers(params: &Params) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in params {
        if let Some(name) = name.strip_prefix("HTTP_") {
            let name = name.to_ascii_lowercase().replace('_', "-");
            let name = HeaderName::try_from(name).map_err(|_| Refused::Header)?;
            headers.insert(name, HeaderValue::from_bytes(value).map_err(|_| Refused::Header)?);
        }
    }
    Ok(headers)
}

/// The request may pass: 200, and who it is in variables.
fn passed(caller: &Caller, response: &Response<Full<Bytes>>) -> Vec<u8> {
    let mut said = b"Status: 200 OK\r\n".to_vec();
    let mut add = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            said.extend_from_slice(part);
        }
    };
    for (name, value) in response.headers() {
        if name == header::SET_COOKIE {
            add("Set-Cookie", value.as_bytes());
        } else if name != header::CACHE_CONTROL {
            let variable = name.as_str().to_ascii_uppercase().replace('-', "_");
            add(&format!("Variable-{variable}"), value.as_bytes());
        }
    }
    let who = match caller.principal.identity() {
        Identity::Anonymous => "anonymous",
        Identity::Service(service) => service,
        Identity::User(user) => &user.id,
    };
    add(&format!("Variable-{WHO}"), who.as_bytes());
    said.extend_from_slice(b"\r\n");
    said
}

/// The request may not pass, and this is what the client is told.
fn refused(response: Response<Full<Bytes>>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let mut said = format!("Status: {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            said.extend_from_slice(part);
        }
    }
    said.extend_from_slice(b"\r\n");
    let body = body.collect().now_or_never().and_then(Result::ok).unwrap_or_default();
    said.extend_from_slice(&body.to_bytes());
    said
}
