//! Requests as no well-behaved client sends them: bytes on a socket.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a server may put up with whoever says nothing, or too little.
const LONGEST: Duration = Duration::from_secs(20);
/// How long the other side may keep the connection open.
const PATIENCE: Duration = Duration::from_secs(3);

/// Everything that the other side sent until it closed or said nothing more.
#[derive(Debug)]
pub struct Heard {
    /// The bytes, as text.
    pub text: String,
    /// Whether it closed the connection.
    pub closed: bool,
}

/// Sends bytes, and listens until the other side closes or is silent.
///
/// # Panics
/// There is nobody.
pub async fn say(address: &str, bytes: &[u8]) -> Heard {
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)
        .await
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    // The other side may well close in the middle of it.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => {
                return Heard {
                    text: String::from_utf8_lossy(&heard).into_owned(),
                    closed: true,
                };
            }
            Ok(Ok(read)) => heard.extend(buffer.iter().take(read)),
            Err(_) => {
                return Heard {
                    text: String::from_utf8_lossy(&heard).into_owned(),
                    closed: false,
                };
            }
        }
    }
}

/// Asks for an upgrade.
///
/// # Errors
/// What was answered instead.
///
/// # Panics
/// There is nobody.
pub async fn upgrade(address: &str, request: &str) -> Result<TcpStream, Heard> {
    let mut stream = TcpStream::connect(address)
        .await
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    let _ = stream.write_all(request.as_bytes()).await;
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        match tokio::time::timeout(PATIENCE, stream.read_u8()).await {
            Ok(Ok(byte)) => heard.push(byte),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let heard = Heard {
        text: String::from_utf8_lossy(&heard).into_owned(),
        closed: false,
    };
    if heard.status() == 101 { Ok(stream) } else { Err(heard) }
}

/// Sends the beginning of a request and then a byte now and then, for as long as the other side neither answers nor closes.
///
/// # Panics
/// There is nobody, or it puts up with this for longer than anything may take.
pub async fn drip(address: &str, begin: &[u8], what: &str) -> Heard {
    let mut stream = TcpStream::connect(address)
        .await
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    let _ = stream.write_all(begin).await;
    let mut drops = tokio::time::interval(Duration::from_millis(200));
    let (mut heard, mut buffer) = (Vec::new(), [0_u8; 4096]);
    let ended = tokio::time::timeout(LONGEST, async {
        loop {
            tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return true,
                    Ok(read) => {
                        heard.extend(buffer.iter().take(read));
                        return false;
                    }
                },
                _ = drops.tick() => drop(stream.write_all(b"a").await),
            }
        }
    });
    let closed = ended.await.unwrap_or_else(|_| panic!("{what}: more is waited for"));
    Heard {
        text: String::from_utf8_lossy(&heard).into_owned(),
        closed,
    }
}

/// Whether what is written to a connection comes back.
pub async fn echoes(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 5];
    let echo = async {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut heard).await
    };
    matches!(tokio::time::timeout(PATIENCE, echo).await, Ok(Ok(_))) && &heard == b"hello"
}

/// Waits until the other side has closed a connection.
///
/// # Panics
/// It does not.
pub async fn ends(stream: &mut TcpStream, what: &str) {
    let mut buffer = [0; 64];
    let ended = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
    let ended = tokio::time::timeout(LONGEST, ended).await;
    assert!(ended.is_ok(), "{what}: the connection stays open");
}

impl Heard {
    /// The status codes of all answers, in order.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        self.text
            .split("HTTP/1.")
            .skip(1)
            .filter_map(|answer| answer.get(2..5)?.parse().ok())
            .collect()
    }

    /// The status of the first answer; 0 where there is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.statuses().first().copied().unwrap_or_default()
    }
}
