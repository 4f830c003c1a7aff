//! A resource as the API server has it, which need not be what its kind says today: a looser definition may have let it in.

use std::borrow::Cow;

use kube::Resource;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

/// A resource, or what can be told of one that cannot be read.
#[derive(Clone, Debug)]
pub struct Stored<K>(pub Result<K, Unreadable>);

/// A resource that is not what its kind says.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Whose it is.
    pub metadata: ObjectMeta,
    /// What cannot be read.
    pub error: String,
    /// The hosts that it claims, if it says so where its kind does.
    pub hosts: Vec<String>,
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Stored<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Value::deserialize(deserializer)?;
        match K::deserialize(&whole) {
            Ok(resource) => Ok(Self(Ok(resource))),
            Err(error) => {
                let metadata = whole.get("metadata").unwrap_or(&Value::Null);
                Ok(Self(Err(Unreadable {
                    metadata: ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?,
                    error: error.to_string(),
                    hosts: hosts(&whole),
                })))
            }
        }
    }
}

fn hosts(whole: &Value) -> Vec<String> {
    let hosts = whole.pointer("/spec/hosts").and_then(Value::as_array);
    let texts = hosts.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

impl<K: Resource> Resource for Stored<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &K::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &K::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &K::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &K::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0
            .as_mut()
            .map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use crds::AccessPolicy;
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;

    fn stored(spec: &Value) -> Stored<AccessPolicy> {
        let whole = json!({
            "apiVersion": "authd.dev/v1alpha1", "kind": "AccessPolicy",
            "metadata": { "name": "app", "namespace": "shop" }, "spec": spec,
        });
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn what_its_kind_describes_is_read() {
        let stored = stored(&json!({ "hosts": ["app.example.com"], "rules": [{ "allow": { "anyone": true } }] }));
        assert_eq!(stored.0.unwrap().spec.hosts, ["app.example.com"]);
    }

    #[test]
    fn of_anything_else_the_name_the_mistake_and_the_hosts_are_known() {
        let stored = stored(&json!({ "mode": "Sometimes", "hosts": ["app.example.com", 7] }));
        assert_eq!(stored.name_any(), "app");
        assert_eq!(stored.namespace().as_deref(), Some("shop"));
        let unreadable = stored.0.unwrap_err();
        assert!(unreadable.error.contains("Sometimes"), "{}", unreadable.error);
        assert_eq!(unreadable.hosts, ["app.example.com"]);
    }

    #[test]
    fn without_metadata_it_is_no_resource() {
        let read: Result<Stored<AccessPolicy>, _> = serde_json::from_value(json!({ "spec": {} }));
        assert!(read.is_err());
    }
}
