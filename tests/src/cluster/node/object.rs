//! What do a Pod's references mean? Fields of the Pod, and keys of Secrets and ConfigMaps.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::GetParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// How long the API server may take to answer. Nothing of a node waits longer for one that is away.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The keys of a Secret or a ConfigMap.
pub(super) type Keys = BTreeMap<String, Vec<u8>>;

/// What the API server answers within the time that there is.
///
/// # Errors
/// It refuses, or does not answer.
pub(super) async fn answer<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, kube::Error> {
    let late = |_| kube::Error::Service("the API server does not answer".into());
    tokio::time::timeout(PATIENCE, call).await.map_err(late)?
}

async fn get<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>, String>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    match answer(api.get_with(name, &GetParams::default())).await {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The keys of a Secret, if it is there.
///
/// # Errors
/// The API server does not say.
pub(super) async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Keys>, String> {
    let secret: Option<Secret> = get(client, namespace, name).await?;
    let keys = |secret: Secret| secret.data.unwrap_or_default().into_iter();
    Ok(secret.map(|secret| keys(secret).map(|(key, value)| (key, value.0)).collect()))
}

/// The keys of a ConfigMap, if it is there.
///
/// # Errors
/// The API server does not say.
pub(super) async fn config_map(client: &Client, namespace: &str, name: &str) -> Result<Option<Keys>, String> {
    let map: Option<ConfigMap> = get(client, namespace, name).await?;
    Ok(map.map(|map| {
        let text = map.data.unwrap_or_default().into_iter();
        let binary = map.binary_data.unwrap_or_default().into_iter();
        text.map(|(key, value)| (key, value.into_bytes()))
            .chain(binary.map(|(key, value)| (key, value.0)))
            .collect()
    }))
}

/// A field of the Pod, as `fieldRef` names it.
///
/// # Errors
/// The field is none of those that are known here.
pub(super) fn field(pod: &Pod, address: Ipv4Addr, path: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let entry = |map: &Option<BTreeMap<String, String>>, prefix: &str| {
        let key = path.strip_prefix(prefix)?.strip_suffix("']")?;
        Some(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default())
    };
    let known = match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" | "status.podIPs" => Some(address.to_string()),
        "status.hostIP" | "status.hostIPs" => Some("127.0.0.1".to_owned()),
        _ => entry(&meta.labels, "metadata.labels['").or_else(|| entry(&meta.annotations, "metadata.annotations['")),
    };
    known.ok_or_else(|| format!("this node does not know the field `{path}`"))
}
