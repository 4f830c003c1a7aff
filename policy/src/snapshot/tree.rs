//! A Cedar policy as JSON, kept as its text: taken apart, it needs many times the room.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A policy as Cedar's JSON syntax tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(Box<RawValue>);

impl Tree {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Taken apart.
    ///
    /// # Errors
    /// It is nested more deeply than readers of JSON follow.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(self.text())
    }
}

impl From<&Value> for Tree {
    fn from(value: &Value) -> Self {
        // A value without a text does not exist; nothing is what no policy looks like.
        to_raw_value(value).map_or_else(|_| Self::default(), Self)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_written_as_the_value_would_be_and_read_as_it_was_written() {
        let value = json!({ "effect": "permit", "conditions": [{ "kind": "when", "body": { "Value": "a \"b\"" } }] });
        let tree = Tree::from(&value);
        let (written, expected) = (
            serde_json::to_string(&tree).unwrap(),
            serde_json::to_string(&value).unwrap(),
        );
        assert_eq!(written, expected);
        let read: Tree = serde_json::from_str(&written).unwrap();
        assert_eq!((&read, read.value().unwrap()), (&tree, value));
    }

    #[test]
    fn what_is_no_json_is_no_tree() {
        assert!(serde_json::from_str::<Tree>("{\"effect\": permit}").is_err());
    }
}
