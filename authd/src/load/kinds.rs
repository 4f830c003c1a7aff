//! Which kinds are read from a folder, by which schema, and where do they go?

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use crds::{GROUP, KINDS, VERSION};
use policy::resources::{ConfigMap, Namespace, Resources, Secret};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    field,
    nearest::{list, nearest, suggestion},
    validate::{self, Mistake, Schema, Values},
    yaml::End,
};

/// Puts a checked object where it belongs.
type Store = fn(Value, &mut Resources) -> Result<(), Vec<Mistake>>;

/// Every kind that is read.
const STORES: [(&str, Store); 8] = [
    ("Authd", |object, to| push(object, &mut to.authds)),
    ("AuthProvider", |object, to| push(object, &mut to.providers)),
    ("RoleMapping", |object, to| push(object, &mut to.role_mappings)),
    ("ApiKey", |object, to| push(object, &mut to.api_keys)),
    ("AccessPolicy", |object, to| push(object, &mut to.access_policies)),
    ("Secret", |object, to| {
        secret(object).map(|secret| to.secrets.push(secret))
    }),
    ("ConfigMap", |object, to| {
        config_map(object).map(|map| to.config_maps.push(map))
    }),
    ("Namespace", |object, to| {
        namespace(object).map(|namespace| to.namespaces.push(namespace))
    }),
];

/// One kind.
pub(super) struct Kind {
    /// As in `kind:`.
    pub(super) name: &'static str,
    /// Whether its objects are in a namespace.
    pub(super) namespaced: bool,
    /// Whether its values may be repeated in messages.
    pub(super) values: Values,
    /// What its objects have to be like.
    pub(super) schema: Schema,
    /// Where they go.
    pub(super) store: Store,
}

/// All kinds that are read from a folder, with their schemas made ready.
pub struct Kinds(Vec<Kind>);

/// What an object is, by its `apiVersion` and `kind`.
pub(super) enum Identity<'k> {
    /// A kind that is read.
    Known(&'k Kind),
    /// A `v1` `List` of other objects.
    List,
    /// Somebody else's, worth a note.
    Foreign(String),
    /// Somebody else's, not worth one.
    Skipped,
    /// Probably meant to be ours.
    Mistaken(Mistake),
}

impl Kinds {
    /// Makes the schemas ready; some milliseconds of work.
    ///
    /// # Errors
    ///
    /// Where a generated definition cannot be used, which a test rules out.
    pub fn new() -> Result<Self, validate::Error> {
        let ours = KINDS.iter().map(|kind| {
            let definition = (kind.definition)();
            let version = definition
                .spec
                .versions
                .into_iter()
                .find(|version| version.name == VERSION);
            let schema = version.and_then(|v| v.schema).and_then(|s| s.open_api_v3_schema);
            let schema = serde_json::to_value(schema).unwrap_or_default();
            ready((GROUP, VERSION, kind.name), &schema, Values::Shown)
        });
        let core = [
            ready(("", "v1", "Secret"), &secret_schema(), Values::Hidden),
            ready(("", "v1", "ConfigMap"), &config_map_schema(), Values::Shown),
            ready(("", "v1", "Namespace"), &namespace_schema(), Values::Shown),
        ];
        ours.chain(core).collect::<Result<_, _>>().map(Self)
    }

    /// What the object is.
    pub(super) fn identify(&self, object: &Value) -> Identity<'_> {
        let said = |member: &str| object.get(member).and_then(Value::as_str);
        let (group_version, name) = match (said("apiVersion"), said("kind")) {
            (Some(group_version), Some(name)) => (group_version, name),
            (_, Some("Kustomization")) => return Identity::Skipped,
            (None, Some(name)) => return mistaken("apiVersion", missing_api_version(name)),
            (_, None) => {
                return mistaken(
                    "kind",
                    format!("missing field `kind`: write one of {}", list(&our_kinds())),
                );
            }
        };
        let ours = format!("{GROUP}/{VERSION}");
        let group = group_version.split_once('/').map_or("", |(group, _)| group);
        let is_ours = our_kinds().contains(&name);
        match (group_version, name) {
            ("v1", "List") => Identity::List,
            ("v1", _) if !is_ours => self.known(name).unwrap_or_else(|| foreign(group_version, name)),
            _ if group_version == ours => self.known(name).filter(|_| is_ours).unwrap_or_else(|| {
                let near = suggestion(nearest(name, &our_kinds()));
                let near = if near.is_empty() {
                    format!(": the kinds are {}", list(&our_kinds()))
                } else {
                    near
                };
                mistaken("kind", format!("`{ours}` has no kind `{name}`{near}"))
            }),
            _ if group == GROUP => mistaken(
                "apiVersion",
                format!("`{group_version}` does not exist: write `{ours}`"),
            ),
            _ if is_ours && (group.is_empty() || nearest(group_version, &[&ours]).is_some()) => mistaken(
                "apiVersion",
                format!("`{group_version}` has no kind `{name}`: write `{ours}`"),
            ),
            _ if group == "kustomize.config.k8s.io" => Identity::Skipped,
            _ => foreign(group_version, name),
        }
    }

    fn known(&self, name: &str) -> Option<Identity<'_>> {
        self.0.iter().find(|kind| kind.name == name).map(Identity::Known)
    }
}

