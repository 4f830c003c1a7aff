//! A server of a story's own on loopback, which remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// More of a body, in bytes, is not kept, and not passed on.
const MAX_BODY: usize = 1024 * 1024;

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub struct Peer {
    /// Where it is, without a slash at the end.
    pub url: String,
    record: Arc<Record>,
    _server: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    busy: Mutex<Duration>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method and path, such as `POST /token`.
    pub line: String,
    /// What follows `?`.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Seen {
    /// A field of the form that it is.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        value(&self.body, name)
    }

    /// A parameter of its query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        value(&self.query, name)
    }
}

fn value(text: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(text.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl Peer {
    /// Starts what `router` makes of its own address.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(router: impl FnOnce(&str) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let record = Arc::default();
        let router = router(&url).layer(from_fn_with_state(Arc::clone(&record), remember));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            url,
            record,
            _server: server,
        }
    }

    /// Starts a router over what `state` makes of the server's own address, which the story keeps a hold of.
    ///
    /// # Panics
    /// No port is free.
    pub async fn over<T>(state: impl FnOnce(&str) -> T, router: impl FnOnce(Arc<T>) -> Router) -> (Self, Arc<T>) {
        let mut kept = None;
        let peer = Self::start(|url| {
            let state = Arc::new(state(url));
            kept = Some(Arc::clone(&state));
            router(state)
        })
        .await;
        (peer, kept.expect("the router was made"))
    }

    /// One that has nothing: a place where nobody should come.
    pub async fn empty() -> Self {
        Self::start(|_| Router::new()).await
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.record.seen).clone()
    }

    /// How long everything took that was asked so far.
    #[must_use]
    pub fn busy(&self) -> Duration {
        *locked(&self.record.busy)
    }

    /// What was asked with this method and path.
    #[must_use]
    pub fn seen_at(&self, line: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.line == line).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn remember(State(record): State<Arc<Record>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    locked(&record.seen).push(Seen {
        line: format!("{} {}", parts.method, parts.uri.path()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    *locked(&record.busy) += begun.elapsed();
    response
}

/// A port that is only counted at: who connects gets nothing.
#[derive(Debug)]
pub struct Sink {
    /// The port, on loopback.
    pub port: u16,
    connections: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Sink {
    /// Starts it.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let mut server = JoinSet::new();
        server.spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            port,
            connections,
            _server: server,
        }
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
