//! A TCP connection that goes through us, and that fails as networks do: nothing passes any more and nobody says so, or it is cut.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives.
    Open,
    /// It stays on the way, and connections stay open.
    Stalled,
}

/// A relay to one address.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    passage: Arc<watch::Sender<Passage>>,
    /// Ends with us.
    _accepting: JoinSet<()>,
}

impl Relay {
    /// Starts one.
    ///
    /// # Panics
    /// No port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let seen = Arc::clone(&passage);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                connections.spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(
                        pass(near_in, far_out, seen.subscribe()),
                        pass(far_in, near_out, seen.subscribe())
                    );
                });
            }
        });
        Self {
            address,
            passage,
            _accepting: accepting,
        }
    }

    /// What happens from now on.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut passage: watch::Receiver<Passage>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if passage.wait_for(|passage| *passage == Passage::Open).await.is_err()
            || to.write_all(bytes.get(..count).unwrap_or_default()).await.is_err()
        {
            return;
        }
    }
}
