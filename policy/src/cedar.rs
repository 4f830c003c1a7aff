//! Cedar policies built from parts, as JSON syntax trees, so that nobody's text is ever spliced into policy text.

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, Schema, SchemaFragment};
use serde_json::{Value, json};

/// The schema of policies that decide about requests, as text.
pub const SCHEMA: &str = include_str!("authd.cedarschema");

/// What the schema of policies that grant roles and groups adds, as text.
pub const GRANTS: &str = include_str!("grants.cedarschema");

/// The schema of policies that decide about requests.
///
/// # Errors
/// Never in a released build: a test parses it.
pub fn schema() -> Result<Schema, String> {
    fragments(&[SCHEMA])
}

/// The schema of policies that grant roles and groups.
///
/// # Errors
/// Never in a released build: a test parses it.
pub fn grants_schema() -> Result<Schema, String> {
    fragments(&[SCHEMA, GRANTS])
}

fn fragments(texts: &[&str]) -> Result<Schema, String> {
    let read = |text: &&str| SchemaFragment::from_cedarschema_str(text).map(|(fragment, _)| fragment);
    let fragments: Vec<_> = texts
        .iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    Schema::from_schema_fragments(fragments).map_err(|error| error.to_string())
}

/// Bytes of stack that are several times enough for the deepest policy that [`crate::compile()`] accepts.
const STACK: usize = 32 * 1024 * 1024;

/// Runs what reads policies where there is enough stack for it: Cedar reads text and syntax trees by recursion.
pub(crate) fn with_enough_stack<T>(read: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, read)
}

/// A type of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A role.
    Role,
    /// A group.
    Group,
    /// A person.
    User,
    /// A program.
    Service,
    /// Nobody in particular.
    Anonymous,
    /// An AccessPolicy.
    Policy,
    /// A rule of an AccessPolicy.
    Rule,
    /// What is to be reached.
    Target,
    /// What a provider said.
    Claims,
    /// An action.
    Action,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Group => "Group",
            Self::User => "User",
            Self::Service => "Service",
            Self::Anonymous => "Anonymous",
            Self::Policy => "Policy",
            Self::Rule => "Rule",
            Self::Target => "Target",
            Self::Claims => "Claims",
            Self::Action => "Action",
        }
    }

    /// The entity of this type with that id.
    ///
    /// # Errors
    /// Never: the names of types are plain identifiers.
    pub fn uid(self, id: &str) -> Result<EntityUid, String> {
        let name: EntityTypeName = self.name().parse().map_err(|error| format!("{error}"))?;
        Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
    }
}

/// `permit` or `forbid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allow when it holds.
    Permit,
    /// Refuse when it holds.
    Forbid,
}

/// Which part of the question a scope or expression speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Var {
    /// Who asks.
    Principal,
    /// What is to be reached.
    Resource,
    /// What else is known.
    Context,
}

impl Var {
    fn name(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Resource => "resource",
            Self::Context => "context",
        }
    }

    /// The variable itself.
    #[must_use]
    pub fn expression(self) -> Value {
        json!({"Var": self.name()})
    }

    /// One of its attributes.
    #[must_use]
    pub fn attribute(self, name: &str) -> Value {
        json!({".": {"left": self.expression(), "attr": name}})
    }
}

/// A reference to an entity inside an expression.
#[must_use]
pub fn entity(kind: Type, id: &str) -> Value {
    json!({"Value": {"__entity": {"type": kind.name(), "id": id}}})
}

/// A text.
#[must_use]
pub fn text(value: &str) -> Value {
    json!({"Value": value})
}

