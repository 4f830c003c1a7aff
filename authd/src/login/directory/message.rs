//! How does a question to a directory look, and what does an answer say? The messages of RFC 4511 that are needed here, and of
//! controls paging (RFC 2696) and password policy (draft-behera-ldap-password-policy).

use policy::directory::filter::{Comparison, Node, Parts};
use policy::directory::{Scope, dn};

use super::ber::{
    self, BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, Reader, SEQUENCE, SET, constructed, element, integer,
};

#[cfg(test)]
mod tests;

const PAGING: &str = "1.2.840.113556.1.4.319";
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// Extended requests.
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// How many entries are asked for at once where there may be many.
const PAGE: i32 = 500;

/// What a filter's places stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places<'a> {
    pub(super) username: &'a str,
    pub(super) dn: &'a str,
}

/// A search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a Node,
    pub(super) places: Places<'a>,
    /// What is read of each entry; nothing: only that it is there.
    pub(super) attributes: &'a [&'a str],
    /// More entries than these are too many: one more is asked for, to know.
    pub(super) most: usize,
}

/// An entry that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// How something ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: i32,
    /// What the server says of it, for operators.
    pub(super) diagnostic: String,
    /// What its password policy says.
    pub(super) policy: Option<i32>,
    /// Where to go on, if there is more.
    pub(super) cookie: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Entry(Entry),
    /// Other servers may know more; nobody asks them.
    Reference,
    /// The end.
    Done(Outcome, Option<Vec<u8>>),
}

/// A bind with a password, which asks for what the password policy says.
pub(super) fn bind(id: i32, name: &str, password: &[u8]) -> Vec<u8> {
    let request = constructed(
        0x60,
        &[
            integer(INTEGER, 3),
            element(OCTETS, name.as_bytes()),
            element(0x80, password),
        ],
    );
    envelope(id, request, &[control(PASSWORD_POLICY, None)])
}

/// An extended request without a value.
pub(super) fn extended(id: i32, name: &str) -> Vec<u8> {
    envelope(id, constructed(0x77, &[element(0x80, name.as_bytes())]), &[])
}

/// One page of a search; `cookie` is from the page before.
pub(super) fn search(id: i32, search: &Search<'_>, cookie: &[u8]) -> Vec<u8> {
    let scope = match search.scope {
        Scope::Base => 0,
        Scope::OneLevel => 1,
        Scope::Subtree => 2,
    };
    let none = ["1.1"];
    let names = if search.attributes.is_empty() {
        &none
    } else {
        search.attributes
    };
    let names = names
        .iter()
        .flat_map(|name| element(OCTETS, name.as_bytes()))
        .collect::<Vec<_>>();
    let is_paged = search.most > 10;
    let request = constructed(
        0x63,
        &[
            element(OCTETS, search.base.as_bytes()),
            integer(ENUMERATED, scope),
            // Names that stand for others are not followed.
            integer(ENUMERATED, 0),
            // One more than is wanted tells that there are too many.
            integer(
                INTEGER,
                if is_paged {
                    0
                } else {
                    i32::try_from(search.most).map_or(0, |most| most + 1)
                },
            ),
            integer(INTEGER, 0),
            element(BOOLEAN, &[0]),
            filter(search.filter, search.places),
            element(SEQUENCE, &names),
        ],
    );
    let page = || {
        let value = constructed(SEQUENCE, &[integer(INTEGER, PAGE), element(OCTETS, cookie)]);
        control(PAGING, Some(&value))
    };
    let controls: Vec<_> = is_paged.then(page).into_iter().collect();
    envelope(id, request, &controls)
}

fn envelope(id: i32, request: Vec<u8>, controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() {
        Vec::new()
    } else {
        element(0xa0, &controls.concat())
    };
    constructed(SEQUENCE, &[integer(INTEGER, id), request, controls])
}

/// A control that a server may ignore.
fn control(name: &str, value: Option<&[u8]>) -> Vec<u8> {
    let value = value.map_or(Vec::new(), |value| element(OCTETS, value));
    constructed(SEQUENCE, &[element(OCTETS, name.as_bytes()), value])
}

