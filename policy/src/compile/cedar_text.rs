//! Cedar that people wrote: parsed, checked against the schema, and tied to its AccessPolicy.

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;
use serde_json::{Value, json};

use crate::cedar::{self, Type, Var, all, binary, entity, is};
use crate::snapshot::CedarPolicy;

/// How deep a policy may be nested: readers of JSON give up at 128, and the policy is some levels down in the Snapshot.
const DEEPEST: usize = 100;

/// The policies in the text, each limited to targets of this AccessPolicy. A `permit` never holds for people who are pending.
///
/// # Errors
/// What is wrong, with line and column inside the text, and what would be right.
pub(super) fn read(text: &str, name: &str) -> Result<Vec<CedarPolicy>, String> {
    let set: PolicySet = text.parse().map_err(|error| parse_message(text, &error))?;
    if set.templates().next().is_some() {
        return Err(
            "templates with `?principal` or `?resource` have nothing to fill them: write the entity".to_owned(),
        );
    }
    let schema = cedar::schema()?;
    validate(text, &set, schema)?;
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| number(policy.id().as_ref()));
    let source = format!("AccessPolicy/{name}");
    let mut read = Vec::with_capacity(policies.len());
    for (index, policy) in policies.into_iter().enumerate() {
        let rule = format!("spec.cedar[{index}]");
        let mut tree = policy.to_json().map_err(|error| error.to_string())?;
        limit(&mut tree, name, &source, &rule);
        if depth(&tree) > DEEPEST {
            return Err(format!(
                "policy {} is nested too deeply: write a set with `contains` or `in` for a long `||`, or several policies",
                index + 1
            ));
        }
        read.push(CedarPolicy {
            source: source.clone(),
            rule,
            tree,
        });
    }
    Ok(read)
}

/// The place of a policy in the text: Cedar calls them `policy0`, `policy1` and so on.
fn number(id: &str) -> usize {
    id.trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

fn depth(tree: &Value) -> usize {
    match tree {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

fn validate(text: &str, set: &PolicySet, schema: Schema) -> Result<(), String> {
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    let mut messages: Vec<(Option<usize>, String)> = result
        .validation_errors()
        .map(|error| {
            let message = error.to_string();
            // Cedar names policies by numbers of its own; the position says which one is meant.
            let message = message
                .split_once("`, ")
                .map_or(message.as_str(), |(_, message)| message);
            (offset(error), with_help(message, error))
        })
        .collect();
    messages.sort();
    messages.dedup();
    if messages.is_empty() {
        return Ok(());
    }
    let messages: Vec<String> = messages
        .into_iter()
        .map(|(offset, message)| position(text, offset) + &message)
        .collect();
    Err(messages.join("; "))
}

fn parse_message(text: &str, error: &cedar_policy::ParseErrors) -> String {
    error.iter().next().map_or_else(
        || error.to_string(),
        |first| position(text, offset(first)) + &with_help(&first.to_string(), first),
    )
}

fn with_help(message: &str, error: &dyn Diagnostic) -> String {
    let label = error.labels().and_then(|mut labels| labels.next());
    let label = label.and_then(|label| label.label().map(str::to_owned));
    [label, error.help().map(|help| help.to_string())]
        .into_iter()
        .flatten()
        .fold(message.to_owned(), |message, more| format!("{message}: {more}"))
}

fn offset(error: &dyn Diagnostic) -> Option<usize> {
    error.labels()?.next().map(|label| label.offset())
}

fn position(text: &str, offset: Option<usize>) -> String {
    offset
        .and_then(|offset| text.get(..offset))
        .map_or(String::new(), |before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: ")
        })
}

fn limit(tree: &mut Value, name: &str, source: &str, rule: &str) {
    let permits = tree.get("effect").and_then(Value::as_str) == Some("permit");
    if let Some(conditions) = tree.get_mut("conditions").and_then(Value::as_array_mut) {
        let inside = binary("in", Var::Resource.expression(), entity(Type::Policy, name));
        conditions.insert(0, json!({"kind": "when", "body": inside}));
        if permits {
            let pending = all(vec![
                is(Var::Principal.expression(), Type::User),
                Var::Principal.attribute("pending"),
            ]);
            conditions.insert(1, json!({"kind": "unless", "body": pending}));
        }
    }
    if let Some(tree) = tree.as_object_mut() {
        let annotations = tree.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert("source".to_owned(), json!(source));
            annotations.insert("rule".to_owned(), json!(rule));
        }
    }
}
