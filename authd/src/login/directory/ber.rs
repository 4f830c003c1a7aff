//! What do these bytes say? The part of ASN.1's basic encoding rules that LDAP uses (RFC 4511 section 5.1).
//!
//! The reader goes where it is told and nowhere else: it never follows what it reads any deeper, so that nothing that a server
//! sends can make it recurse, and it never copies.

#[cfg(test)]
mod tests;

/// The longest message that is read, in bytes.
pub(super) const MAX_MESSAGE: usize = 1024 * 1024;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no LDAP message")]
pub struct Malformed;

/// An element with these contents.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let significant = length.iter().position(|byte| *byte != 0).unwrap_or(length.len());
            let digits = length.get(significant..).unwrap_or_default();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            bytes.extend(digits);
        }
    }
    bytes.extend(contents);
    bytes
}

/// A whole number.
pub(super) fn integer(tag: u8, value: i32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    // The shortest form: no byte at the front that only repeats the sign.
    let repeats =
        |pair: &[u8]| matches!(pair, [0, next] if next & 0x80 == 0) || matches!(pair, [0xff, next] if next & 0x80 != 0);
    let skipped = bytes.windows(2).take_while(|pair| repeats(pair)).count();
    element(tag, bytes.get(skipped..).unwrap_or(&bytes))
}

/// Elements one after the other, in an element around them.
pub(super) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// How long the message at the beginning of these bytes is; `None` while that cannot be told.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    match bytes.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(Malformed),
    }
    let Some((length, header)) = length(bytes.get(1..).unwrap_or_default())? else {
        return Ok(None);
    };
    let whole = 1 + header + length;
    if whole > MAX_MESSAGE {
        Err(Malformed)
    } else {
        Ok(Some(whole))
    }
}

/// A length and how many bytes it takes; `None` where they are not all there.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((usize::from(first), 1)));
    }
    let digits = usize::from(first & 0x7f);
    // No digits means a length that is only known at the end, which LDAP does not have.
    if digits == 0 || digits > 4 {
        return Err(Malformed);
    }
    let Some(digits) = bytes.get(1..=digits) else {
        return Ok(None);
    };
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    Ok(Some((length, 1 + digits.len())))
}

/// Reads elements from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let tag = self.tag().filter(|tag| tag & 0x1f != 0x1f).ok_or(Malformed)?;
        let (length, header) = length(self.0.get(1..).unwrap_or_default())?.ok_or(Malformed)?;
        let begin = 1 + header;
        let end = begin.checked_add(length).ok_or(Malformed)?;
        let contents = self.0.get(begin..end).ok_or(Malformed)?;
        self.0 = self.0.get(end..).unwrap_or_default();
        Ok((tag, contents))
    }

    /// The contents of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.next()? {
            (found, contents) if found == tag => Ok(contents),
            _ => Err(Malformed),
        }
    }

    /// The contents of the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.tag() == Some(tag) {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The next element, which must be a whole number of at most four bytes.
    pub(super) fn number(&mut self, tag: u8) -> Result<i32, Malformed> {
        number(self.expect(tag)?)
    }
}

/// A whole number of at most four bytes.
pub(super) fn number(contents: &[u8]) -> Result<i32, Malformed> {
    let (first, rest) = contents.split_first().ok_or(Malformed)?;
    if rest.len() > 3 {
        return Err(Malformed);
    }
    let begin = i32::from(first.cast_signed());
    Ok(rest.iter().fold(begin, |number, byte| number << 8 | i32::from(*byte)))
}
