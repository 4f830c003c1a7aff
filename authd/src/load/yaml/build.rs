//! How does a stream of YAML events become values with places?

use std::collections::BTreeMap;

use saphyr_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{Document, Fault, MAX_COPIES, MAX_DEPTH, Oddity, Places, Position};
use crate::load::{
    field,
    scalar::{self, Surprise},
};

/// A list or mapping whose end has not been seen.
struct Open {
    pointer: String,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<(String, Position)>),
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Build {
    pub(super) documents: Vec<Document>,
    open: Vec<Open>,
    root: Option<Value>,
    places: Places,
    /// Where each key stands, for naming the first of two.
    keys: BTreeMap<String, Position>,
    oddities: Vec<Oddity>,
    anchors: BTreeMap<usize, Value>,
    copied: usize,
}

impl Build {
    /// Takes the next event.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let position = Position::from(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.finish();
                Ok(())
            }
            Event::Alias(id) => self.alias(id, position),
            Event::Scalar(text, style, anchor, tag) => {
                if self.awaits_key() {
                    return self.key(&text, style, position);
                }
                self.scalar(&text, style, tag.as_deref(), (anchor, position))
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Content::List(Vec::new()), tag.as_deref(), (anchor, position))
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Content::Map(Map::new(), None), tag.as_deref(), (anchor, position))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(position),
        }
    }

    fn finish(&mut self) {
        let mut places = std::mem::take(&mut self.places);
        places.sort();
        let oddities = std::mem::take(&mut self.oddities);
        self.anchors.clear();
        self.keys.clear();
        if let Some(value) = self.root.take().filter(|v| !v.is_null()) {
            self.documents.push(Document {
                value,
                places,
                oddities,
            });
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Content::Map(_, None),
                ..
            })
        )
    }

    fn key(&mut self, text: &str, style: ScalarStyle, position: Position) -> Result<(), Fault> {
        let Some(Open {
            pointer,
            content: Content::Map(members, key),
            ..
        }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let at = field::child(pointer, text);
        if members.contains_key(text) {
            let first = self.keys.get(&at).copied().unwrap_or(position);
            return fault(
                position,
                format!("the key `{text}` is already given on line {}", first.line),
            );
        }
        *key = Some((text.to_owned(), position));
        if style == ScalarStyle::Plain {
            let surprise = match scalar::plain(text) {
                _ if text == "<<" => Some(Surprise::Merge),
                (Value::String(_), None) => None,
                _ => Some(Surprise::Key),
            };
            if let Some(surprise) = surprise {
                self.oddities.push(Oddity {
                    pointer: at.clone(),
                    position,
                    text: text.to_owned(),
                    surprise,
                });
            }
        }
        self.keys.insert(at, position);
        Ok(())
    }

    /// The pointer of the value that comes next, and where its key is.
    fn next(&self, position: Position) -> (String, Position) {
        match self.open.last() {
            Some(Open {
                pointer,
                content: Content::List(items),
                ..
            }) => (field::child(pointer, &items.len().to_string()), position),
            Some(Open {
                pointer,
                content: Content::Map(_, Some((key, at))),
                ..
            }) => (field::child(pointer, key), *at),
            _ => (String::new(), position),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        (anchor, position): (usize, Position),
    ) -> Result<(), Fault> {
        let (pointer, key) = self.next(position);
        let nothing = style == ScalarStyle::Plain && text.is_empty();
        self.places.insert(&pointer, key, if nothing { key } else { position });
        let (mut value, mut surprise) = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => (Value::String(text.to_owned()), None),
        };
        if let Some(tag) = tag {
            surprise = None;
            if tag.is_yaml_core_schema() && tag.suffix == "str" {
                value = Value::String(text.to_owned());
            } else if !tagged(tag, &value) {
                surprise = Some(Surprise::Tag(tag.to_string()));
            }
        }
        if let Some(surprise) = surprise {
            self.oddities.push(Oddity {
                pointer,
                position,
                text: text.to_owned(),
                surprise,
            });
        }
        self.put(value, anchor, position)
    }

    fn begin(
        &mut self,
        content: Content,
        tag: Option<&Tag>,
        (anchor, position): (usize, Position),
    ) -> Result<(), Fault> {
        if self.awaits_key() {
            return fault(position, "a key is text, not a list or mapping".to_owned());
        }
        if self.open.len() >= MAX_DEPTH {
            return fault(position, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let (pointer, key) = self.next(position);
        self.places.insert(&pointer, key, key);
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            let surprise = Surprise::Tag(tag.to_string());
            self.oddities.push(Oddity {
                pointer: pointer.clone(),
                position,
                text: String::new(),
                surprise,
            });
        }
        self.open.push(Open {
            pointer,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self, position: Position) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::Array(items),
            Content::Map(members, _) => Value::Object(members),
        };
        self.put(value, open.anchor, position)
    }

    fn alias(&mut self, id: usize, position: Position) -> Result<(), Fault> {
        if self.awaits_key() {
            return fault(position, "a key is text, not an alias".to_owned());
        }
        let Some(value) = self.anchors.get(&id) else {
            return fault(position, "the alias names a key, or what it stands in".to_owned());
        };
        let (copies, depth) = size(value);
        let value = value.clone();
        if self.open.len() + depth > MAX_DEPTH {
            return fault(position, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.spend(copies, position)?;
        let (pointer, key) = self.next(position);
        self.places.insert(&pointer, key, position);
        self.put(value, 0, position)
    }

    fn spend(&mut self, copies: usize, position: Position) -> Result<(), Fault> {
        self.copied = self.copied.saturating_add(copies);
        if self.copied > MAX_COPIES {
            return fault(
                position,
                format!("anchors and aliases copy more than {MAX_COPIES} values"),
            );
        }
        Ok(())
    }

    fn put(&mut self, value: Value, anchor: usize, position: Position) -> Result<(), Fault> {
        if anchor > 0 {
            self.spend(size(&value).0, position)?;
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open {
                content: Content::List(items),
                ..
            }) => items.push(value),
            Some(Open {
                content: Content::Map(members, key),
                ..
            }) => {
                if let Some((key, _)) = key.take() {
                    members.insert(key, value);
                }
            }
        }
        Ok(())
    }
}

fn fault<T>(position: Position, message: String) -> Result<T, Fault> {
    Err(Fault { position, message })
}

/// Whether a core tag agrees with the value that the text has anyway.
fn tagged(tag: &Tag, value: &Value) -> bool {
    tag.is_yaml_core_schema()
        && match tag.suffix.as_str() {
            "bool" => value.is_boolean(),
            "int" => value.is_i64() || value.is_u64(),
            "float" => value.is_number(),
            "null" => value.is_null(),
            _ => false,
        }
}

/// How many values there are in one, itself included, and how deep its lists and mappings go.
fn size(value: &Value) -> (usize, usize) {
    let add = |(copies, depth): (usize, usize), (c, d): (usize, usize)| (copies + c, depth.max(d));
    let (copies, depth) = match value {
        Value::Array(items) => items.iter().map(size).fold((0, 0), add),
        Value::Object(members) => members.values().map(size).fold((0, 0), add),
        _ => return (1, 0),
    };
    (copies + 1, depth + 1)
}
