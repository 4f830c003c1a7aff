//! Cedar that people wrote: parsed, checked against the schema, and tied to its AccessPolicy.

use cedar_policy::{PolicySet, Schema, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;
use serde_json::{Value, json};

use super::nesting;
use crate::cedar::{self, Type, Var, all, binary, entity, is};
use crate::snapshot::{CedarPolicy, Tree};

/// How deep the syntax tree of a policy may be, as JSON: readers of JSON give up at 128, and it is evaluated by recursion on the
/// stack of a request.
const DEEPEST: usize = 64;
/// What a policy may speak of.
const TYPES: &str = "`User`, `Service`, `Anonymous`, `Role`, `Group`, `Target`, `Policy` and `Rule`";

/// The policies in the text, each limited to targets of this AccessPolicy. A `permit` never holds for people who are pending.
///
/// # Errors
/// What is wrong, with line and column inside the text, and what would be right.
pub(super) fn read(text: &str, name: &str) -> Result<Vec<CedarPolicy>, String> {
    match nesting::too_deep(text) {
        Some((offset, message)) => Err(position(text, Some(offset)) + &message),
        None => cedar::with_enough_stack(|| read_shallow(text, name)),
    }
}

fn read_shallow(text: &str, name: &str) -> Result<Vec<CedarPolicy>, String> {
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
        let mut tree = cedar::shallow(policy.to_json().map_err(|error| error.to_string())?);
        limit(&mut tree, name, &source, &rule);
        let conditions = tree.get("conditions").and_then(Value::as_array).map_or(0, Vec::len);
        if depth(&tree) + conditions > DEEPEST {
            return Err(format!(
                "policy {} is nested too deeply: join conditions by `&&` and `||`, or write several policies",
                index + 1
            ));
        }
        read.push(CedarPolicy {
            source: source.clone(),
            rule,
            tree: Tree::from(&tree),
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
        .map(|error| (offset(error), in_words(error)))
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

/// Cedar names policies by numbers of its own, which are left out: the position says which one is meant. Of several names that
/// are equally near, it proposes any, so ours are said in their place: the same text has the same message always.
fn in_words(error: &ValidationError) -> String {
    let message = error.to_string();
    let message = message
        .split_once("`, ")
        .map_or(message.as_str(), |(_, message)| message);
    match error {
        ValidationError::UnrecognizedEntityType(_) => format!("{message}: the types are {TYPES}"),
        ValidationError::UnrecognizedActionId(_) => format!("{message}: the only action is `Action::\"request\"`"),
        _ => with_help(message, error),
    }
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
    let help = error.help().map(|help| help.to_string());
    let help = help.map(|help| {
        match help
            .strip_prefix("for policy `")
            .and_then(|help| help.split_once("`, "))
        {
            Some((_, help)) => help.to_owned(),
            None => help,
        }
    });
    [label, help]
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
