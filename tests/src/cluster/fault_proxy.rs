//! A man in the middle between an operator and the API server, who loses, delays and invents what he is told to.
//!
//! It speaks plain HTTP to the operator and passes every call on as an administrator of the cluster.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::{Cluster, kubeconfig};

/// A call on its way to the API server.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number since the start.
    pub number: usize,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
}

impl Call {
    /// Whether it changes something. Leases are left out: what leads is another story.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && !self.path.contains("/leases/")
    }

    /// Whether it watches.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// Whether it lists.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.method == Method::GET && self.path.contains("limit=")
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on, and answered.
    None,
    /// It is answered with this status and never passed on.
    Answer(u16),
    /// It is passed on, and the answer is lost.
    LoseTheAnswer,
    /// Of a watch, every so many-th event is left out.
    DropEvents(usize),
    /// Of a watch, every event comes twice.
    Repeat,
    /// Of a watch, every event comes so much later.
    Delay(Duration),
    /// A watch ends after this time.
    Close(Duration),
    /// A watch says nothing any more, and does not end.
    Silence,
}

type Rule = Box<dyn FnMut(&Call) -> Fault + Send>;

/// The man in the middle.
pub struct FaultProxy {
    address: String,
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
    _server: tokio::task::JoinSet<()>,
}

struct Shared {
    client: kube::Client,
    rule: Mutex<Rule>,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultProxy {
    /// Starts it, honest at first.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(cluster: &Cluster) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let shared = Arc::new(Shared {
            client: cluster.client().await,
            rule: Mutex::new(Box::new(|_| Fault::None)),
            calls: Mutex::default(),
            faults: Mutex::default(),
        });
        let router = axum::Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self {
            address,
            shared,
            folder,
            _server: server,
        }
    }

    /// A kubeconfig that leads through it.
    ///
    /// # Panics
    /// It cannot be written.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig");
        let text = kubeconfig::plain(&self.address).to_string();
        std::fs::write(&path, text).expect("a folder of the test can be written to");
        path
    }

    /// What becomes of calls from now on.
    pub fn does(&self, rule: impl FnMut(&Call) -> Fault + Send + 'static) {
        *locked(&self.shared.rule) = Box::new(rule);
    }

    /// Passes everything on from now on.
    pub fn is_honest(&self) {
        self.does(|_| Fault::None);
    }

    /// How many calls were disturbed so far.
    #[must_use]
    pub fn faults(&self) -> usize {
        *locked(&self.shared.faults)
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.shared.calls).clone()
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let call = {
        let mut calls = locked(&shared.calls);
        let call = Call {
            number: calls.len(),
            method: request.method().clone(),
            path: path.clone(),
        };
        calls.push(call.clone());
        call
    };
    let fault = (locked(&shared.rule))(&call);
    if fault != Fault::None {
        *locked(&shared.faults) += 1;
    }
    if let Fault::Answer(code) = fault {
        return refusal(code);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut on = http::Request::builder().method(parts.method).uri(path);
    for name in ["content-type", "accept"] {
        if let Some(value) = parts.headers.get(name) {
            on = on.header(name, value);
        }
    }
    let Ok(on) = on.body(kube::client::Body::from(body.to_vec())) else {
        return refusal(400);
    };
    match shared.client.send(on).await {
        Ok(answer) => shape(answer, fault),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn refusal(code: u16) -> Response {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "Fault", "message": "a fault" });
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, body.to_string()).into_response();
    answer
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    if code == 429 {
        answer
            .headers_mut()
            .insert("retry-after", HeaderValue::from_static("1"));
    }
    answer
}

/// Events of a watch are lines.
fn shape(answer: http::Response<kube::client::Body>, fault: Fault) -> Response {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove("transfer-encoding");
    let chunks = body
        .into_data_stream()
        .map(|chunk| chunk.map_err(std::io::Error::other));
    let body = match fault {
        Fault::None | Fault::Answer(_) => Body::from_stream(chunks),
        Fault::LoseTheAnswer => {
            parts.headers.remove("content-length");
            Body::from_stream(futures::stream::once(async {
                Err::<Bytes, _>(std::io::Error::other("lost"))
            }))
        }
        Fault::DropEvents(every) => {
            let numbered = lines(chunks).enumerate();
            Body::from_stream(
                numbered.filter_map(move |(number, line)| async move { ((number + 1) % every != 0).then_some(line) }),
            )
        }
        Fault::Repeat => Body::from_stream(lines(chunks).flat_map(|line| {
            let again = line.as_ref().map_or(Vec::new(), |line| vec![Ok(line.clone())]);
            futures::stream::iter(std::iter::once(line).chain(again))
        })),
        Fault::Delay(by) => Body::from_stream(lines(chunks).then(move |line| async move {
            tokio::time::sleep(by).await;
            line
        })),
        Fault::Close(after) => Body::from_stream(chunks.take_until(tokio::time::sleep(after))),
        Fault::Silence => Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>()),
    };
    Response::from_parts(parts, body)
}

fn lines(
    chunks: impl Stream<Item = Result<Bytes, std::io::Error>> + Send,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let cut = futures::stream::unfold((Box::pin(chunks), Vec::new()), |(mut chunks, mut kept)| async move {
        loop {
            if let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let rest = kept.split_off(end + 1);
                return Some((Ok(Bytes::from(kept)), (chunks, rest)));
            }
            match chunks.next().await? {
                Ok(chunk) => kept.extend_from_slice(&chunk),
                Err(error) => return Some((Err(error), (chunks, kept))),
            }
        }
    });
    Box::pin(cut)
}
