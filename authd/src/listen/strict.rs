//! Bytes of requests that have no body, with what lenient parsers would let pass made plain to them as an error.
//!
//! A line that ends with a bare LF, and a line that begins with white space (obs-fold), are read differently by different
//! servers (RFC 9112 sections 2.2 and 5.2). Such a byte is replaced by NUL, which no header may hold, so that the parser answers
//! 400 and closes the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that is read strictly.
#[derive(Debug)]
pub struct Strict<S> {
    inner: S,
    last: u8,
}

impl<S> Strict<S> {
    /// Reads `inner` strictly.
    pub fn new(inner: S) -> Self {
        Self { inner, last: 0 }
    }
}

/// Replaces what lenient parsers would let pass; `last` is the byte before, and becomes the last one seen.
///
/// Whatever is wrong stands at an LF or right behind one, so that nothing else is looked at.
fn spoil(last: &mut u8, bytes: &mut [u8]) {
    let is_fold = |byte: &u8| matches!(byte, b' ' | b'\t');
    let before = *last;
    let Some(end) = bytes.last().copied() else { return };
    *last = end;
    if let Some(first) = bytes.first_mut().filter(|first| before == b'\n' && is_fold(first)) {
        *first = 0;
    }
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| memchr(b'\n', rest)) {
        let at = from + found;
        let previous = at
            .checked_sub(1)
            .and_then(|at| bytes.get(at).copied())
            .unwrap_or(before);
        if let Some(bare) = bytes.get_mut(at).filter(|_| previous != b'\r') {
            *bare = 0;
        }
        if let Some(fold) = bytes.get_mut(at + 1).filter(|byte| is_fold(byte)) {
            *fold = 0;
        }
        from = at + 1;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Some(read) = buffer.filled_mut().get_mut(before..) {
            spoil(&mut self.last, read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::spoil;

    #[test]
    fn leniencies_are_spoiled_across_reads() {
        for (row, reads, expected) in [
            (
                "D30 control",
                &["GET / HTTP/1.1\r\nA: b c\r\n\r\n"][..],
                "GET / HTTP/1.1\r\nA: b c\r\n\r\n",
            ),
            ("D30", &["A: b\nC: d\r\n"], "A: b\0C: d\r\n"),
            ("D30", &["A: b\r\n c\r\n"], "A: b\r\n\0c\r\n"),
            ("D30", &["A: b\r\n", "\tc\r\n"], "A: b\r\n\0c\r\n"),
            ("D30 control", &["A: b\r", "\nC: d\r\n"], "A: b\r\nC: d\r\n"),
            ("D30", &["A: b", "\nC"], "A: b\0C"),
        ] {
            let mut last = 0;
            let mut seen = String::new();
            for read in reads {
                let mut bytes = read.as_bytes().to_vec();
                spoil(&mut last, &mut bytes);
                seen.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            assert_eq!(seen, expected, "{row}");
        }
    }

    #[test]
    fn d30_every_short_input_is_spoiled_as_byte_by_byte() {
        fn naive(last: &mut u8, bytes: &mut [u8]) {
            for byte in bytes {
                let bare = *byte == b'\n' && *last != b'\r';
                let folded = matches!(*byte, b' ' | b'\t') && *last == b'\n';
                *last = *byte;
                if bare || folded {
                    *byte = 0;
                }
            }
        }
        for (number, cut) in (0..4_u32.pow(6)).flat_map(|number| (0..=6).map(move |cut| (number, cut))) {
            let input: Vec<u8> = (0..6)
                .map(|place| b"a\r\n "[(number / 4_u32.pow(place) % 4) as usize])
                .collect();
            let [quick, slow] = [spoil, naive].map(|spoil| {
                let (mut bytes, mut last) = (input.clone(), 0);
                let (first, second) = bytes.split_at_mut(cut);
                spoil(&mut last, first);
                spoil(&mut last, second);
                (bytes, last)
            });
            assert_eq!(quick, slow, "{input:?} cut at {cut}");
        }
    }
}
