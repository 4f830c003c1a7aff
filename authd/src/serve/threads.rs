//! A listener that proxies ask on, on threads of its own, so that nothing else that happens here is felt there.
//!
//! A connection to the database breaks with the thread that opened it, and whoever needs one next may be on another. So no thread ends
//! before all requests are answered, also those of other listeners.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listen::{self, Connected, Protocol};

#[cfg(test)]
mod tests;

/// The threads of one listener, one for each core. They share its address and so its connections.
pub(super) struct Threads {
    pub(super) address: SocketAddr,
    running: Vec<JoinHandle<()>>,
    /// Those that still answer.
    answering: TaskTracker,
    end: CancellationToken,
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
            answering: TaskTracker::new(),
            end: CancellationToken::new(),
        };
        for listener in listeners {
            let (answer, protocol, stop) = (answer.clone(), protocol.clone(), stop.clone());
            let (answering, end) = (threads.answering.token(), threads.end.clone());
            let listener = listener.into_std()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let serve = move || {
                runtime.block_on(async move {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => listen::serve(listener, protocol, stop, answer).await,
                        Err(error) => tracing::error!(error = %error, "a listener does not start"),
                    }
                    drop(answering);
                    end.cancelled().await;
                });
            };
            threads
                .running
                .push(std::thread::Builder::new().name(name.to_owned()).spawn(serve)?);
        }
        Ok(threads)
    }

    /// Returns once the stop has come and every request is answered.
    pub(super) async fn have_answered(&self) {
        self.answering.close();
        self.answering.wait().await;
    }

    /// Ends every thread.
    pub(super) fn end(self) {
        self.end.cancel();
        for thread in self.running {
            let _ = thread.join();
        }
    }
}
