//! Who is it that an entry speaks of? Its id, which never changes, and what it says, as claims.

use std::collections::BTreeMap;

use policy::directory::Attributes;
use policy::directory::filter::Node;
use uuid::Uuid;

use super::failure::Failure;
use super::message::Entry;

#[cfg(test)]
mod tests;

/// Active Directory's id: 16 bytes, of which the first three numbers have their lowest byte first.
const OBJECT_GUID: &str = "objectGUID";
/// The longest id and claim, in bytes.
const MAX_ID: usize = 256;
const MAX_VALUE: usize = 1024;

impl Entry {
    /// The values of an attribute, whose name may be spelt in any case.
    pub(super) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        let found = self
            .attributes
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.map_or(&[], |(_, values)| values)
    }

    /// The values that are text, sorted: a directory has no order.
    pub(super) fn texts(&self, attribute: &str) -> Vec<String> {
        let values = self.values(attribute).iter().filter(|value| value.len() <= MAX_VALUE);
        let texts = values.filter_map(|value| String::from_utf8(value.clone()).ok());
        let mut texts: Vec<String> = texts.filter(|text| !text.trim().is_empty()).collect();
        texts.sort();
        texts
    }

    fn unusable(&self, what: String) -> Failure {
        Failure::EntryUnusable {
            dn: self.dn.clone(),
            what,
        }
    }
}

/// The id of an entry.
///
/// # Errors
/// It has none, or several, or one that is no text.
pub(super) fn subject(entry: &Entry, attribute: &str) -> Result<String, Failure> {
    let [value] = entry.values(attribute) else {
        let count = entry.values(attribute).len();
        return Err(entry.unusable(format!("its `{attribute}` should have one value, and has {count}")));
    };
    if attribute.eq_ignore_ascii_case(OBJECT_GUID) {
        let bytes = <[u8; 16]>::try_from(value.as_slice());
        let bytes = bytes.map_err(|_| entry.unusable(format!("its `{attribute}` does not have 16 bytes")))?;
        return Ok(Uuid::from_bytes_le(bytes).to_string());
    }
    match std::str::from_utf8(value) {
        Ok(text) if (1..=MAX_ID).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(entry.unusable(format!("its `{attribute}` is no text of at most {MAX_ID} bytes"))),
    }
}

/// The test that finds the entry with this id.
pub(super) fn has_subject(attribute: &str, subject: &str) -> Node {
    let guid = attribute
        .eq_ignore_ascii_case(OBJECT_GUID)
        .then(|| Uuid::parse_str(subject).ok());
    match guid.flatten() {
        Some(guid) => Node::equal(attribute, &guid.to_bytes_le()),
        None => Node::equal(attribute, subject.as_bytes()),
    }
}

/// What the entry says of the person; of several addresses, names or user names the first in the order of the alphabet.
pub(super) fn claims(entry: &Entry, attributes: &Attributes) -> BTreeMap<String, Vec<String>> {
    let one = |attribute: &str| entry.texts(attribute).into_iter().take(1).collect::<Vec<_>>();
    let claims = [
        ("username", one(&attributes.username)),
        ("email", one(&attributes.email)),
        ("name", one(&attributes.name)),
        ("dn", vec![entry.dn.clone()]),
    ];
    let said = claims.into_iter().filter(|(_, values)| !values.is_empty());
    said.map(|(claim, values)| (claim.to_owned(), values)).collect()
}
