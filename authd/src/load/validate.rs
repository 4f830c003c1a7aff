//! Would the API server take this object, and if not, why?
//!
//! The structural schema, then the CEL rules, in the API server's order: nulls dropped, defaults filled in, structure, lists that
//! are sets or maps, and rules last, only where the structure is sound. Stricter in one thing: a field that the schema does not
//! name is refused, as by `kubectl apply` with strict validation, because a mistyped field would otherwise be ignored.

mod lists;
mod sentence;

use std::collections::BTreeSet;

use jsonschema::{Draft, error::ValidationErrorKind};
use kube_cel::{CompiledSchema, RootContext};
use serde_json::Value;

use super::{field, schema, yaml::End};

/// Whether a message may repeat what the object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// It may.
    Shown,
    /// It may not: they are secret.
    Hidden,
}

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the schema of `{kind}` cannot be used: {reason}")]
pub struct Error {
    kind: String,
    reason: String,
}

impl Error {
    /// About the schema of `kind`.
    pub fn new(kind: &str, reason: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The pointer to what is meant, which may not exist (a missing field).
    pub pointer: String,
    /// Which end of the field to point at.
    pub end: End,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The schema and rules of a kind.
pub struct Schema {
    open_api: Value,
    structure: jsonschema::Validator,
    rules: CompiledSchema,
    cel: kube_cel::Validator,
    root: RootContext,
    values: Values,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema")
            .field("kind", &self.root.kind)
            .finish_non_exhaustive()
    }
}

impl Schema {
    /// The schema of `kind` in `group` (empty for the core group), from the definition's `openAPIV3Schema`.
    ///
    /// # Errors
    ///
    /// [`Error`] where a word of the schema or a rule in it cannot be understood.
    pub fn new((group, version, kind): (&str, &str, &str), open_api: &Value, values: Values) -> Result<Self, Error> {
        let refuse = |reason: String| Error::new(kind, &reason);
        let open_api = schema::whole(open_api);
        let structure = jsonschema::options()
            .with_draft(Draft::Draft4)
            .offline()
            .should_validate_formats(true)
            .with_format("duration", sentence::is_duration)
            .build(&schema::closed(&open_api))
            .map_err(|e| refuse(e.to_string()))?;
        let rules = kube_cel::compile_schema(&open_api);
        if let Some(broken) = broken_rule(&rules) {
            return Err(refuse(broken));
        }
        let api_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        let root = RootContext {
            api_version,
            api_group: group.to_owned(),
            kind: kind.to_owned(),
        };
        Ok(Self {
            open_api,
            structure,
            rules,
            cel: kube_cel::Validator::new(),
            root,
            values,
        })
    }

    /// The object as the API server would keep it, and everything that is wrong with it.
    pub fn admit(&self, mut object: Value) -> (Value, Vec<Mistake>) {
        schema::drop_nulls(&self.open_api, &mut object);
        let object = kube_cel::apply_defaults(&self.open_api, &object);
        let mut mistakes: Vec<Mistake> = self
            .structure
            .iter_errors(&object)
            .flat_map(|e| self.mistakes(&e))
            .collect();
        lists::repeated(&self.open_api, &object, "", &mut mistakes);
        once_each(&mut mistakes);
        if mistakes.is_empty() {
            mistakes = self.broken_rules(&object);
        }
        (object, mistakes)
    }

    fn mistakes(&self, error: &jsonschema::ValidationError<'_>) -> Vec<Mistake> {
        let at = error.instance_path().as_str();
        let schema = described(&self.open_api, at);
        let mistake = |pointer: String, end, message| Mistake { pointer, end, message };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
                .iter()
                .map(|name| mistake(field::child(at, name), End::Key, sentence::unknown(name, schema)))
                .collect(),
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                // Said once, about the mistyped field.
                if members(error.instance()).any(|other| sentence::meant(other, schema) == Some(name)) {
                    return Vec::new();
                }
                vec![mistake(
                    field::child(at, name),
                    End::Value,
                    sentence::missing(name, schema),
                )]
            }
            _ => {
                let description = sentence::description(schema).or_else(|| {
                    let list = field::parent(at).map(|list| described(&self.open_api, list));
                    list.filter(|list| list.get("items").is_some())
                        .and_then(sentence::description)
                });
                let message = sentence::wrong(error, (schema, description.as_deref()), self.values);
                vec![mistake(at.to_owned(), End::Value, message)]
            }
        }
    }

    fn broken_rules(&self, object: &Value) -> Vec<Mistake> {
        let checked = self
            .cel
            .validate_compiled_with_context(&self.rules, object, None, Some(&self.root));
        let Err(broken) = checked else {
            return Vec::new();
        };
        let mistake = |error: kube_cel::ValidationError| Mistake {
            pointer: field::pointer(&error.field_path),
            end: End::Value,
            message: error.message,
        };
        broken.into_iter().map(mistake).collect()
    }
}

fn members(object: &Value) -> impl Iterator<Item = &str> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

/// Keeps the first of the mistakes that concern the same field: an empty text need not match a pattern too.
fn once_each(mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    mistakes.retain(|mistake| seen.insert((mistake.pointer.clone(), mistake.end == End::Key)));
}

/// The first rule, anywhere in the schema, that does not compile.
fn broken_rule(rules: &CompiledSchema) -> Option<String> {
    let here = rules.compilation_errors().first().map(ToString::to_string);
    let below = || {
        let named = rules.properties.values();
        let unnamed = [&rules.items, &rules.additional_properties]
            .into_iter()
            .flatten()
            .map(AsRef::as_ref);
        named.chain(unnamed).find_map(broken_rule)
    };
    here.or_else(below)
}

/// The schema of the value at `pointer`.
fn described<'s>(open_api: &'s Value, pointer: &str) -> &'s Value {
    field::segments(pointer).fold(open_api, |schema, segment| match schema.get("items") {
        Some(items) => items,
        None => schema::of_member(schema, &segment).unwrap_or(&Value::Null),
    })
}

#[cfg(test)]
mod tests;
