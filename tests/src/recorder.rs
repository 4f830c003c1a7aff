//! An application that keeps every byte that reached it, and answers 200 to whatever looks like a request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running application.
#[derive(Debug)]
pub struct Recorder {
    /// Its port.
    pub port: u16,
    bytes: Arc<Mutex<String>>,
    _server: JoinSet<()>,
}

impl Recorder {
    /// Starts it, in the caller's runtime.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let bytes = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&bytes);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&kept)));
            }
        });
        Self {
            port,
            bytes,
            _server: server,
        }
    }

    /// What reached it since the last time.
    #[must_use]
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Every block that ends in an empty line is answered; what stands between is kept and not understood.
async fn answer(mut stream: TcpStream, kept: Arc<Mutex<String>>) {
    let (mut buffer, mut last) = ([0_u8; 8192], String::new());
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await {
        let text = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default()).into_owned();
        kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        last.push_str(&text);
        while let Some((head, rest)) = last.split_once("\r\n\r\n") {
            let begins = head
                .lines()
                .any(|line| line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0"));
            let said = begins
                && stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npassed")
                    .await
                    .is_ok();
            last = rest.to_owned();
            if begins && !said {
                return;
            }
        }
    }
}
