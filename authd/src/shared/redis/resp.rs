//! What is said to a Redis server, and what did it answer? (RESP, version 2: <https://redis.io/docs/latest/develop/reference/protocol-spec/>)
//!
//! Every answer that is waited for here is small, so whatever is long or deep is no answer but nonsense, and is never kept in memory.

#[cfg(test)]
mod tests;

/// The most bytes that an answer may have.
pub(super) const MOST: usize = 64 * 1024;
/// The most answers in an answer.
const MOST_IN_ONE: usize = 64;
/// How deep they may be in each other.
const DEEPEST: usize = 4;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// There is nothing of the kind.
    Nothing,
    /// Several answers.
    List(Vec<Reply>),
    /// The server refused: a word in capitals that says why, and a text for people.
    Error(String),
}

/// What came is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it says is no answer of a Redis server")]
pub(super) struct Nonsense;

/// A command as it is sent.
pub(super) fn command<'a>(parts: impl IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>) -> Vec<u8> {
    let parts = parts.into_iter();
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The first answer in what came, and how many bytes it took; `None` where it is not all there yet.
///
/// # Errors
/// It is none, and never will be.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Nonsense> {
    let mut rest = bytes;
    match reply(&mut rest, DEEPEST)? {
        Some(reply) => Ok(Some((reply, bytes.len() - rest.len()))),
        None if bytes.len() > MOST => Err(Nonsense),
        None => Ok(None),
    }
}

/// Takes an answer from the front; what is left is of no use where `None` is returned.
fn reply(rest: &mut &[u8], deepest: usize) -> Result<Option<Reply>, Nonsense> {
    let Some(line) = line(rest) else { return Ok(None) };
    let (kind, text) = line.split_first().ok_or(Nonsense)?;
    let lossy = || String::from_utf8_lossy(text).into_owned();
    Ok(Some(match kind {
        b'+' => Reply::Text(lossy()),
        b'-' => Reply::Error(lossy()),
        b':' => Reply::Number(number(text)?),
        b'$' => match length(text, MOST)? {
            None => Reply::Nothing,
            Some(length) => match bulk(rest, length)? {
                Some(text) => Reply::Text(text),
                None => return Ok(None),
            },
        },
        b'*' => match length(text, MOST_IN_ONE)? {
            None => Reply::Nothing,
            Some(length) => {
                let deepest = deepest.checked_sub(1).ok_or(Nonsense)?;
                let mut list = Vec::with_capacity(length);
                for _ in 0..length {
                    match reply(rest, deepest)? {
                        Some(reply) => list.push(reply),
                        None => return Ok(None),
                    }
                }
                Reply::List(list)
            }
        },
        _ => return Err(Nonsense),
    }))
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr::memmem::find(rest, b"\r\n")?;
    let (line, after) = rest.split_at_checked(end)?;
    *rest = after.get(2..)?;
    Some(line)
}

fn bulk(rest: &mut &[u8], length: usize) -> Result<Option<String>, Nonsense> {
    let Some((text, after)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    match after.split_at_checked(2) {
        None => Ok(None),
        Some((b"\r\n", after)) => {
            *rest = after;
            Ok(Some(String::from_utf8_lossy(text).into_owned()))
        }
        Some(_) => Err(Nonsense),
    }
}

fn number(text: &[u8]) -> Result<i64, Nonsense> {
    let text = std::str::from_utf8(text).map_err(|_| Nonsense)?;
    text.parse().map_err(|_| Nonsense)
}

/// A length; `None` where there is nothing.
fn length(text: &[u8], most: usize) -> Result<Option<usize>, Nonsense> {
    match number(text)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(Nonsense),
        },
    }
}
