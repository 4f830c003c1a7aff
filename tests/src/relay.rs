//! A TCP connection that goes through us, and that fails as networks do: what is sent is slow, or does not arrive and nobody
//! says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long what is sent is on the way where that is slow.
const DELAY: Duration = Duration::from_millis(200);

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives.
    Open,
    /// It arrives a fifth of a second later.
    Slow,
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
                    for stream in [&near, &far] {
                        let _ = stream.set_nodelay(true);
                    }
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
        let Ok(passes) = passage
            .wait_for(|passage| *passage != Passage::Stalled)
            .await
            .map(|passage| *passage)
        else {
            return;
        };
        if passes == Passage::Slow {
            tokio::time::sleep(DELAY).await;
        }
        if to.write_all(bytes.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