/// Any of the items.
#[must_use]
pub fn set(items: impl IntoIterator<Item = Value>) -> Value {
    json!({"Set": items.into_iter().collect::<Vec<_>>()})
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// `left op right`, for the operators `==`, `<=`, `in`, `contains`, `getTag`, `hasTag`.
#[must_use]
pub fn binary(operator: &str, left: Value, right: Value) -> Value {
    object([(operator, object([("left", left), ("right", right)]))])
}

/// A function or method of an extension type; a method's value is the first argument.
#[must_use]
pub fn call(function: &str, arguments: Vec<Value>) -> Value {
    object([(function, arguments.into())])
}

/// `left` is an entity of that type.
#[must_use]
pub fn is(left: Value, kind: Type) -> Value {
    object([("is", object([("left", left), ("entity_type", kind.name().into())]))])
}

/// `left` has the attribute.
#[must_use]
pub fn has(left: Value, attribute: &str) -> Value {
    object([("has", object([("left", left), ("attr", attribute.into())]))])
}

/// Not `argument`.
#[must_use]
pub fn not(argument: Value) -> Value {
    object([("!", object([("arg", argument)]))])
}

/// `left` is below the path `prefix`.
#[must_use]
pub fn below(left: Value, prefix: &str) -> Value {
    let pattern = json!([{"Literal": format!("{prefix}/")}, "Wildcard"]);
    object([("like", object([("left", left), ("pattern", pattern)]))])
}

/// All of them; `true` for none.
#[must_use]
pub fn all(parts: Vec<Value>) -> Value {
    joined("&&", parts).unwrap_or(json!({"Value": true}))
}

/// Any of them; `false` for none.
#[must_use]
pub fn any(parts: Vec<Value>) -> Value {
    joined("||", parts).unwrap_or(json!({"Value": false}))
}

/// Joins neighbours again and again, so that the tree is as deep as the logarithm of its size: JSON and Cedar bound the depth.
fn joined(operator: &str, mut parts: Vec<Value>) -> Option<Value> {
    while parts.len() > 1 {
        let mut rest = parts.into_iter();
        let mut pairs = Vec::new();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => binary(operator, left, right),
                None => left,
            });
        }
        parts = pairs;
    }
    parts.pop()
}

/// The same syntax tree with its chains of `&&` and `||` as shallow as they can be. Both are evaluated from left to right and stop
/// early, however they are bracketed, so this changes no answer and no error.
#[must_use]
pub(crate) fn shallow(tree: Value) -> Value {
    match tree {
        Value::Array(items) => items.into_iter().map(shallow).collect(),
        Value::Object(members) => {
            for operator in ["&&", "||"] {
                if members.len() == 1 && members.contains_key(operator) {
                    let mut parts = Vec::new();
                    flatten(operator, Value::Object(members), &mut parts);
                    return joined(operator, parts).unwrap_or_default();
                }
            }
            members
                .into_iter()
                .map(|(name, value)| (name, shallow(value)))
                .collect()
        }
        other => other,
    }
}

fn flatten(operator: &str, tree: Value, parts: &mut Vec<Value>) {
    let sides = tree
        .get(operator)
        .and_then(|sides| Some((sides.get("left")?.clone(), sides.get("right")?.clone())));
    match sides {
        Some((left, right)) => {
            flatten(operator, left, parts);
            flatten(operator, right, parts);
        }
        None => parts.push(shallow(tree)),
    }
}

/// A policy under construction, and the resource and rule that it comes from.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Permit or forbid.
    pub effect: Effect,
    /// The resource, as `Kind/namespace/name`.
    pub source: &'a str,
    /// The field of the resource, such as `spec.rules[1]`.
    pub rule: &'a str,
    /// Limits the policy to resources in this entity.
    pub resource_in: Option<(Type, String)>,
    /// It applies when this holds.
    pub when: Option<Value>,
    /// It applies unless this holds.
    pub unless: Option<Value>,
}

impl Draft<'_> {
    /// The policy as a JSON syntax tree.
    #[must_use]
    pub fn tree(self) -> Value {
        let resource = match self.resource_in {
            Some((kind, id)) => json!({"op": "in", "entity": {"type": kind.name(), "id": id}}),
            None => json!({"op": "All"}),
        };
        let condition = |kind: &str, body: Option<Value>| body.map(|body| json!({"kind": kind, "body": body}));
        let conditions: Vec<Value> = [condition("when", self.when), condition("unless", self.unless)]
            .into_iter()
            .flatten()
            .collect();
        json!({
            "effect": match self.effect { Effect::Permit => "permit", Effect::Forbid => "forbid" },
            "principal": {"op": "All"},
            "action": {"op": "All"},
            "resource": resource,
            "conditions": conditions,
            "annotations": {"source": self.source, "rule": self.rule},
        })
    }
}

/// A policy of its syntax tree.
///
/// # Errors
/// The tree is not a policy.
pub fn policy(id: &str, tree: Value) -> Result<Policy, String> {
    Policy::from_json(Some(PolicyId::new(id)), tree).map_err(|error| error.to_string())
}

/// Entities with their ancestors worked out.
///
/// # Errors
/// Two of them have one id and differ.
pub fn entities(entities: impl IntoIterator<Item = Entity>) -> Result<Entities, String> {
    Entities::from_entities(entities, None).map_err(|error| error.to_string())
}
