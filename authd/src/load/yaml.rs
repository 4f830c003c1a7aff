//! What does a YAML text say, and where does it say it?
//!
//! Text in, [`Document`]s out: a JSON value and, for each place in it, line and column. The text is read as a stream of events
//! and not with a ready-made tree, because a tree is built by recursion: a file of a million `[` would end the process.
//! Not here: what the values mean.

mod build;

use std::hash::{DefaultHasher, Hash, Hasher};

use saphyr_parser::{Marker, Parser};
use serde_json::Value;

use super::{field, scalar::Surprise};

/// The deepest nesting of lists and mappings that is read.
pub const MAX_DEPTH: usize = 64;

/// How many values anchors and aliases may copy in one file.
pub const MAX_COPIES: usize = 100_000;

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl From<Marker> for Position {
    fn from(mark: Marker) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: number(mark.line()).max(1),
            column: number(mark.col()).saturating_add(1),
        }
    }
}

/// Why a text could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Where the reading ended.
    pub position: Position,
    /// What is wrong there, as a sentence.
    pub message: String,
}

/// A word that is read differently by different programs, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// The pointer to the value, or to the value under the odd key.
    pub pointer: String,
    /// Where the word is.
    pub position: Position,
    /// The word as written.
    pub text: String,
    /// Why it is odd.
    pub surprise: Surprise,
}

/// One document of a text.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where it says it.
    pub places: Places,
    /// What other programs may read differently.
    pub oddities: Vec<Oddity>,
}

/// Which of the two ends of a field is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The field's name.
    Key,
    /// A scalar or list item itself; for a collection under a key, that key.
    Value,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: Position,
    value: Position,
}

/// Where each value of a document stands, by JSON pointer.
///
/// Pointers are kept as 64-bit hashes: a folder with 100,000 keys has millions of them.
#[derive(Debug, Default)]
pub struct Places(Vec<(u64, Place)>);

impl Places {
    /// Where the value at `pointer` is, or else the nearest thing that holds it.
    pub fn at(&self, pointer: &str, end: End) -> Position {
        let mut looked = Some(pointer);
        while let Some(at) = looked {
            if let Some(place) = self.exact(at) {
                return if end == End::Key && at == pointer {
                    place.key
                } else {
                    place.value
                };
            }
            looked = field::parent(at);
        }
        Position::START
    }

    fn exact(&self, pointer: &str) -> Option<Place> {
        let wanted = hash(pointer);
        let index = self.0.binary_search_by_key(&wanted, |(hash, _)| *hash).ok()?;
        self.0.get(index).map(|(_, place)| *place)
    }

    fn insert(&mut self, pointer: &str, key: Position, value: Position) {
        self.0.push((hash(pointer), Place { key, value }));
    }

    /// Lookups find nothing until this was called.
    fn sort(&mut self) {
        self.0.sort_unstable_by_key(|(hash, _)| *hash);
    }
}

fn hash(pointer: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    pointer.hash(&mut hasher);
    hasher.finish()
}

/// The documents of a text that say anything at all.
///
/// # Errors
///
/// A [`Fault`] where the text is not YAML, repeats a key, has a key that is a list or mapping, is nested deeper than
/// [`MAX_DEPTH`] or copies more than [`MAX_COPIES`] values by alias.
pub fn parse(text: &str) -> Result<Vec<Document>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut build = build::Build::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| scan_fault(text, &e))?;
        build.event(event, span)?;
    }
    Ok(build.documents)
}

fn scan_fault(text: &str, error: &saphyr_parser::ScanError) -> Fault {
    let position = Position::from(*error.marker());
    let near = [position.line, position.line.saturating_sub(1)];
    for line in near {
        let written = text
            .lines()
            .nth(usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1))
            .unwrap_or_default();
        let indentation = written.chars().take_while(|c| matches!(c, ' ' | '\t'));
        if let Some(column) = (1..)
            .zip(indentation)
            .find_map(|(column, c)| (c == '\t').then_some(column))
        {
            let position = Position { line, column };
            return Fault {
                position,
                message: "a tab in the indentation: YAML is indented with spaces".to_owned(),
            };
        }
    }
    Fault {
        position,
        message: format!("not valid YAML: {}", error.info()),
    }
}

#[cfg(test)]
mod tests;
