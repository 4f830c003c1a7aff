//! What resources does a folder hold, and what is wrong in it, where?
//!
//! A file or object that is wrong is reported and left out; the rest is read. Whether to serve what is left is the caller's
//! decision: `authd serve` keeps what it had as long as there is any problem.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crds::Reason;
use policy::{Problem, resources::Resources};
use serde_json::Value;

use super::{
    field,
    kinds::{Identity, Kind, Kinds},
    source::{self, Source, Sources},
    validate::{Mistake, Values},
    yaml::{self, Document, End, Places, Position},
};

/// What a folder held at one moment.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What could be read.
    pub resources: Resources,
    /// What is wrong, in the order of files, lines and columns.
    pub problems: Vec<Located>,
    /// What was left out on purpose: other programs' objects.
    pub notes: Vec<Note>,
    /// Where each object and field stands.
    pub positions: Positions,
    /// SHA-256 of the files: the same for the same input.
    pub digest: [u8; 32],
}

/// Something wrong with a resource or file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file, below the folder that was read.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// `kind namespace/name`, as far as known.
    pub resource: Option<String>,
    /// The field, such as `spec.rules[1].paths[0]`; empty for the whole object.
    pub field: String,
    /// Why, in one word.
    pub reason: Reason,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if let Some(resource) = &self.resource {
            write!(f, "{resource}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// Something that was left out on purpose, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file, below the folder that was read.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// What was left out and why.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Kind, namespace and name.
type Key = (String, String, String);

/// Where each object and field stands.
#[derive(Debug, Default)]
pub struct Positions(BTreeMap<Key, Standing>);

#[derive(Debug)]
struct Standing {
    file: Arc<Path>,
    base: String,
    places: Arc<Places>,
}

impl Positions {
    /// A problem that compiling found, with its place; where the object is not known, the place is `folder` itself.
    pub fn place(&self, problem: Problem, folder: &Path) -> Located {
        let Problem {
            kind,
            namespace,
            name,
            field,
            reason,
            message,
        } = problem;
        let place = self.locate(&kind, &namespace, &name, &field);
        let (file, line, column) = place.unwrap_or_else(|| (folder.to_owned(), 1, 1));
        let resource = Some(label(&(kind, namespace, name)));
        Located {
            file,
            line,
            column,
            resource,
            field,
            reason,
            message,
        }
    }

    /// File, line and column of a field such as `spec.rules[1].paths[0]`, or of the nearest thing around it that is written
    /// down; `None` where there is no such object.
    pub fn locate(&self, kind: &str, namespace: &str, name: &str, field: &str) -> Option<(PathBuf, u32, u32)> {
        let standing = self.0.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))?;
        let position = standing.at(&field::pointer(field), End::Value);
        Some((standing.file.to_path_buf(), position.line, position.column))
    }
}

impl Standing {
    fn at(&self, pointer: &str, end: End) -> Position {
        self.places.at(&format!("{}{pointer}", self.base), end)
    }
}

/// Reads a folder; a folder that cannot be read is a problem.
pub fn read(dir: &Path) -> Loaded {
    let alone = |message| {
        let (file, field) = (dir.to_owned(), String::new());
        let problem = Located {
            file,
            line: 1,
            column: 1,
            resource: None,
            field,
            reason: Reason::Unreadable,
            message,
        };
        Loaded {
            problems: vec![problem],
            ..Loaded::default()
        }
    };
    match (source::read(dir), Kinds::new()) {
        (Ok(sources), Ok(kinds)) => understand(sources, &kinds),
        (Err(error), _) => alone(format!("the folder cannot be read: {error}")),
        (_, Err(error)) => alone(error.to_string()),
    }
}

/// What the files say.
pub fn understand(sources: Sources, kinds: &Kinds) -> Loaded {
    let mut reading = Reading {
        kinds,
        loaded: Loaded {
            digest: sources.digest,
            ..Loaded::default()
        },
    };
    for source in sources.files {
        reading.file(source);
    }
    reading.loaded
}

struct Reading<'k> {
    kinds: &'k Kinds,
    loaded: Loaded,
}

