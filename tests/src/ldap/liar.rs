//! A directory that answers what a story says, true or not, and counts what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A bind, in a question.
pub const BIND: u8 = 0x60;
/// A search, in a question.
pub const SEARCH: u8 = 0x63;
/// An extended request, in a question.
pub const EXTENDED: u8 = 0x77;

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its number, which answers repeat.
    pub id: u8,
    /// What kind it is.
    pub kind: u8,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What it does about it.
#[derive(Clone, Debug)]
pub enum Say {
    /// Sends this.
    This(Vec<u8>),
    /// Sends this, one byte a second.
    Slowly(Vec<u8>),
    /// Sends this again and again.
    ForEver(Vec<u8>),
    /// Nothing, and keeps the connection.
    Nothing,
}

/// A running server without TLS.
#[derive(Debug)]
pub struct Liar {
    /// Its address.
    pub url: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Liar {
    /// Starts one.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(say: impl Fn(&Question) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (asked, say) = (Arc::new(AtomicUsize::new(0)), Arc::new(say));
        let count = Arc::clone(&asked);
        let task = spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (say, count) = (Arc::clone(&say), Arc::clone(&count));
                spawn(async move { answer(stream, &count, &*say).await });
            }
        });
        Self {
            url: format!("ldap://127.0.0.1:{port}"),
            asked,
            task,
        }
    }

    /// How many questions came.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody waits for what a liar says")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(future)
}

async fn answer(mut stream: TcpStream, count: &AtomicUsize, say: &(dyn Fn(&Question) -> Say + Send + Sync)) {
    let mut bytes = Vec::new();
    loop {
        while let Some(question) = taken(&mut bytes) {
            count.fetch_add(1, Ordering::SeqCst);
            let sent = match say(&question) {
                Say::This(bytes) => stream.write_all(&bytes).await,
                Say::Slowly(bytes) => slowly(&mut stream, &bytes).await,
                Say::ForEver(bytes) => loop {
                    if let Err(error) = stream.write_all(&bytes).await {
                        break Err(error);
                    }
                },
                Say::Nothing => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    }
}

async fn slowly(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for byte in bytes {
        seconds.tick().await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}

/// The first whole question, if it is there. Numbers of questions are taken to have one byte.
fn taken(bytes: &mut Vec<u8>) -> Option<Question> {
    let (&first, rest) = bytes.get(1..)?.split_first()?;
    let digits = usize::from(first & 0x7f);
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let digits = rest.get(..digits)?;
        let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        (length, 2 + digits.len())
    };
    bytes.get(..header + length)?;
    let rest = bytes.split_off(header + length);
    let whole = std::mem::replace(bytes, rest);
    let [id, kind] = [whole.get(header + 2).copied()?, whole.get(header + 3).copied()?];
    Some(Question { id, kind, bytes: whole })
}

/// An element with these contents.
#[must_use]
pub fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, 0x84];
    bytes.extend(u32::try_from(contents.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(contents);
    bytes
}

/// How something ended, as the answer to a question.
#[must_use]
pub fn result(question: &Question, code: u8) -> Vec<u8> {
    let tag = match question.kind {
        BIND => 0x61,
        SEARCH => 0x65,
        _ => 0x78,
    };
    let outcome = [element(0x0a, &[code]), element(0x04, b""), element(0x04, b"")].concat();
    message(question, &element(tag, &outcome))
}

/// A success with a value, as the answer to an extended request.
#[must_use]
pub fn extended(question: &Question, value: &str) -> Vec<u8> {
    let outcome = [
        element(0x0a, &[0]),
        element(0x04, b""),
        element(0x04, b""),
        element(0x8b, value.as_bytes()),
    ];
    message(question, &element(0x78, &outcome.concat()))
}

/// An entry, as part of the answer to a search.
#[must_use]
pub fn entry(question: &Question, dn: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let attribute = |(name, value): &(&str, &str)| {
        let values = element(0x31, &element(0x04, value.as_bytes()));
        element(0x30, &[element(0x04, name.as_bytes()), values].concat())
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    let body = [element(0x04, dn.as_bytes()), element(0x30, &attributes)].concat();
    message(question, &element(0x64, &body))
}

/// A message that belongs to a question.
#[must_use]
pub fn message(question: &Question, body: &[u8]) -> Vec<u8> {
    element(0x30, &[element(0x02, &[question.id]), body.to_vec()].concat())
}
