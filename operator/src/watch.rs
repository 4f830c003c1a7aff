//! What the cluster holds, kept up to date by one shared watch for each kind.
//!
//! A watch that fails keeps what it last saw and is begun again with growing pauses; what it says is in [`World::troubles`]. Objects
//! that cannot be read are kept with their error, so that one of them hides no other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::published::INSTANCE_LABEL;
use crds::{AccessPolicy, ApiKey, AuthProvider, Authd, RoleMapping};
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::children;
use crate::stored::Stored;

/// How long the API server keeps a watch open; a connection that was dropped silently is noticed soon after.
const WATCH_SECONDS: u32 = 60;

/// Objects of a kind, readable or not.
pub type Kept<K> = Store<Stored<K>>;

/// What the cluster holds.
pub struct World {
    /// Instances.
    pub authds: Kept<Authd>,
    /// Ways to sign in.
    pub providers: Kept<AuthProvider>,
    /// Which claims grant what.
    pub role_mappings: Kept<RoleMapping>,
    /// Keys for programs.
    pub api_keys: Kept<ApiKey>,
    /// Who may do what.
    pub access_policies: Kept<AccessPolicy>,
    /// Namespaces with their labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Secrets of the namespaces that were opted in, by namespace.
    pub secrets: BTreeMap<String, Store<Secret>>,
    /// ConfigMaps of those namespaces.
    pub config_maps: Vec<Store<ConfigMap>>,
    /// Leases of replicas in those namespaces.
    pub leases: Vec<Store<Lease>>,
    /// What was deployed in those namespaces, by kind: objects that were listed do not say theirs.
    pub children: Vec<(ApiResource, Store<DynamicObject>)>,
    /// What came of each watch.
    pub watches: Arc<Watches>,
}

/// What came of each watch, and what changed since it was last asked.
#[derive(Default)]
pub struct Watches {
    wake: Notify,
    resources: AtomicBool,
    replicas: AtomicBool,
    children: AtomicBool,
    states: Mutex<BTreeMap<String, State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    listed: bool,
    trouble: Option<String>,
}

/// What changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Resources, Secrets or namespaces.
    pub resources: bool,
    /// What replicas say of themselves.
    pub replicas: bool,
    /// What was deployed.
    pub children: bool,
}

/// What a kind is watched for.
#[derive(Clone, Copy)]
enum For {
    Resources,
    Replicas,
    Children,
}

impl Watches {
    fn changed(&self, what: For) {
        match what {
            For::Resources => &self.resources,
            For::Replicas => &self.replicas,
            For::Children => &self.children,
        }
        .store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Has the next round look at everything.
    pub fn all_changed(&self) {
        [For::Resources, For::Replicas, For::Children]
            .into_iter()
            .for_each(|what| self.changed(what));
    }

    /// Waits for a change, and takes note of all of them.
    pub async fn next(&self) -> Changes {
        self.wake.notified().await;
        self.take()
    }

    /// What changed since it was last asked.
    pub fn take(&self) -> Changes {
        Changes {
            resources: self.resources.swap(false, Ordering::AcqRel),
            replicas: self.replicas.swap(false, Ordering::AcqRel),
            children: self.children.swap(false, Ordering::AcqRel),
        }
    }

    fn note(&self, what: &str, listed: bool, trouble: Option<String>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(what.to_owned()).or_default();
        state.listed |= listed;
        if state.trouble != trouble {
            match &trouble {
                Some(trouble) => tracing::warn!(watch = what, trouble, "watch_failed"),
                None => tracing::info!(watch = what, "watch_restored"),
            }
            metrics::gauge!("authd_operator_watch_trouble", "watch" => what.to_owned())
                .set(f64::from(u8::from(trouble.is_some())));
            state.trouble = trouble;
        }
    }

    /// What has not been listed yet, with what stands in its way.
    pub fn unlisted(&self) -> Vec<String> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let unlisted = states.iter().filter(|(_, state)| !state.listed);
        unlisted
            .map(|(what, state)| {
                state
                    .trouble
                    .as_ref()
                    .map_or(what.clone(), |trouble| format!("{what}: {trouble}"))
            })
            .collect()
    }

    /// What stands in the way of each watch that fails now.
    pub fn troubles(&self) -> BTreeMap<String, String> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = |(what, state): (&String, &State)| Some((what.clone(), state.trouble.clone()?));
        states.iter().filter_map(trouble).collect()
    }
}

/// Begins all watches.
pub struct Watching {
    client: Client,
    resync: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
    watches: Arc<Watches>,
}

