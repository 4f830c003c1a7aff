//! The answers in the bytes that came back, read leniently: a proxy under examination may answer anything.

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// The first value of a header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether the request passed: it was answered with 2xx, or the connection was upgraded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.status == 101 || (200..300).contains(&self.status)
    }
}

/// All final answers in these bytes, and a change of protocols; the last one may be cut short. `head` says that none has a body.
#[must_use]
pub fn answers(bytes: &[u8], head: bool) -> Vec<Answer> {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while let Some((answer, after)) = one(rest, head) {
        let last = answer.status == 101;
        if last || answer.status >= 200 {
            all.push(answer);
        }
        if last {
            break;
        }
        rest = after;
    }
    all
}

fn one(bytes: &[u8], head: bool) -> Option<(Answer, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")?;
    let (block, rest) = (bytes.get(..end)?, bytes.get(end + 4..)?);
    let block = String::from_utf8_lossy(block);
    let mut lines = block.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let mut answer = Answer {
        status,
        headers: lines.filter_map(header).collect(),
        body: String::new(),
    };
    let empty = head || status < 200 || matches!(status, 204 | 304);
    let (body, rest) = if empty {
        (Vec::new(), rest)
    } else if answer.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        chunks(rest)
    } else if let Ok(length) = answer.header("content-length").parse::<usize>() {
        let (body, rest) = rest.split_at(length.min(rest.len()));
        (body.to_vec(), rest)
    } else {
        (rest.to_vec(), &[][..])
    };
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Some((answer, rest))
}

/// What the chunks hold, and what follows them.
fn chunks(mut bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(bytes, b"\r\n") else {
            return (body, &[]);
        };
        let (line, after) = (
            bytes.get(..end).unwrap_or_default(),
            bytes.get(end + 2..).unwrap_or_default(),
        );
        let digits = String::from_utf8_lossy(line);
        let size = digits
            .split(';')
            .next()
            .map(str::trim)
            .map(|digits| usize::from_str_radix(digits, 16));
        match size {
            Some(Ok(0)) => {
                let trailers = find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
                return (body, bytes.get(trailers..).unwrap_or_default());
            }
            Some(Ok(size)) => {
                body.extend(after.iter().take(size));
                bytes = after.get(size.saturating_add(2)..).unwrap_or_default();
            }
            _ => return (body, &[]),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, head: bool, expected: &[(u16, &str)]) {
        let read = answers(bytes.as_bytes(), head);
        let read: Vec<(u16, &str)> = read.iter().map(|answer| (answer.status, &*answer.body)).collect();
        assert_eq!(read, expected, "{bytes}");
    }

    #[test]
    fn answers_are_told_apart() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        check(ok, false, &[(200, "ab")]);
        check(&format!("{ok}{ok}"), false, &[(200, "ab"), (200, "ab")]);
        check("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", false, &[(200, "ab")]);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 403 No\r\n\r\n",
            true,
            &[(200, ""), (403, "")],
        );
        check("HTTP/1.0 200 OK\r\n\r\nall the rest", false, &[(200, "all the rest")]);
        check(&format!("HTTP/1.1 100 Continue\r\n\r\n{ok}"), false, &[(200, "ab")]);
        check("HTTP/1.1 101 Switching\r\n\r\n\u{1}\u{2}", false, &[(101, "")]);
        check(
            "HTTP/1.1 204 None\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
            false,
            &[(204, ""), (403, "")],
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\nHTTP/1.1 400 Bad\r\n\r\n",
            false,
            &[(200, "abc"), (400, "")],
        );
        for nothing in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "nonsense\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
        ] {
            check(nothing, false, &[]);
        }
    }

    #[test]
    fn no_bytes_end_the_process() {
        for text in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nab",
            "HTTP/1.\r\n\r\n",
        ] {
            let whole = answers(text.as_bytes(), false);
            assert!(whole.len() <= 1, "{text}");
            for end in 0..text.len() {
                let _ = answers(&text.as_bytes()[..end], false);
            }
        }
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let answer = answers(b"HTTP/1.1 302 Found\r\nLOCATION:  /a \r\n\r\n", false).remove(0);
        assert_eq!(
            (answer.header("location"), answer.header("server"), answer.passed()),
            ("/a", "", false)
        );
    }
}