fn ready(
    kind: (&'static str, &'static str, &'static str),
    schema: &Value,
    values: Values,
) -> Result<Kind, validate::Error> {
    let schema = Schema::new(kind, schema, values)?;
    let store = STORES.iter().find(|(name, _)| *name == kind.2).map(|(_, store)| *store);
    let store = store.ok_or_else(|| validate::Error::new(kind.2, "there is no place for it"))?;
    Ok(Kind {
        name: kind.2,
        namespaced: kind.2 != "Namespace",
        values,
        schema,
        store,
    })
}

fn our_kinds() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

fn mistaken(member: &str, message: String) -> Identity<'static> {
    Identity::Mistaken(mistake(&[member], message))
}

fn foreign(group_version: &str, name: &str) -> Identity<'static> {
    Identity::Foreign(format!("`{name}` of `{group_version}` is not read here"))
}

fn missing_api_version(name: &str) -> String {
    let right = if our_kinds().contains(&name) {
        format!("{GROUP}/{VERSION}")
    } else {
        "v1".to_owned()
    };
    let known = STORES.iter().any(|(known, _)| *known == name);
    format!(
        "missing field `apiVersion`{}",
        if known {
            format!(": write `{right}`")
        } else {
            String::new()
        }
    )
}

fn mistake(path: &[&str], message: String) -> Mistake {
    let pointer = path
        .iter()
        .fold(String::new(), |pointer, segment| field::child(&pointer, segment));
    Mistake {
        pointer,
        end: End::Value,
        message,
    }
}

fn push<T: DeserializeOwned>(object: Value, list: &mut Vec<T>) -> Result<(), Vec<Mistake>> {
    let read = serde_path_to_error::deserialize(object).map_err(|error| {
        let pointer = field::pointer(&error.path().to_string());
        vec![Mistake {
            pointer,
            end: End::Value,
            message: error.into_inner().to_string(),
        }]
    })?;
    list.push(read);
    Ok(())
}

fn secret_schema() -> Value {
    let entries = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({"properties": {
        "type": {"type": "string"}, "immutable": {"type": "boolean"}, "data": entries, "stringData": entries,
    }})
}

fn config_map_schema() -> Value {
    let entries = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({"properties": {"immutable": {"type": "boolean"}, "data": entries, "binaryData": entries}})
}

fn namespace_schema() -> Value {
    json!({"properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Plain {
    metadata: Metadata,
    data: BTreeMap<String, String>,
    string_data: BTreeMap<String, String>,
    binary_data: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn plain(object: Value) -> Result<Plain, Vec<Mistake>> {
    let mut read = Vec::new();
    push(object, &mut read)?;
    Ok(read.pop().unwrap_or_default())
}

fn secret(object: Value) -> Result<Secret, Vec<Mistake>> {
    let Plain {
        metadata,
        data,
        string_data,
        ..
    } = plain(object)?;
    Ok(Secret {
        namespace: metadata.namespace,
        name: metadata.name,
        data: entries(("data", data), ("stringData", string_data))?,
        annotations: metadata.annotations,
        ..Secret::default()
    })
}

fn config_map(object: Value) -> Result<ConfigMap, Vec<Mistake>> {
    let Plain {
        metadata,
        data,
        binary_data,
        ..
    } = plain(object)?;
    Ok(ConfigMap {
        namespace: metadata.namespace,
        name: metadata.name,
        data: entries(("binaryData", binary_data), ("data", data))?,
    })
}

/// What is under `encoded`, as base64, and under `text`, as it is.
fn entries(
    (encoded, in_base64): (&str, BTreeMap<String, String>),
    (text, as_it_is): (&str, BTreeMap<String, String>),
) -> Result<BTreeMap<String, Vec<u8>>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut data = BTreeMap::new();
    let names = in_base64
        .keys()
        .map(|name| (encoded, name))
        .chain(as_it_is.keys().map(|name| (text, name)));
    for (member, name) in names.filter(|(_, name)| !is_entry_name(name)) {
        mistakes.push(Mistake {
            end: End::Key,
            ..mistake(
                &[member, name],
                "a name is letters, digits, `-`, `_` and `.`".to_owned(),
            )
        });
    }
    for (name, value) in &in_base64 {
        let value: String = value.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        match STANDARD.decode(value) {
            Ok(bytes) => drop(data.insert(name.clone(), bytes)),
            Err(_) => mistakes.push(mistake(
                &[encoded, name],
                format!("the value is not base64: put plain text under `{text}`"),
            )),
        }
    }
    for (name, value) in as_it_is {
        if in_base64.contains_key(&name) {
            let message = format!("`{name}` is given under `{encoded}` too: keep one of the two");
            mistakes.push(Mistake {
                end: End::Key,
                ..mistake(&[text, &name], message)
            });
        }
        data.insert(name, value.into_bytes());
    }
    if mistakes.is_empty() { Ok(data) } else { Err(mistakes) }
}

fn is_entry_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(fits) && name != "." && !name.starts_with("..")
}

fn namespace(object: Value) -> Result<Namespace, Vec<Mistake>> {
    let Metadata { name, labels, .. } = plain(object)?.metadata;
    Ok(Namespace { name, labels })
}