impl Watching {
    /// Tasks of this tracker end with the stop.
    #[must_use]
    pub fn new(client: Client, resync: Duration, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            client,
            resync,
            tasks,
            stop,
            watches: Arc::default(),
        }
    }

    /// Watches the five kinds everywhere, and the rest in the namespaces that were opted in.
    #[must_use]
    pub fn begin(&self, namespaces: &[String]) -> World {
        let ours = watcher::Config::default().labels(INSTANCE_LABEL);
        let mut secrets = BTreeMap::new();
        let mut config_maps = Vec::new();
        let mut leases = Vec::new();
        let mut children = Vec::new();
        for namespace in namespaces {
            // Releases of Helm are large, and none of ours.
            let plain = watcher::Config::default().fields("type!=helm.sh/release.v1");
            secrets.insert(
                namespace.clone(),
                self.inside::<Secret>(namespace, plain, For::Resources),
            );
            let any = watcher::Config::default();
            config_maps.push(self.inside::<ConfigMap>(namespace, any, For::Resources));
            leases.push(self.inside::<Lease>(namespace, ours.clone(), For::Replicas));
            for kind in children::kinds() {
                let store = self.children(namespace, &kind, ours.clone());
                children.push((kind, store));
            }
        }
        World {
            authds: self.everywhere(),
            providers: self.everywhere(),
            role_mappings: self.everywhere(),
            api_keys: self.everywhere(),
            access_policies: self.everywhere(),
            namespaces: self.namespaces(),
            secrets,
            config_maps,
            leases,
            children,
            watches: Arc::clone(&self.watches),
        }
    }

    fn everywhere<K>(&self) -> Kept<K>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api: Api<Stored<K>> = Api::all(self.client.clone());
        self.keep(
            api,
            watcher::Config::default(),
            K::plural(&()).into_owned(),
            For::Resources,
        )
    }

    fn inside<K>(&self, namespace: &str, config: watcher::Config, what: For) -> Store<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.keep(api, config, format!("{} in {namespace}", K::plural(&())), what)
    }

    fn namespaces(&self) -> Store<PartialObjectMeta<Namespace>> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.client.clone());
        self.keep(api, watcher::Config::default(), "namespaces".to_owned(), For::Resources)
    }

    fn children(&self, namespace: &str, kind: &ApiResource, config: watcher::Config) -> Store<DynamicObject> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, kind);
        let name = format!("{} in {namespace}", kind.plural);
        self.keep_with(kind.clone(), api, config, (name, For::Children))
    }

    fn keep<K>(&self, api: Api<K>, config: watcher::Config, name: String, what: For) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
    {
        self.keep_with((), api, config, (name, what))
    }

    fn keep_with<K>(
        &self,
        kind: K::DynamicType,
        api: Api<K>,
        config: watcher::Config,
        (name, what): (String, For),
    ) -> Store<K>
    where
        K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Eq + std::hash::Hash + Clone + Send + Sync,
    {
        let writer = Writer::new(kind.clone());
        let store = writer.as_reader();
        self.watches.note(&name, false, None);
        let following = Following {
            kind,
            api,
            config: config.timeout(WATCH_SECONDS),
            name,
            what,
            resync: self.resync,
            watches: Arc::clone(&self.watches),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = following.run(writer) => {}
            }
        });
        store
    }
}

struct Following<K: Resource> {
    kind: K::DynamicType,
    api: Api<K>,
    config: watcher::Config,
    name: String,
    what: For,
    resync: Duration,
    watches: Arc<Watches>,
}

impl<K> Following<K>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone + Send + Sync,
{
    async fn run(self, mut writer: Writer<K>) {
        loop {
            let events = watcher(self.api.clone(), self.config.clone()).default_backoff();
            let mut events = std::pin::pin!(events);
            let until = tokio::time::sleep(self.resync);
            let mut until = std::pin::pin!(until);
            loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    () = &mut until => break,
                };
                match event {
                    Some(event) => self.take(&mut writer, event),
                    None => break,
                }
            }
        }
    }

    fn take(&self, writer: &mut Writer<K>, event: watcher::Result<watcher::Event<K>>) {
        match event {
            Ok(mut event) => {
                if let watcher::Event::Apply(object) | watcher::Event::InitApply(object) = &mut event {
                    // They are large, and nothing here reads them.
                    object.meta_mut().managed_fields = None;
                }
                let matters = !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
                let status_only = is_status_only(&self.kind, writer, &event);
                writer.apply_watcher_event(&event);
                self.watches.note(&self.name, matters, None);
                if matters && !status_only {
                    self.watches.changed(self.what);
                }
            }
            Err(error) => self.watches.note(&self.name, false, Some(trouble(&error))),
        }
    }
}

/// Whether all that changed is a status: that is what we write ourselves, and it has no bearing on what is published.
fn is_status_only<K>(kind: &K::DynamicType, writer: &Writer<K>, event: &watcher::Event<K>) -> bool
where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    let watcher::Event::Apply(object) = event else {
        return false;
    };
    let Some(known) = writer.as_reader().get(&ObjectRef::from_obj_with(object, kind.clone())) else {
        return false;
    };
    let (now, before) = (object.meta(), known.meta());
    // Secrets have no generation.
    now.generation.is_some()
        && now.generation == before.generation
        && now.uid == before.uid
        && now.annotations == before.annotations
        && now.labels == before.labels
        && now.deletion_timestamp == before.deletion_timestamp
}

/// What a person can do something about, without what changes from one try to the next.
fn trouble(error: &watcher::Error) -> String {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        other => return other.to_string(),
    };
    format!("{} {}", status.code, status.message)
}
