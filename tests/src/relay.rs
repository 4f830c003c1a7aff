//! A TCP connection that goes through us, and that fails as networks do: what is sent is slow, or does not arrive and nobody says so,
//! or it is cut, or the way leads elsewhere.

use std::future::pending;
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

/// What becomes of connections that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// They are closed.
    Cut,
    /// Nothing passes on them any more, for good, and neither side is told.
    Silent,
}

/// A relay to one address at a time.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
    /// Ends with us.
    _accepting: JoinSet<()>,
}

/// Where new connections lead and what passes, and what became of those that were made before.
#[derive(Clone, Copy, Debug)]
struct Way {
    port: u16,
    passage: Passage,
    era: u32,
    loss: Loss,
}

impl Relay {
    /// Starts one.
    ///
    /// # Panics
    /// No port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let way = Arc::new(watch::Sender::new(Way {
            port,
            passage: Passage::Open,
            era: 0,
            loss: Loss::Cut,
        }));
        let seen = Arc::clone(&way);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(relayed(near, seen.subscribe()));
            }
        });
        Self {
            address,
            way,
            _accepting: accepting,
        }
    }

    /// What happens from now on.
    pub fn set(&self, passage: Passage) {
        self.way.send_modify(|way| way.passage = passage);
    }

    /// Loses every connection that is there. New ones lead to this port.
    pub fn lead_to(&self, port: u16, loss: Loss) {
        self.way.send_modify(|way| {
            *way = Way {
                port,
                era: way.era + 1,
                loss,
                ..*way
            }
        });
    }
}

async fn relayed(near: TcpStream, mut way: watch::Receiver<Way>) {
    let Way { port, era, .. } = *way.borrow_and_update();
    let carried = async {
        let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
            return;
        };
        for stream in [&near, &far] {
            let _ = stream.set_nodelay(true);
        }
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(pass(near_in, far_out, way.clone()), pass(far_in, near_out, way.clone()));
    };
    tokio::pin!(carried);
    let mut later = way.clone();
    let lost = later.wait_for(|way| way.era != era);
    let loss = tokio::select! {
        () = &mut carried => return,
        lost = lost => lost.map(|way| way.loss),
    };
    // What is held on to here stays open until the relay ends.
    if matches!(loss, Ok(Loss::Silent)) {
        pending::<()>().await;
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let Ok(passage) = way
            .wait_for(|way| way.passage != Passage::Stalled)
            .await
            .map(|way| way.passage)
        else {
            return;
        };
        if passage == Passage::Slow {
            tokio::time::sleep(DELAY).await;
        }
        if to.write_all(bytes.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
