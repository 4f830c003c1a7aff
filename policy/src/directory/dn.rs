//! What does a distinguished name say? RFC 4514 names: read, compared, and built from what somebody typed.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The place in a [`Template`].
const USERNAME: &str = "{username}";
/// Stands in the place while a template is read: a private character that nobody types.
const MARK: char = '\u{f8ff}';

/// A distinguished name, from the entry's own part up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dn(Vec<Vec<Pair>>);

/// An attribute and its value, such as `cn=Ann`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The attribute, in lower case.
    pub attribute: String,
    /// The value, as it is meant; a value in hexadecimal stays as it is written.
    pub value: String,
}

/// The text is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct Invalid {
    /// Which character, from 1.
    pub at: usize,
    /// What is wrong and what would be right.
    pub what: &'static str,
}

impl Dn {
    /// Reads a name.
    ///
    /// # Errors
    /// It is none. The empty name, which is the root's, is one.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let mut reader = Reader {
            characters: text.chars().collect(),
            at: 0,
        };
        reader.name().map(Self)
    }

    /// The value of the entry's own part; of several, that of `cn`.
    #[must_use]
    pub fn own_value(&self) -> Option<&str> {
        let own = self.0.first()?;
        let pair = own.iter().find(|pair| pair.attribute == "cn").or_else(|| own.first())?;
        Some(&pair.value)
    }

    /// Whether this is the entry `base` or one below it.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        let skipped = self.0.len().checked_sub(base.0.len());
        let above = skipped.and_then(|skipped| self.0.get(skipped..));
        above.is_some_and(|above| {
            above
                .iter()
                .map(|pairs| folded(pairs))
                .eq(base.0.iter().map(|pairs| folded(pairs)))
        })
    }

    /// Whether both name the same entry. Case and the number of spaces do not matter, as in the attributes that names are made of.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.is_within(other)
    }

    /// One text for all spellings of the name.
    #[must_use]
    pub fn folded(&self) -> String {
        let part = |pairs: &Vec<Pair>| {
            let pairs: Vec<String> = folded(pairs)
                .into_iter()
                .map(|pair| format!("{}={}", pair.attribute, escaped(&pair.value)))
                .collect();
            pairs.join("+")
        };
        self.0.iter().map(part).collect::<Vec<_>>().join(",")
    }
}

fn folded(pairs: &[Pair]) -> Vec<Pair> {
    let fold = |pair: &Pair| Pair {
        attribute: pair.attribute.clone(),
        value: pair
            .value
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase(),
    };
    let mut folded: Vec<Pair> = pairs.iter().map(fold).collect();
    folded.sort();
    folded
}

/// A value as it stands in a name, so that no character of it means anything (RFC 4514 section 2.4).
#[must_use]
pub fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        match c {
            '\0' => text.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', c]),
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            _ => text.push(c),
        }
    }
    text
}

/// A name with a place for what somebody typed: `uid={username},ou=people,dc=example,dc=com`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is no name, or has no place in a value.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let nowhere = Invalid {
            at: 1,
            what: "it has no `{username}` in a value, as in `uid={username},ou=people,dc=example,dc=com`",
        };
        let marked = text.replace(USERNAME, &MARK.to_string());
        let name = Dn::read(&marked)?;
        let has_place = name.0.iter().flatten().any(|pair| pair.value.contains(MARK));
        if has_place {
            Ok(Self(text.to_owned()))
        } else {
            Err(nowhere)
        }
    }

    /// The name of the entry of whoever typed this.
    #[must_use]
    pub fn filled(&self, username: &str) -> String {
        self.0.replace(USERNAME, &escaped(username))
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn wrong(&self, what: &'static str) -> Invalid {
        Invalid { at: self.at + 1, what }
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(' ') {
            self.at += 1;
        }
    }

    fn name(&mut self) -> Result<Vec<Vec<Pair>>, Invalid> {
        let mut parts = Vec::new();
        self.skip_spaces();
        if self.peek().is_none() {
            return Ok(parts);
        }
        let mut pairs = Vec::new();
        loop {
            pairs.push(self.pair()?);
            match self.peek() {
                Some('+') => {}
                Some(',') => parts.push(std::mem::take(&mut pairs)),
                None => {
                    parts.push(pairs);
                    return Ok(parts);
                }
                Some(_) => return Err(self.wrong("this character needs a `\\` before it in a value")),
            }
            self.at += 1;
        }
    }

    fn pair(&mut self) -> Result<Pair, Invalid> {
        self.skip_spaces();
        let begin = self.at;
        while self
            .peek()
            .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        {
            self.at += 1;
        }
        let attribute: String = self.characters.iter().take(self.at).skip(begin).collect();
        self.skip_spaces();
        if attribute.is_empty() || self.peek() != Some('=') {
            return Err(self.wrong("expected an attribute, `=` and a value, as in `ou=people`"));
        }
        self.at += 1;
        self.skip_spaces();
        Ok(Pair {
            attribute: attribute.to_ascii_lowercase(),
            value: self.value()?,
        })
    }

    fn value(&mut self) -> Result<String, Invalid> {
        let mut bytes = Vec::new();
        // Spaces at the end do not count, unless they are escaped.
        let mut kept = 0;
        while let Some(c) = self.peek() {
            match c {
                ',' | '+' | '"' | ';' | '<' | '>' => break,
                '\0' => return Err(self.wrong("a NUL character is written `\\00`")),
                '\\' => {
                    bytes.extend(self.escape()?);
                    kept = bytes.len();
                }
                _ => {
                    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                    kept = if c == ' ' { kept } else { bytes.len() };
                    self.at += 1;
                }
            }
        }
        bytes.truncate(kept);
        String::from_utf8(bytes).map_err(|_| self.wrong("the value is no UTF-8"))
    }

    /// `\,`, or the two digits of a byte.
    fn escape(&mut self) -> Result<Vec<u8>, Invalid> {
        let digit = |c: Option<&char>| c.and_then(|c| c.to_digit(16));
        let (first, second) = (self.characters.get(self.at + 1), self.characters.get(self.at + 2));
        if let (Some(high), Some(low)) = (digit(first), digit(second)) {
            self.at += 3;
            return Ok(u8::try_from(high * 16 + low).into_iter().collect());
        }
        match first {
            Some(c @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\')) => {
                self.at += 2;
                Ok(c.to_string().into_bytes())
            }
            _ => Err(self.wrong("expected a special character or two hexadecimal digits after `\\`")),
        }
    }
}
