//! A listener that proxies ask on, on threads of its own, so that nothing else that happens here is felt there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio_util::sync::CancellationToken;

use crate::listen::{self, Connected, Protocol};

/// The threads of one listener, one for each core. They share its address and so its connections.
pub(super) struct Threads {
    pub(super) address: SocketAddr,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Listens until the stop.
    pub(super) fn start<A, F, B>(
        name: &str,
        address: SocketAddr,
        protocol: &Protocol,
        stop: &CancellationToken,
        answer: A,
    ) -> anyhow::Result<Self>
    where
        A: Fn(Connected, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut listeners = vec![listen::bind_shared(address)?];
        let address = listeners
            .first()
            .map_or(Ok(address), tokio::net::TcpListener::local_addr)?;
        for _ in 1..cores {
            listeners.push(listen::bind_shared(address)?);
        }
        let mut threads = Self {
            address,
            running: Vec::new(),
        };
        for listener in listeners {
            let (answer, protocol, stop) = (answer.clone(), protocol.clone(), stop.clone());
            let listener = listener.into_std()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let serve = move || {
                runtime.block_on(async move {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => listen::serve(listener, protocol, stop, answer).await,
                        Err(error) => tracing::error!(error = %error, "a listener does not start"),
                    }
                });
            };
            threads
                .running
                .push(std::thread::Builder::new().name(name.to_owned()).spawn(serve)?);
        }
        Ok(threads)
    }

    /// Returns once every thread has ended.
    pub(super) fn wait(self) {
        for thread in self.running {
            let _ = thread.join();
        }
    }
}
