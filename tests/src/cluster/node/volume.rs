//! What is in a Pod's volumes? Files, out of what the API server says right now.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, Pod, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

use super::object::{Keys, answer, config_map, field, secret};
use super::swap::{File, Files, Folder};

/// The volumes of one Pod, whose folder is `.../pods/UID`.
pub(super) struct Volumes {
    client: Client,
    address: Ipv4Addr,
    folder: PathBuf,
    folders: BTreeMap<String, Folder>,
    tokens: BTreeMap<String, (String, Instant)>,
}

impl Volumes {
    pub(super) fn new(client: Client, address: Ipv4Addr, folder: &Path) -> Self {
        Self {
            client,
            address,
            folder: folder.to_owned(),
            folders: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// Brings every volume up to date.
    ///
    /// # Errors
    /// Something is not there, or the API server is not: what there was is kept.
    pub(super) async fn refresh(&mut self, pod: &Pod) -> Result<(), String> {
        let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref());
        for volume in volumes.unwrap_or_default() {
            let files = self.files(pod, volume).await;
            let files = files.map_err(|why| format!("volume `{}`: {why}", volume.name))?;
            let path = place(&self.folder, pod, volume);
            let Some(files) = files else {
                std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
                continue;
            };
            let folder = self
                .folders
                .entry(volume.name.clone())
                .or_insert_with(|| Folder::new(path));
            folder.publish(files).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// What is to be in a volume; `None` for one that starts empty and belongs to who mounts it.
    async fn files(&mut self, pod: &Pod, volume: &Volume) -> Result<Option<Files>, String> {
        let namespace = pod.namespace().unwrap_or_default();
        if volume.empty_dir.is_some() || volume.persistent_volume_claim.is_some() {
            return Ok(None);
        }
        let files = if let Some(source) = &volume.secret {
            let name = source.secret_name.clone().unwrap_or_default();
            let keys = secret(&self.client, &namespace, &name).await?;
            chosen(&name, keys, source.items.as_deref(), source.optional)?
        } else if let Some(source) = &volume.config_map {
            let keys = config_map(&self.client, &namespace, &source.name).await?;
            chosen(&source.name, keys, source.items.as_deref(), source.optional)?
        } else if let Some(source) = &volume.downward_api {
            self.fields(pod, source.items.as_deref())?
        } else if let Some(source) = &volume.projected {
            let mut all = Files::new();
            for (index, part) in source.sources.iter().flatten().enumerate() {
                all.extend(self.part(pod, part, &format!("{}#{index}", volume.name)).await?);
            }
            all
        } else {
            return Err("this node has no volumes of this kind".to_owned());
        };
        Ok(Some(
            files
                .into_iter()
                .map(|(path, file)| (path, file.or_mode(mode(volume))))
                .collect(),
        ))
    }

    async fn part(&mut self, pod: &Pod, part: &VolumeProjection, token: &str) -> Result<Files, String> {
        let namespace = pod.namespace().unwrap_or_default();
        if let Some(source) = &part.secret {
            let keys = secret(&self.client, &namespace, &source.name).await?;
            chosen(&source.name, keys, source.items.as_deref(), source.optional)
        } else if let Some(source) = &part.config_map {
            let keys = config_map(&self.client, &namespace, &source.name).await?;
            chosen(&source.name, keys, source.items.as_deref(), source.optional)
        } else if let Some(source) = &part.downward_api {
            self.fields(pod, source.items.as_deref())
        } else if let Some(source) = &part.service_account_token {
            let text = self.token(pod, source, token).await?;
            Ok(Files::from([(source.path.clone(), File::new(text.into_bytes(), None))]))
        } else {
            Err("this node cannot project this".to_owned())
        }
    }

    fn fields(&self, pod: &Pod, items: Option<&[DownwardAPIVolumeFile]>) -> Result<Files, String> {
        items
            .unwrap_or_default()
            .iter()
            .map(|item| {
                let path = item
                    .field_ref
                    .as_ref()
                    .map_or("resourceFieldRef", |field| &field.field_path);
                let value = field(pod, self.address, path)?;
                Ok((item.path.clone(), File::new(value.into_bytes(), item.mode)))
            })
            .collect()
    }

    /// A token for the Pod's ServiceAccount, bound to the Pod, and renewed when most of its time is over.
    async fn token(&mut self, pod: &Pod, source: &ServiceAccountTokenProjection, key: &str) -> Result<String, String> {
        if let Some((token, renewal)) = self.tokens.get(key)
            && Instant::now() < *renewal
        {
            return Ok(token.clone());
        }
        let seconds = source.expiration_seconds.unwrap_or(3600);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: source.audience.clone().into_iter().collect(),
                expiration_seconds: Some(seconds),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: pod.metadata.name.clone(),
                    uid: pod.metadata.uid.clone(),
                }),
            },
            ..TokenRequest::default()
        };
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        let api = Api::<ServiceAccount>::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        let params = PostParams::default();
        let made = api.create_token_request(account.as_deref().unwrap_or("default"), &params, &request);
        let made = answer(made).await.map_err(|error| error.to_string())?;
        let token = made.status.map(|status| status.token).unwrap_or_default();
        let life = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        self.tokens
            .insert(key.to_owned(), (token.clone(), Instant::now() + life.mul_f32(0.8)));
        Ok(token)
    }
}

/// Where a volume lies, if `folder` is the Pod's: a claim outlives Pods, and others share it.
pub(super) fn place(folder: &Path, pod: &Pod, volume: &Volume) -> PathBuf {
    match &volume.persistent_volume_claim {
        Some(claim) => {
            let claims = folder.ancestors().nth(2).unwrap_or(folder).join("claims");
            claims.join(pod.namespace().unwrap_or_default()).join(&claim.claim_name)
        }
        None => folder.join("volumes").join(&volume.name),
    }
}

/// The mode of files that do not say their own.
fn mode(volume: &Volume) -> Option<i32> {
    let secret = volume.secret.as_ref().and_then(|source| source.default_mode);
    let config_map = volume.config_map.as_ref().and_then(|source| source.default_mode);
    let projected = volume.projected.as_ref().and_then(|source| source.default_mode);
    let downward = volume.downward_api.as_ref().and_then(|source| source.default_mode);
    secret.or(config_map).or(projected).or(downward)
}

/// The files that keys become: all of them, or those that are listed.
fn chosen(
    name: &str,
    keys: Option<Keys>,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<Files, String> {
    let optional = optional == Some(true);
    let keys = match keys {
        Some(keys) => keys,
        None if optional => Keys::new(),
        None => return Err(format!("`{name}` not found")),
    };
    let Some(items) = items else {
        let files = keys.into_iter().map(|(key, bytes)| (key, File::new(bytes, None)));
        return Ok(files.collect());
    };
    let mut files = Files::new();
    for item in items {
        match keys.get(&item.key) {
            Some(bytes) => drop(files.insert(item.path.clone(), File::new(bytes.clone(), item.mode))),
            None if optional => {}
            None => return Err(format!("`{name}` has no key `{}`", item.key)),
        }
    }
    Ok(files)
}
