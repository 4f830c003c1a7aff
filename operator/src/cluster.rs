//! Every write to the API server: by one field manager, with a deadline, and only while this operator leads.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::leader::Fence;

/// The field manager of everything that the operator writes.
pub const MANAGER: &str = "authd-operator";
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The way to the API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    fence: Fence,
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another operator leads, or may by now.
    #[error("this operator does not lead any more")]
    Fenced,
    /// The API server did not answer in time.
    #[error("the API server did not answer within {} s", DEADLINE.as_secs())]
    Late,
    /// It refused, or could not be reached.
    #[error("{}", said(.0))]
    Api(#[from] kube::Error),
}

/// What the API server said, in its own words.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server answered {}: {}", status.code, status.message),
        other => other.to_string(),
    }
}

impl Error {
    /// The HTTP status of the refusal.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }
}

/// A kind that lives in namespaces.
pub trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl Cluster {
    /// Writes go through this client for as long as the fence is open.
    #[must_use]
    pub fn new(client: Client, fence: Fence) -> Self {
        Self { client, fence }
    }

    /// The client, for reading.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn api<K: Namespaced>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes an object that must not be there yet.
    ///
    /// # Errors
    /// It is there (409), or the call failed.
    pub async fn create<K: Namespaced>(&self, object: &K) -> Result<K, Error> {
        let api = self.api(&object.namespace().unwrap_or_default());
        self.write(
            &K::kind(&()),
            "create",
            api.create(
                &PostParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PostParams::default()
                },
                object,
            ),
        )
        .await
    }

    /// Replaces an object that must not have changed since it was read.
    ///
    /// # Errors
    /// It changed (409), or the call failed.
    pub async fn replace<K: Namespaced>(&self, object: &K) -> Result<K, Error> {
        let api = self.api(&object.namespace().unwrap_or_default());
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        self.write(
            &K::kind(&()),
            "replace",
            api.replace(&object.name_any(), &parameters, object),
        )
        .await
    }

    /// Changes some members of an object (RFC 7386).
    ///
    /// # Errors
    /// The call failed; 409 when `metadata.resourceVersion` is given and the object changed.
    pub async fn merge<K: Namespaced>(&self, namespace: &str, name: &str, change: &Value) -> Result<K, Error> {
        let api = self.api(namespace);
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.write(
            &K::kind(&()),
            "patch",
            api.patch(name, &parameters, &Patch::Merge(change)),
        )
        .await
    }

    /// Makes an object what it should be, by server-side apply.
    ///
    /// # Errors
    /// The call failed.
    pub async fn apply(&self, kind: &ApiResource, object: &DynamicObject) -> Result<DynamicObject, Error> {
        let api = self.api_of(kind, object);
        let parameters = PatchParams::apply(MANAGER).force();
        let (name, patch) = (object.name_any(), Patch::Apply(object));
        let call = api.patch(&name, &parameters, &patch);
        self.write(&kind.kind, "apply", call).await
    }

    /// An object as it stands, whatever the watch has shown of it so far.
    ///
    /// # Errors
    /// The call failed. That there is none is no error.
    pub async fn read<K: Namespaced>(&self, namespace: &str, name: &str) -> Result<Option<K>, Error> {
        standing(&self.api(namespace), name).await
    }

    /// The object of that kind and name, if there is one.
    ///
    /// # Errors
    /// The call failed.
    pub async fn find(&self, kind: &ApiResource, like: &DynamicObject) -> Result<Option<DynamicObject>, Error> {
        standing(&self.api_of(kind, like), &like.name_any()).await
    }

    fn api_of(&self, kind: &ApiResource, object: &DynamicObject) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &object.namespace().unwrap_or_default(), kind)
    }

    /// Writes the status of an object.
    ///
    /// # Errors
    /// The call failed.
    pub async fn status<K: Namespaced>(&self, namespace: &str, name: &str, status: &Value) -> Result<K, Error> {
        let api = self.api(namespace);
        let parameters = PatchParams::apply(MANAGER).force();
        self.write(
            &K::kind(&()),
            "status",
            api.patch_status(name, &parameters, &Patch::Apply(status)),
        )
        .await
    }

    /// Deletes an object, if it is still the one that was meant. That it is gone already is no error.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete(&self, kind: &ApiResource, object: &DynamicObject) -> Result<(), Error> {
        let api = self.api_of(kind, object);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: object.uid(),
                resource_version: None,
            }),
            ..DeleteParams::background()
        };
        let name = object.name_any();
        let call = api.delete(&name, &parameters);
        match self.write(&kind.kind, "delete", call).await {
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn write<T>(
        &self,
        kind: &str,
        verb: &'static str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        if !self.fence.is_open() {
            return Err(Error::Fenced);
        }
        metrics::counter!("authd_operator_writes_total", "kind" => kind.to_owned(), "verb" => verb).increment(1);
        tokio::time::timeout(DEADLINE, call)
            .await
            .map_err(|_| Error::Late)?
            .map_err(Error::from)
    }
}

async fn standing<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str) -> Result<Option<K>, Error> {
    let found = tokio::time::timeout(DEADLINE, api.get_opt(name)).await;
    found.map_err(|_| Error::Late)?.map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_api_server() {
        let status = kube::core::Status::failure("secrets is forbidden: no rights", "Forbidden").with_code(403);
        let error = Error::from(kube::Error::Api(status.boxed()));
        assert_eq!(
            error.to_string(),
            "the API server answered 403: secrets is forbidden: no rights"
        );
        assert_eq!(error.code(), Some(403));
    }
}
