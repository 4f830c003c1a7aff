//! The records of FastCGI 1.0, as far as an authorizer needs them: one request that begins, its parameters, and the answer.
//!
//! Nothing is repaired. Any byte that this does not expect ends the connection, and Apache then refuses the request.

use std::collections::BTreeMap;

/// The bytes before the content of a record.
const HEADER: usize = 8;
/// All parameters of a request together, in bytes.
const MAX_PARAMS: usize = 128 * 1024;
/// The most parameters of a request.
const MAX_COUNT: usize = 512;

const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDOUT: u8 = 6;

const AUTHORIZER: u16 = 2;

/// Parameters by name.
pub type Params = BTreeMap<String, Vec<u8>>;

/// Why bytes are no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not version 1.
    #[error("a record is not of version 1")]
    Version,
    /// A record that is not expected here.
    #[error("a record of type {0} is not expected here")]
    Unexpected(u8),
    /// Not the role of an authorizer.
    #[error("role {0} is not played here, only that of an authorizer")]
    Role(u16),
    /// A record is of another request.
    #[error("a connection is for one request")]
    OtherRequest,
    /// The beginning of a request has another length than 8 bytes.
    #[error("the beginning of a request is not 8 bytes long")]
    Beginning,
    /// The parameters end within a name or a value.
    #[error("the parameters end within one")]
    Cut,
    /// A parameter has no name, or one that is not text.
    #[error("a parameter has no name")]
    Name,
    /// A parameter is there twice.
    #[error("a parameter is there twice")]
    Twice,
    /// There is too much.
    #[error("there are too many parameters")]
    TooMuch,
}

/// How far the question has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// It is whole: the number of the request, and its parameters.
    Asked(u16, Params),
}

/// The records of one connection.
#[derive(Debug, Default)]
pub struct Records {
    /// What came and was not looked at.
    pending: Vec<u8>,
    /// The request that began.
    id: Option<u16>,
    /// Its parameters so far.
    params: Vec<u8>,
}

impl Records {
    /// Takes bytes as they come.
    pub fn add(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Looks at every record that is whole.
    ///
    /// # Errors
    /// Something is not as it should be.
    pub fn progress(&mut self) -> Result<Progress, Malformed> {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &*pending;
        while let Some((&[version, kind, id_high, id_low, length_high, length_low, padding, _], after)) =
            rest.split_first_chunk::<HEADER>()
        {
            if version != 1 {
                return Err(Malformed::Version);
            }
            let length = usize::from(u16::from_be_bytes([length_high, length_low]));
            let Some((content, after)) = after.split_at_checked(length) else {
                break;
            };
            let Some(after) = after.get(usize::from(padding)..) else {
                break;
            };
            let id = u16::from_be_bytes([id_high, id_low]);
            if let Some(params) = self.take(kind, id, content)? {
                return Ok(Progress::Asked(id, params));
            }
            rest = after;
        }
        self.pending = rest.to_vec();
        Ok(Progress::More)
    }

    /// Looks at one record; the last of the parameters makes the question whole.
    fn take(&mut self, kind: u8, id: u16, content: &[u8]) -> Result<Option<Params>, Malformed> {
        match (kind, self.id) {
            (BEGIN_REQUEST, None) if id != 0 => {
                let Ok(&[role_high, role_low, ..]) = <&[u8; 8]>::try_from(content) else {
                    return Err(Malformed::Beginning);
                };
                let role = u16::from_be_bytes([role_high, role_low]);
                if role != AUTHORIZER {
                    return Err(Malformed::Role(role));
                }
                self.id = Some(id);
                Ok(None)
            }
            (PARAMS, Some(begun)) if begun == id => {
                if content.is_empty() {
                    return read(&self.params).map(Some);
                }
                self.params.extend_from_slice(content);
                if self.params.len() > MAX_PARAMS {
                    return Err(Malformed::TooMuch);
                }
                Ok(None)
            }
            (_, Some(begun)) if begun != id => Err(Malformed::OtherRequest),
            _ => Err(Malformed::Unexpected(kind)),
        }
    }
}

/// Reads names and values (section 3.4 of the specification).
fn read(mut bytes: &[u8]) -> Result<Params, Malformed> {
    let mut params = Params::new();
    while !bytes.is_empty() {
        let (name_length, rest) = length(bytes)?;
        let (value_length, rest) = length(rest)?;
        let (name, rest) = rest.split_at_checked(name_length).ok_or(Malformed::Cut)?;
        let (value, rest) = rest.split_at_checked(value_length).ok_or(Malformed::Cut)?;
        bytes = rest;
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
            .ok_or(Malformed::Name)?;
        if params.len() == MAX_COUNT {
            return Err(Malformed::TooMuch);
        }
        if params.insert(name.to_owned(), value.to_vec()).is_some() {
            return Err(Malformed::Twice);
        }
    }
    Ok(params)
}

/// One byte up to 127, else four of which the first bit is set.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = bytes.split_first().ok_or(Malformed::Cut)?;
    if first < 0x80 {
        return Ok((first.into(), rest));
    }
    let (&[a, b, c, d], rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Cut)?;
    let length = u32::from_be_bytes([a & 0x7f, b, c, d]);
    Ok((usize::try_from(length).map_err(|_| Malformed::Cut)?, rest))
}

/// The records of an answer.
#[must_use]
pub fn answer(id: u16, said: &[u8]) -> Vec<u8> {
    let mut records = Vec::with_capacity(said.len() + 5 * HEADER);
    let mut add = |kind: u8, content: &[u8]| {
        let [id_high, id_low] = id.to_be_bytes();
        let [length_high, length_low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
        records.extend([1, kind, id_high, id_low, length_high, length_low, 0, 0]);
        records.extend_from_slice(content);
    };
    for part in said.chunks(usize::from(u16::MAX)) {
        add(STDOUT, part);
    }
    add(STDOUT, &[]);
    // The application's status is 0, and the request is complete.
    add(END_REQUEST, &[0; 8]);
    records
}
