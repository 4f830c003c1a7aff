//! The text of a filter, read from left to right (RFC 4515 section 3).

use super::{Comparison, Extensible, Invalid, Node, Parts, Piece, Place, Value};

/// How deep filters may be nested.
const MAX_DEPTH: usize = 16;

/// Reads from left to right; `at` is a byte.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// All of the text as one filter.
    pub(super) fn whole(mut self) -> Result<Node, Invalid> {
        let node = self.filter(0)?;
        if self.at < self.text.len() {
            return Err(self.wrong("the filter ends before this: put all of it into one pair of parentheses"));
        }
        Ok(node)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, what: impl Into<String>) -> Invalid {
        let before = self.text.get(..self.at).unwrap_or_default();
        Invalid {
            at: before.chars().count() + 1,
            what: what.into(),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    fn filter(&mut self, depth: usize) -> Result<Node, Invalid> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(format!("the filter is nested more than {MAX_DEPTH} deep")));
        }
        if !self.take("(") {
            return Err(self.wrong("expected `(`, as in `(uid={username})`"));
        }
        let node = if self.take("&") {
            Node::And(self.list(depth)?)
        } else if self.take("|") {
            Node::Or(self.list(depth)?)
        } else if self.take("!") {
            Node::Not(Box::new(self.filter(depth + 1)?))
        } else {
            self.item()?
        };
        if !self.take(")") {
            return Err(self.wrong("expected `)`"));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Invalid> {
        let mut nodes = Vec::new();
        while self.rest().starts_with('(') {
            nodes.push(self.filter(depth + 1)?);
        }
        Ok(nodes)
    }

    fn item(&mut self) -> Result<Node, Invalid> {
        let attribute = self.name();
        if self.rest().starts_with(':') {
            return self.extensible(attribute);
        }
        let attribute = attribute.ok_or_else(|| self.wrong("expected the name of an attribute, as in `(uid=ann)`"))?;
        for (token, comparison) in [
            (">=", Comparison::GreaterOrEqual),
            ("<=", Comparison::LessOrEqual),
            ("~=", Comparison::Approximate),
        ] {
            if self.take(token) {
                return Ok(Node::Compare(attribute, comparison, self.value()?));
            }
        }
        if !self.take("=") {
            return Err(self.wrong(format!("expected `=` after `{attribute}`")));
        }
        let first = self.value()?;
        if !self.rest().starts_with('*') {
            return Ok(Node::Compare(attribute, Comparison::Equal, first));
        }
        self.substrings(attribute, first)
    }

    fn substrings(&mut self, attribute: String, first: Value) -> Result<Node, Invalid> {
        let given = |value: Value| (!value.0.is_empty()).then_some(value);
        let mut values = Vec::new();
        while self.take("*") {
            values.push(self.value()?);
        }
        let last = values.pop().and_then(given);
        let middle: Vec<Value> = values.into_iter().filter_map(given).collect();
        let first = given(first);
        if first.is_none() && middle.is_empty() && last.is_none() {
            return Ok(Node::Present(attribute));
        }
        Ok(Node::Substrings(attribute, Parts { first, middle, last }))
    }

    fn extensible(&mut self, attribute: Option<String>) -> Result<Node, Invalid> {
        let dn_attributes = self.take(":dn");
        let mut rule = None;
        if !self.rest().starts_with(":=") && self.take(":") {
            rule = Some(
                self.name()
                    .ok_or_else(|| self.wrong("expected the name of a matching rule"))?,
            );
        }
        if !self.take(":=") {
            return Err(self.wrong("expected `:=`"));
        }
        if attribute.is_none() && rule.is_none() {
            return Err(self.wrong("a test without an attribute needs a matching rule"));
        }
        Ok(Node::Extensible(Extensible {
            attribute,
            rule,
            dn_attributes,
            value: self.value()?,
        }))
    }

    /// The name of an attribute with its options, or of a rule.
    fn name(&mut self) -> Option<String> {
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
        let end = self.rest().find(|c| !belongs(c)).unwrap_or(self.rest().len());
        let name = self.rest().get(..end).filter(|name| !name.is_empty())?;
        self.at += end;
        Some(name.to_owned())
    }

    fn value(&mut self) -> Result<Value, Invalid> {
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            let piece = match c {
                '(' | ')' | '*' => break,
                '\0' => return Err(self.wrong("a NUL character is written `\\00`")),
                '\\' => Piece::Bytes(vec![self.escape()?]),
                '{' => self.place()?,
                _ => {
                    self.at += c.len_utf8();
                    Piece::Bytes(c.to_string().into_bytes())
                }
            };
            match (pieces.last_mut(), piece) {
                (Some(Piece::Bytes(known)), Piece::Bytes(more)) => known.extend(more),
                (_, piece) => pieces.push(piece),
            }
        }
        Ok(Value(pieces))
    }

    /// `\2a`: any byte.
    fn escape(&mut self) -> Result<u8, Invalid> {
        let digits = self.rest().get(1..3).filter(|digits| !digits.starts_with('+'));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte =
            byte.ok_or_else(|| self.wrong("expected two hexadecimal digits after `\\`, as in `\\2a` for `*`"))?;
        self.at += 3;
        Ok(byte)
    }

    /// A place, or the brace itself where it begins no word in braces.
    fn place(&mut self) -> Result<Piece, Invalid> {
        for (token, place) in Place::ALL {
            if self.take(token) {
                return Ok(Piece::Place(place));
            }
        }
        let word = self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((word, _)) = word
            && word.chars().all(|c| c.is_ascii_alphanumeric())
        {
            return Err(self.wrong(format!("`{{{word}}}` stands for nothing: use `{{username}}`")));
        }
        self.at += 1;
        Ok(Piece::Bytes(vec![b'{']))
    }
}