impl Reading<'_> {
    fn file(&mut self, Source { path, text }: Source) {
        let documents = text.and_then(|text| {
            let documents = yaml::parse(&text)?;
            let empty = text.trim().is_empty();
            let message = "the file is empty: delete it, or write a resource".to_owned();
            if empty {
                Err(yaml::Fault {
                    position: Position::START,
                    message,
                })
            } else {
                Ok(documents)
            }
        });
        let file: Arc<Path> = path.into();
        let first = self.loaded.problems.len();
        match documents {
            Ok(documents) => documents
                .into_iter()
                .for_each(|document| self.document(&file, document)),
            Err(fault) => self.loaded.problems.push(Located {
                file: file.to_path_buf(),
                line: fault.position.line,
                column: fault.position.column,
                resource: None,
                field: String::new(),
                reason: Reason::Unreadable,
                message: fault.message,
            }),
        }
        if let Some(new) = self.loaded.problems.get_mut(first..) {
            new.sort_by_key(|problem| (problem.line, problem.column));
        }
    }

    fn document(
        &mut self,
        file: &Arc<Path>,
        Document {
            value,
            places,
            oddities,
        }: Document,
    ) {
        let standing = Standing {
            file: Arc::clone(file),
            base: String::new(),
            places: Arc::new(places),
        };
        self.object(standing, value, &oddities);
    }

    /// One object of a document: the whole of it, or an item of a `List`.
    fn object(&mut self, standing: Standing, value: Value, oddities: &[yaml::Oddity]) {
        if !value.is_object() {
            let message = "expected a resource with `apiVersion`, `kind` and `metadata`".to_owned();
            let mistake = Mistake {
                pointer: String::new(),
                end: End::Value,
                message,
            };
            return self.report(&standing, None, &Value::Null, (Reason::Unreadable, vec![mistake]));
        }
        match self.kinds.identify(&value) {
            Identity::Known(kind) => self.known(kind, standing, value, oddities),
            Identity::List => self.list(&standing, value, oddities),
            Identity::Skipped => {}
            Identity::Mistaken(mistake) => self.report(&standing, None, &value, (Reason::Unreadable, vec![mistake])),
            Identity::Foreign(message) => {
                let line = standing.at("/kind", End::Key).line;
                self.loaded.notes.push(Note {
                    file: standing.file.to_path_buf(),
                    line,
                    message,
                });
            }
        }
    }

    fn list(&mut self, standing: &Standing, mut value: Value, oddities: &[yaml::Oddity]) {
        let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
            return;
        };
        for (index, item) in items.into_iter().enumerate() {
            let base = format!("{}/items/{index}", standing.base);
            let (file, places) = (Arc::clone(&standing.file), Arc::clone(&standing.places));
            self.object(Standing { file, base, places }, item, oddities);
        }
    }

    fn known(&mut self, kind: &Kind, standing: Standing, mut value: Value, oddities: &[yaml::Oddity]) {
        if let Some(object) = value.as_object_mut() {
            object.remove("status");
        }
        settle_namespace(kind, &mut value);
        let said = |member: &str| value.pointer(&format!("/metadata/{member}")).and_then(Value::as_str);
        let (namespace, name) = (said("namespace").unwrap_or_default(), said("name").unwrap_or_default());
        let key = (kind.name.to_owned(), namespace.to_owned(), name.to_owned());
        let label = label(&key);
        let mut mistakes = odd(kind, &standing, oddities);
        let odd: BTreeSet<Position> = mistakes.iter().map(|m| standing.at(&m.pointer, m.end)).collect();
        if let Some(first) = self.loaded.positions.0.get(&key) {
            let at = first.at("/metadata/name", End::Value);
            let message = format!(
                "is already declared in {}:{}:{}",
                first.file.display(),
                at.line,
                at.column
            );
            let mistake = Mistake {
                pointer: "/metadata/name".to_owned(),
                end: End::Value,
                message,
            };
            return self.report(&standing, Some(&label), &value, (Reason::Duplicate, vec![mistake]));
        }
        let (admitted, wrong) = kind.schema.admit(value.clone());
        mistakes.extend(
            wrong
                .into_iter()
                .filter(|m| !odd.contains(&standing.at(&m.pointer, m.end))),
        );
        if mistakes.is_empty() {
            mistakes = (kind.store)(admitted, &mut self.loaded.resources)
                .err()
                .unwrap_or_default();
        }
        self.report(&standing, Some(&label), &value, (Reason::InvalidField, mistakes));
        if !key.2.is_empty() {
            self.loaded.positions.0.insert(key, standing);
        }
    }

    fn report(&mut self, standing: &Standing, resource: Option<&str>, value: &Value, what: (Reason, Vec<Mistake>)) {
        let (reason, mistakes) = what;
        self.loaded.problems.extend(mistakes.into_iter().map(|mistake| {
            let position = standing.at(&mistake.pointer, mistake.end);
            Located {
                file: standing.file.to_path_buf(),
                line: position.line,
                column: position.column,
                resource: resource.map(str::to_owned),
                field: field::spell(value, &mistake.pointer),
                reason,
                message: mistake.message,
            }
        }));
    }
}

/// An object that does not say its namespace is in `default`, as with `kubectl apply`; what is in none loses it.
fn settle_namespace(kind: &Kind, value: &mut Value) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        if !kind.namespaced {
            metadata.remove("namespace");
        } else if metadata.get("namespace").is_none_or(Value::is_null) {
            metadata.insert("namespace".to_owned(), Value::String("default".to_owned()));
        }
    }
}

fn label((kind, namespace, name): &Key) -> String {
    match (namespace.as_str(), name.as_str()) {
        (_, "") => kind.clone(),
        ("", name) => format!("{kind} {name}"),
        (namespace, name) => format!("{kind} {namespace}/{name}"),
    }
}

/// The words in this object that other programs read differently.
fn odd(kind: &Kind, standing: &Standing, oddities: &[yaml::Oddity]) -> Vec<Mistake> {
    let inside = |oddity: &&yaml::Oddity| oddity.pointer.starts_with(&standing.base);
    let mistake = |oddity: &yaml::Oddity| {
        let pointer = oddity.pointer.get(standing.base.len()..).unwrap_or_default().to_owned();
        let end = if oddity.position == standing.at(&pointer, End::Key) {
            End::Key
        } else {
            End::Value
        };
        let message = match kind.values {
            _ if end == End::Key => oddity.surprise.sentence(&format!("`{}`", oddity.text), "it in quotes"),
            Values::Shown => oddity
                .surprise
                .sentence(&format!("`{}`", oddity.text), &format!("`\"{}\"`", oddity.text)),
            Values::Hidden => oddity.surprise.sentence("the word", "it in quotes"),
        };
        Mistake { pointer, end, message }
    };
    oddities.iter().filter(inside).map(mistake).collect()
}

#[cfg(test)]
mod tests;
