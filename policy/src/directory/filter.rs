//! Which entries does a search find? An RFC 4515 filter in which a search's own values have places.
//!
//! A place such as `{username}` is a part of the tree, not of the text: what somebody typed is put into a filter that was read
//! long before, so that no character of it can be taken for a part of the filter.

mod reader;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use reader::Reader;

/// A filter, with the text that it was read from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    text: String,
    node: Node,
}

/// A part of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// All of them hold; none: it holds.
    And(Vec<Node>),
    /// One of them holds; none: it does not hold.
    Or(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// The attribute has any value.
    Present(String),
    /// One of the attribute's values compares so.
    Compare(String, Comparison, Value),
    /// One of the attribute's values has these parts, in this order.
    Substrings(String, Parts),
    /// One of the values fits by a rule.
    Extensible(Extensible),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `<=`
    LessOrEqual,
    /// `~=`
    Approximate,
}

/// What a value begins with, has in its middle, and ends with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What it begins with.
    pub first: Option<Value>,
    /// What it has, in this order.
    pub middle: Vec<Value>,
    /// What it ends with.
    pub last: Option<Value>,
}

/// A test by a matching rule, such as `member:1.2.840.113556.1.4.1941:=cn=ann`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensible {
    /// The attribute; without one, all that the rule can be used with.
    pub attribute: Option<String>,
    /// The rule's name or number.
    pub rule: Option<String>,
    /// Whether the attributes of the entry's own name count too.
    pub dn_attributes: bool,
    /// What is looked for.
    pub value: Value,
}

/// A value: bytes, with places that are filled in for each search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value(pub Vec<Piece>);

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this search is about.
    Place(Place),
}

/// What a search is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `{username}`: what somebody typed.
    Username,
    /// `{dn}`: the name of an entry that was found.
    Dn,
}

impl Place {
    /// Every place, as it is written.
    const ALL: [(&'static str, Self); 2] = [("{username}", Self::Username), ("{dn}", Self::Dn)];
}

/// The text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct Invalid {
    /// Which character, from 1.
    pub at: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// It is none, or it is nested too deeply.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let node = Reader::new(text).whole()?;
        Ok(Self {
            text: text.to_owned(),
            node,
        })
    }

    /// What it asks for.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Whether it has this place.
    #[must_use]
    pub fn has(&self, place: Place) -> bool {
        self.node.has(place)
    }

    /// Whether `{username}` stands under a `!`, where it could not narrow anything.
    #[must_use]
    pub fn negates_a_place(&self) -> bool {
        self.node.negates_a_place()
    }

    /// The same for everybody: a test that names the person becomes one for any value of the attribute. Somebody whom the filter
    /// finds by their name is found by this one as long as what else it asks for holds.
    #[must_use]
    pub fn for_anyone(&self) -> Node {
        self.node.for_anyone()
    }
}

impl Node {
    /// An equality with these bytes.
    #[must_use]
    pub fn equal(attribute: &str, value: &[u8]) -> Self {
        let value = Value(vec![Piece::Bytes(value.to_vec())]);
        Self::Compare(attribute.to_owned(), Comparison::Equal, value)
    }

    fn any(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        holds(self)
            || match self {
                Self::And(nodes) | Self::Or(nodes) => nodes.iter().any(|node| node.any(holds)),
                Self::Not(node) => node.any(holds),
                Self::Present(_) | Self::Compare(..) | Self::Substrings(..) | Self::Extensible(_) => false,
            }
    }

    fn values(&self) -> Vec<&Value> {
        match self {
            Self::Compare(_, _, value) => vec![value],
            Self::Substrings(_, parts) => parts.first.iter().chain(&parts.middle).chain(&parts.last).collect(),
            Self::Extensible(test) => vec![&test.value],
            Self::And(_) | Self::Or(_) | Self::Not(_) | Self::Present(_) => Vec::new(),
        }
    }

    fn has(&self, place: Place) -> bool {
        let named = |value: &&Value| value.0.contains(&Piece::Place(place));
        self.any(&|node| node.values().iter().any(named))
    }

    fn has_any_place(&self) -> bool {
        Place::ALL.iter().any(|(_, place)| self.has(*place))
    }

    fn negates_a_place(&self) -> bool {
        self.any(&|node| matches!(node, Self::Not(inner) if inner.has_any_place()))
    }

    fn for_anyone(&self) -> Self {
        match self {
            Self::And(nodes) => Self::And(nodes.iter().map(Self::for_anyone).collect()),
            Self::Or(nodes) => Self::Or(nodes.iter().map(Self::for_anyone).collect()),
            Self::Compare(attribute, ..) | Self::Substrings(attribute, _) if self.has_any_place() => {
                Self::Present(attribute.clone())
            }
            Self::Extensible(test) if self.has_any_place() => {
                Self::Present(test.attribute.clone().unwrap_or_else(|| "objectClass".to_owned()))
            }
            other => other.clone(),
        }
    }
}

impl Value {
    /// The bytes, with the places filled in.
    #[must_use]
    pub fn filled(&self, username: &str, dn: &str) -> Vec<u8> {
        let bytes = self.0.iter().flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.as_slice(),
            Piece::Place(Place::Username) => username.as_bytes(),
            Piece::Place(Place::Dn) => dn.as_bytes(),
        });
        bytes.copied().collect()
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Filter {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::read(&text)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.text
    }
}