/// A filter, with its places filled in: values are bytes beside the structure, which they cannot change.
fn filter(node: &Node, places: Places<'_>) -> Vec<u8> {
    let list = |nodes: &[Node]| nodes.iter().flat_map(|node| filter(node, places)).collect::<Vec<_>>();
    match node {
        Node::And(nodes) => element(0xa0, &list(nodes)),
        Node::Or(nodes) => element(0xa1, &list(nodes)),
        Node::Not(node) => element(0xa2, &filter(node, places)),
        Node::Present(attribute) => element(0x87, attribute.as_bytes()),
        Node::Compare(attribute, comparison, value) => {
            let tag = match comparison {
                Comparison::Equal => 0xa3,
                Comparison::GreaterOrEqual => 0xa5,
                Comparison::LessOrEqual => 0xa6,
                Comparison::Approximate => 0xa8,
            };
            let value = value.filled(places.username, places.dn);
            constructed(tag, &[element(OCTETS, attribute.as_bytes()), element(OCTETS, &value)])
        }
        Node::Substrings(attribute, parts) => constructed(
            0xa4,
            &[element(OCTETS, attribute.as_bytes()), substrings(parts, places)],
        ),
        Node::Extensible(test) => {
            let optional =
                |tag: u8, text: &Option<String>| text.as_ref().map_or(Vec::new(), |text| element(tag, text.as_bytes()));
            let dn_attributes = if test.dn_attributes {
                element(0x84, &[0xff])
            } else {
                Vec::new()
            };
            let value = test.value.filled(places.username, places.dn);
            constructed(
                0xa9,
                &[
                    optional(0x81, &test.rule),
                    optional(0x82, &test.attribute),
                    element(0x83, &value),
                    dn_attributes,
                ],
            )
        }
    }
}

fn substrings(parts: &Parts, places: Places<'_>) -> Vec<u8> {
    let first = parts.first.iter().map(|value| (0x80, value));
    let middle = parts.middle.iter().map(|value| (0x81, value));
    let last = parts.last.iter().map(|value| (0x82, value));
    let all = first.chain(middle).chain(last);
    let parts: Vec<u8> = all
        .flat_map(|(tag, value)| element(tag, &value.filled(places.username, places.dn)))
        .collect();
    element(SEQUENCE, &parts)
}

/// Reads one whole message: to which question it belongs, and what it says. A server speaks unasked (0) only to end a connection.
pub(super) fn read(bytes: &[u8]) -> Result<(i32, Answer), Malformed> {
    let mut message = Reader(Reader(bytes).expect(SEQUENCE)?);
    let id = message.number(INTEGER)?;
    let (tag, contents) = message.next()?;
    let mut body = Reader(contents);
    let answer = match tag {
        0x64 => Answer::Entry(entry(body)?),
        0x73 => Answer::Reference,
        // Of a bind, a search, an extended request.
        0x61 | 0x65 | 0x78 => {
            let mut outcome = outcome(&mut body)?;
            let mut value = None;
            while !body.is_at_end() {
                let (tag, contents) = body.next()?;
                value = if tag == 0x8b { Some(contents.to_vec()) } else { value };
            }
            if let Some(list) = message.optional(0xa0)? {
                controls(Reader(list), &mut outcome)?;
            }
            Answer::Done(outcome, value)
        }
        _ => return Err(Malformed),
    };
    Ok((id, answer))
}

fn outcome(body: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    let code = body.number(ENUMERATED)?;
    body.expect(OCTETS)?;
    let diagnostic = body.expect(OCTETS)?;
    let diagnostic = String::from_utf8_lossy(diagnostic.get(..512).unwrap_or(diagnostic));
    Ok(Outcome {
        code,
        // Samba ends it with a NUL.
        diagnostic: diagnostic.chars().filter(|c| !c.is_control()).collect(),
        ..Outcome::default()
    })
}

fn entry(mut body: Reader<'_>) -> Result<Entry, Malformed> {
    let dn = text(body.expect(OCTETS)?)?;
    let mut list = Reader(body.expect(SEQUENCE)?);
    let mut attributes = Vec::new();
    while !list.is_at_end() {
        let mut attribute = Reader(list.expect(SEQUENCE)?);
        let name = text(attribute.expect(OCTETS)?)?;
        let mut set = Reader(attribute.expect(SET)?);
        let mut values = Vec::new();
        while !set.is_at_end() {
            values.push(set.expect(OCTETS)?.to_vec());
        }
        attributes.push((name, values));
    }
    Ok(Entry { dn, attributes })
}

fn controls(mut list: Reader<'_>, outcome: &mut Outcome) -> Result<(), Malformed> {
    while !list.is_at_end() {
        let mut control = Reader(list.expect(SEQUENCE)?);
        let name = control.expect(OCTETS)?;
        control.optional(BOOLEAN)?;
        let value = control.optional(OCTETS)?.unwrap_or_default();
        if name == PAGING.as_bytes() {
            let mut page = Reader(Reader(value).expect(SEQUENCE)?);
            page.number(INTEGER)?;
            outcome.cookie = page.expect(OCTETS)?.to_vec();
        } else if name == PASSWORD_POLICY.as_bytes() && !value.is_empty() {
            let mut said = Reader(Reader(value).expect(SEQUENCE)?);
            // Warnings: how soon a password expires.
            said.optional(0xa0)?;
            outcome.policy = said.optional(0x81)?.map(ber::number).transpose()?;
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

/// A name that no entry has, below this one: a password can be tried with it in vain.
pub(super) fn nobody_below(base: &str) -> String {
    let base = if base.is_empty() {
        String::new()
    } else {
        format!(",{base}")
    };
    format!("cn={}{base}", dn::escaped("nobody of this name"))
}
